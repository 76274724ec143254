"""What a person's text asks for: STOP in people's languages, START, or an answer."""

import tomllib
import unicodedata
from importlib.resources import files

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.messaging.stop_words import TextRequest, read_text

TABLES = tomllib.loads(files("app.messaging").joinpath("stop_words.toml").read_text("utf-8"))
LANGUAGES = {"en", "de", "fr", "es", "pt", "it", "nl", "pl", "sv", "da", "no", "fi", "tr", "ru"}
WORDS = [(name, word) for name, table in TABLES.items() if name != "start" for word in table["words"]]


def full_width(word: str) -> str:
    return "".join(chr(ord(sign) + 0xFEE0) if "!" <= sign <= "~" else sign for sign in word)


def test_every_language_has_words_and_every_table_a_source() -> None:
    assert set(TABLES) == {*LANGUAGES, "carriers", "start"}
    assert all(table["source"] and table["words"] for table in TABLES.values())


@pytest.mark.parametrize(("table", "word"), WORDS)
def test_a_word_stops_in_any_spelling(table: str, word: str) -> None:
    spellings = [
        word,
        word.upper(),
        word.capitalize(),
        f" {word}! ",
        f"\u200b{word}.",
        f"\u201e{word}\u201c",
        full_width(word.upper()),
        unicodedata.normalize("NFD", word),
    ]
    assert [read_text(each) for each in spellings] == [TextRequest.stop] * len(spellings)


@pytest.mark.parametrize(
    "text",
    ["ARRET", "ARRÊT", "arrêté", "BAJA", "ＳＴＯＰ", "İPTAL", "ıptal", "Rezygnuję", "KÜNDIGEN", "kundigen", "çık", "s.t.o.p."],
)  # fmt: skip
def test_accents_and_full_width_letters_do_not_matter(text: str) -> None:
    assert read_text(text) is TextRequest.stop


@pytest.mark.parametrize("text", ["START", " start. ", "UNSTOP", "ＳＴＡＲＴ", "Un-Stop"])
def test_start_is_read(text: str) -> None:
    assert read_text(text) is TextRequest.start


@given(st.text(max_size=200))
def test_any_text_can_be_read(text: str) -> None:
    assert read_text(text) in TextRequest


@pytest.mark.parametrize(
    "text",
    ["STOP", "stop", " Stop. ", "UNSUBSCRIBE", "end", "QUIT", "StopAll", "revoke", "OPTOUT", "opt out", "Opt-out!", "CANCEL", "Stopp",
     "please stop", "stop it", "STOP texting me", "don't text me again", "don\u2019t contact me", "unsubscribe me please",
     "remove me from this list", "leave me alone", "no more texts", "10 but please stop texting me", "I opt out", "Abmelden", "stop stop stop"],
)  # fmt: skip
def test_any_wording_of_stop_suppresses(text: str) -> None:
    assert read_text(text) is TextRequest.stop


@pytest.mark.parametrize(
    "text",
    ["", "10", "9 great", "10 don't stop doing what you do", "8 the bus stop is far", "0", "cancel my order 1001 please", "the weekend was great",
     "START", "YES", "YES please", "restart", "the colour red", "seis", "10 basta", "calidad baja", "I never want to buy elsewhere again", "great from start to end"],
)  # fmt: skip
def test_an_answer_does_not_mean_stop(text: str) -> None:
    assert read_text(text) is not TextRequest.stop
