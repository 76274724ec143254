r"""Text from outside, made fit to be stored, shown and sent: one treatment for every source.

| characters | one line | several lines |
| --- | --- | --- |
| controls (C0 with BEL and NUL, DEL, C1), tab | a space | a space |
| line ends (`\n`, `\r\n`, `\v`, `\f`, U+0085, U+2028, U+2029) | a space | `\n`, at most two |
| direction marks (U+061C, U+200E/F, U+202A-E, U+2066-9, U+206A-F) | removed | removed |
| invisible (U+00AD, U+180E, U+200B, U+2060-4, U+FEFF, U+FFF9-B) | removed | removed |
| language tags (U+E0000-E007F) except in a flag emoji | removed | removed |
| lone surrogates | removed | removed |
| ZWJ, ZWNJ after a character that is not ASCII (Persian, Indic scripts, emoji) | kept | kept |
| ZWJ, ZWNJ elsewhere | removed | removed |
| runs of white space | one space | one space in a line |

So a line break in a name cannot begin a mail header, a mark cannot turn the text around it, and two
names that look the same are the same. Every script and emoji stays as it is.
"""

import re

_LINE_END = re.compile("\r\n|[\n\r\v\f\x85\u2028\u2029]")
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_CONTROL_IN_LINES = re.compile("[\x00-\x09\x0e-\x1f\x7f-\x84\x86-\x9f]")
_REMOVED = re.compile(
    "[\xad\u061c\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ud800-\udfff]"
    # The subdivision flags (England, Scotland, Wales) are a black flag and tag characters.
    "|(?<![\U0001f3f4\U000e0020-\U000e007f])[\U000e0000-\U000e007f]+"
)
_IDLE_JOINER = re.compile(r"(?<![^\x00-\x7f\s\u200c\u200d])[\u200c\u200d]+")
_RIGHT_TO_LEFT = re.compile(
    "[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufeff\U00010800-\U00010fff\U0001e800-\U0001efff]"
)
"""The blocks of Hebrew, Arabic, Syriac, Thaana, N'Ko and their like."""
_BLANK_LINES = re.compile(r"\n{3,}")


def one_line(text: str, *, limit: int = 200, ellipsis: bool = False) -> str:
    """The text in one line of at most `limit` characters; empty where nothing is left.

    With `ellipsis` a text that was cut ends in `…`, which counts as one of the characters.
    """
    if text.isprintable():
        # Most texts, and orders have dozens: the only white space that is printable is the space.
        if len(text) <= limit and "  " not in text and text.strip(" ") == text:
            return text
    else:
        text = _without_invisible(_CONTROL.sub(" ", text))
    return _cut(" ".join(text.split()), limit, ellipsis=ellipsis)


def one_line_or_none(text: str | None, *, limit: int = 200) -> str | None:
    """As `one_line`; None where nothing is left, and for None."""
    if not text:
        return None
    # As there: a call less for each of the dozens of texts of an order.
    if text.isprintable() and len(text) <= limit and "  " not in text and text[0] != " " != text[-1]:
        return text
    return one_line(text, limit=limit) or None


def several_lines(text: str, *, limit: int) -> str:
    """The text with its lines, at most `limit` characters; empty where nothing is left."""
    if text.isprintable():
        return one_line(text, limit=limit)
    plain = _without_invisible(_CONTROL_IN_LINES.sub(" ", _LINE_END.sub("\n", text)))
    lines = "\n".join(" ".join(line.split()) for line in plain.split("\n"))
    return _cut(_BLANK_LINES.sub("\n\n", lines).strip("\n"), limit)


def quoted(text: str) -> str:
    """What somebody entered, as an error repeats it: in quotes, at most 24 characters of it."""
    return repr(one_line(text, limit=24, ellipsis=True))


def isolated(text: str) -> str:
    """The text, which does not turn the sentence that it stands in, as a page shows it.

    A name in a script that is written from right to left is put between isolates (Unicode TR9);
    any other text is returned unchanged.
    """
    return f"\u2068{text}\u2069" if _RIGHT_TO_LEFT.search(text) else text


def is_clean(text: str, *, lines: bool = False) -> bool:
    """Whether the text has no character that is replaced or removed here, white space aside.

    For values that are refused rather than changed. With `lines` the line ends LF and CR LF are
    allowed.
    """
    if lines:
        text = text.replace("\r\n", " ").replace("\n", " ")
    return text.isprintable() or not (
        _CONTROL.search(text) or _REMOVED.search(text) or _IDLE_JOINER.search(text)
    )


def _without_invisible(text: str) -> str:
    return _IDLE_JOINER.sub("", _REMOVED.sub("", text))


def _cut(text: str, limit: int, *, ellipsis: bool = False) -> str:
    if len(text) <= limit:
        return text
    return text[: limit - 1].rstrip() + "…" if ellipsis else text[:limit].rstrip()
