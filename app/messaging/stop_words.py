"""What a person's text to us asks for. Pure; the words are in `stop_words.toml`."""

import re
import tomllib
import unicodedata
from enum import StrEnum
from importlib.resources import files

from app.base.text import one_line


class TextRequest(StrEnum):
    """What a text asks for."""

    stop = "stop"
    start = "start"
    other = "other"


_MOST = 1600
"""Characters that are read: a text has no more."""
_NO_MARKS = {"ı": "i", "ł": "l", "ø": "o", "đ": "d"}
"""Letters whose mark is no separate character in Unicode."""
_STOP_PHRASES = re.compile(
    r"\b(?:unsubscribe|opt(?:ed)?[ -]?(?:me )?out|stop (?:text|messag|send|contact|writing|sms|this|it\b|all\b)\w*"
    r"|(?:do not|don'?t|never) (?:text|message|contact|write|sms)\w*|no more (?:text|message|sms)\w*"
    r"|(?:remove|delete) me|take me off|leave me alone|revoke\b.*\bconsent|keine (?:sms|nachrichten) mehr|bitte abmelden)"
)
_SCORE_FIRST = re.compile(r"(?:10|\d)\b")
_FEW_WORDS = 4


def comparable_text(body: str) -> str:
    """The text in lower case, without accents and punctuation, full-width letters as plain ones."""
    text = unicodedata.normalize("NFKC", one_line(body, limit=_MOST)).replace("\u2019", "'").casefold()
    letters = (_NO_MARKS.get(sign, sign) for sign in unicodedata.normalize("NFKD", text))
    plain = "".join(sign for sign in letters if not unicodedata.combining(sign))
    return " ".join(re.sub(r"[^\w\s'-]", " ", plain).split())


def _load() -> tuple[frozenset[str], frozenset[str], frozenset[str]]:
    """The words that stop, those that do so among others, and those that start."""
    tables = tomllib.loads(files("app.messaging").joinpath("stop_words.toml").read_text("utf-8"))
    start = frozenset(tables.pop("start")["words"])

    def words(name: str) -> frozenset[str]:
        return frozenset(comparable_text(word) for table in tables.values() for word in table[name])

    return words("words"), words("among_others"), start


_STOP_WORDS, _STOP_AMONG_OTHERS, _START_WORDS = _load()


def read_text(body: str) -> TextRequest:
    """What a text asks for.

    A text that begins with a score is an answer, and "stop" within its comment does not count; a
    clear phrase counts even there.
    """
    plain = comparable_text(body)
    words = [word for each in plain.split() if (word := each.strip("'-_"))]
    whole = re.sub(r"[\W_]", "", plain)
    if not words:
        return TextRequest.other
    if whole in _STOP_WORDS or _STOP_PHRASES.search(plain):
        return TextRequest.stop
    if whole in _START_WORDS:
        return TextRequest.start
    if _SCORE_FIRST.match(plain):
        return TextRequest.other
    few = len(words) <= _FEW_WORDS
    stops = words[0] in _STOP_AMONG_OTHERS or (few and words[-1] in _STOP_AMONG_OTHERS)
    return TextRequest.stop if stops else TextRequest.other
