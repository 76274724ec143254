from dataclasses import fields

import pytest

from app.base.colour import (
    DEFAULT_ACCENT,
    MINIMUM_CONTRAST,
    contrast,
    darker_until,
    lighter_until,
    mix,
    parse_colour,
    to_colour,
    to_tone,
)
from app.base.colour_palette import Palette, palettes_of

EDGES = ["000000", "ffffff", "777777", "ffcc00", "ffe000", "00ff00", "ff0000", "0000ff", "e4002b", "0a1f44"]
SOME = [
    f"{red}{green}{blue}"
    for red in ("00", "7f", "e9")
    for green in ("10", "8c", "ff")
    for blue in ("00", "75", "f2")
]


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
    assert contrast("ffffff", "ffffff") == pytest.approx(1)
    assert contrast("000000", "ffffff") == pytest.approx(21)
    assert contrast("767676", "ffffff") == pytest.approx(4.54, abs=0.01)
    assert contrast("ffffff", "767676") == contrast("767676", "ffffff")


@pytest.mark.parametrize("colour", [*EDGES, DEFAULT_ACCENT])
def test_a_colour_survives_the_way_to_its_tone_and_back(colour):
    assert to_colour(to_tone(colour)) == colour
    assert mix(colour, "123456", 1) == colour


@pytest.mark.parametrize("pale", ["ffe000", "ffffff", "00ff00", "777777", "ff8080"])
def test_a_tone_is_moved_until_it_can_be_read_and_no_further(pale):
    assert MINIMUM_CONTRAST <= contrast(darker_until(pale, "ffffff", MINIMUM_CONTRAST), "ffffff") < 5
    readable = lighter_until("0a1f44", "12151a", MINIMUM_CONTRAST)
    assert MINIMUM_CONTRAST <= contrast(readable, "12151a") < 5
    assert darker_until("0a1f44", "ffffff", MINIMUM_CONTRAST) == "0a1f44", "it can be read already"


@pytest.mark.parametrize("colour", [DEFAULT_ACCENT, *EDGES, *SOME])
def test_everything_that_is_derived_from_any_colour_can_be_read(colour):
    palettes = palettes_of(colour)
    for palette in (palettes.light, palettes.dark):
        assert all(parse_colour(getattr(palette, each.name)) for each in fields(Palette))
        grounds = (palette.card, palette.tint, palette.wash)
        texts = (palette.ink, palette.muted, palette.brand_text)
        found = {
            "on fills": min(contrast(palette.on_brand, fill) for fill in (palette.brand, palette.hover)),
            "on the band": contrast(palette.on_band, palette.band),
            "texts": min(contrast(text, ground) for text in texts for ground in grounds),
        }
        assert min(found.values()) >= MINIMUM_CONTRAST, found
        assert min(contrast(edge, palette.card) for edge in (palette.edge, palette.brand_edge)) >= 3


def test_a_brand_keeps_its_colour_where_it_is_light_and_yellow_gets_dark_ink():
    yellow, blue = palettes_of("ffcc00"), palettes_of("0a1f44")
    assert (yellow.light.brand, blue.light.brand) == ("ffcc00", "0a1f44")
    assert contrast(yellow.light.on_brand, "000000") < 2
    assert contrast(blue.light.on_brand, "ffffff") < 1.2
    assert yellow.light.brand_text != "ffcc00"
    assert blue.dark.brand != "0a1f44"
