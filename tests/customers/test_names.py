"""Which texts are names, and which of them are shown."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.customers.names import MAX_SHOWN, shown_name, stated_name


@pytest.mark.parametrize(
    "name",
    [
        "Ana",
        "Jean-Luc",
        "O'Neil",
        "O\u2019Neil",
        "'t Hart",
        "J.R. Ewing",
        "Dr. Ana Maria",
        "Zoë",
        "Łukasz",
        "李小龍",
        "محمد",
        "प्रिया",
        "สมชาย",
        "Nguyễn",
        "Na",
    ],
)
def test_a_persons_name_is_shown_as_it_is(name: str) -> None:
    assert stated_name(name) == name
    assert shown_name(f"  {name}\u200b ") == name


@pytest.mark.parametrize(
    "text",
    [
        "null",
        "NULL",
        "N/A",
        "n/a",
        "-",
        "--",
        "...",
        "Guest",
        "kunde",
        "Vorname",
        "",
        " ",
        None,
        "42",
        "\u200b",
    ],
)
def test_a_placeholder_is_no_name(text: str | None) -> None:
    assert stated_name(text) is None
    assert shown_name(text) is None


@pytest.mark.parametrize(
    "text",
    [
        "evil.com",
        "www.evil.com",
        "Ana evil.example",
        "https://evil",
        "ana@example.com",
        "Call 0900 123456",
        "Ana2",
        "Ana Maria Luz Paz",
        "Ana!",
        "Ana, win",
        "Ana <b>",
        "Ana_",
        "💸",
        "A" * (MAX_SHOWN + 1),
        "e\u0301\u0301\u0301\u0301\u0301\u0301\u0301",
        "\u0301ana",
        "evil\uff0ecom",
        "x" * 100_000,
    ],
)
def test_no_text_number_or_domain_of_a_strangers_choosing_is_shown(text: str) -> None:
    assert shown_name(text) is None


@given(st.text(max_size=60))
def test_what_is_shown_is_short_and_stays_the_same(text: str) -> None:
    name = shown_name(text)
    assert name is None or (len(name) <= MAX_SHOWN and len(name.split()) <= 3 and shown_name(name) == name)
