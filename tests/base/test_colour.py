import pytest

from app.base.colour import (
    DEFAULT_ACCENT,
    MINIMUM_CONTRAST,
    contrast_with_white,
    nearest_readable,
    parse_colour,
    text_colour_on,
)


@pytest.mark.parametrize(
    ("text", "colour"),
    [
        ("#0F5fA8", "0f5fa8"),
        ("0f5fa8", "0f5fa8"),
        ("red", None),
        ("#0f5fa", None),
        ("#0f5fa8;", None),
        ("#0f5fa8\n", None),
        ("#fff", None),
        ("", None),
    ],
)
def test_nothing_but_a_colour_is_read(text, colour):
    assert parse_colour(text) == colour


def test_contrast_is_wcags():
    assert contrast_with_white("ffffff") == pytest.approx(1)
    assert contrast_with_white("000000") == pytest.approx(21)
    assert contrast_with_white("767676") == pytest.approx(4.54, abs=0.01)
    assert contrast_with_white(DEFAULT_ACCENT) >= MINIMUM_CONTRAST


@pytest.mark.parametrize("pale", ["ffe000", "ffffff", "00ff00", "777777", "ff8080"])
def test_a_pale_colour_is_darkened_until_it_can_be_read_and_no_further(pale):
    found = nearest_readable(pale)
    assert MINIMUM_CONTRAST <= contrast_with_white(found) < MINIMUM_CONTRAST + 0.3
    assert nearest_readable(found) == found


@pytest.mark.parametrize(
    ("background", "text"),
    [("ffffff", "000000"), ("000000", "ffffff"), ("0f5fa8", "ffffff"), ("ffee00", "000000")],
)
def test_text_on_a_colour_is_black_or_white_whichever_can_be_read(background, text):
    assert text_colour_on(background) == text
