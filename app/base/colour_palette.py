"""Every colour of customers' pages and mails, derived from a brand's one colour. Pure.

The hue stays; lightness is moved until text and edges can be read. So a yellow brand gets dark ink
on its yellow and darker links, a black one gets grey in the dark. What holds for every colour:

| colour | on | contrast |
| --- | --- | --- |
| `on_brand` | `brand`, `hover` | 4.5 |
| `on_band` | `band` | 4.5 |
| `brand_text`, `muted`, `ink` | `card`, `tint`, `wash` | 4.5 |
| `brand_edge`, `edge` | `card` | 3 |
"""

from dataclasses import dataclass
from functools import lru_cache

from app.base.colour import (
    MINIMUM_CONTRAST,
    Tone,
    contrast,
    darker_until,
    distance,
    lighter_until,
    mix,
    to_colour,
    to_tone,
)

_TEXT = 4.6
"""What is sought for text: a little more than `MINIMUM_CONTRAST`, as colours are rounded."""
_EDGE = 3.1
_WHITE = "ffffff"
_BLACK = "000000"


@dataclass(frozen=True, slots=True)
class Palette:
    """The colours of one scheme, each six hex digits."""

    card: str
    """The sheet with the text."""
    ink: str
    muted: str
    line: str
    edge: str
    """Around fields and keys."""
    brand: str
    """Filled buttons and the chosen key."""
    on_brand: str
    hover: str
    brand_text: str
    """Links and small words in the brand's colour."""
    brand_edge: str
    band: str
    """Large areas in the full colour."""
    on_band: str
    petal: str
    """A shade on the band."""
    wash: str
    """Large areas in a pale colour."""
    tint: str
    """A box on the sheet."""
    rule: str
    """Quiet borders."""


@dataclass(frozen=True, slots=True)
class Palettes:
    """The colours of a brand in both schemes."""

    light: Palette
    dark: Palette


@lru_cache(maxsize=512)
def palettes_of(colour: str) -> Palettes:
    """The colours that belong to a brand's colour."""
    return Palettes(_light(colour), _dark(colour))


def _light(colour: str) -> Palette:
    deep, pale = _extremes(colour)
    card = _WHITE
    brand_edge = darker_until(colour, card, _EDGE)
    # White itself has no tint; its edge does.
    source = colour if distance(colour, card) > 0.05 else brand_edge
    # A pale colour takes a larger share, so that every brand's tint is seen alike.
    wash, tint = (mix(source, card, min(0.62, want / distance(source, card))) for want in (0.094, 0.056))
    on_brand = _ink_on(colour, deep, pale)
    return Palette(
        card=card,
        ink=mix(deep, "1a2230", 0.45),
        muted=darker_until(mix(deep, "5d636d", 0.22), wash, _TEXT),
        line=mix(source, "dddedf", 0.14),
        edge="7d8796",
        brand=colour,
        on_brand=on_brand,
        hover=_away_from(on_brand, colour),
        brand_text=darker_until(colour, wash, _TEXT),
        brand_edge=brand_edge,
        band=colour,
        on_band=on_brand,
        petal=mix(on_brand, colour, 0.2),
        wash=wash,
        tint=tint,
        rule=mix(brand_edge, card, 0.45),
    )


def _dark(colour: str) -> Palette:
    tone = to_tone(colour)
    deep, pale = _extremes(colour)
    # Deep enough not to glare.
    band = to_colour(Tone(0.36, min(tone.chroma, 0.10), tone.hue))
    card = mix(band, "12151a", 0.14)
    wash, tint = mix(band, card, 0.5), mix(band, card, 0.34)
    brand = lighter_until(colour, card, 6.0)
    on_brand = _ink_on(brand, deep, pale)
    return Palette(
        card=card,
        ink=mix(pale, "e3e6eb", 0.6),
        muted=lighter_until(mix(pale, "a3adbb", 0.2), wash, _TEXT),
        line=mix(brand, "2a303a", 0.12),
        edge=lighter_until("6f7b8c", card, _EDGE),
        brand=brand,
        on_brand=on_brand,
        hover=_away_from(on_brand, brand),
        brand_text=lighter_until(brand, wash, _TEXT),
        brand_edge=brand,
        band=band,
        on_band=pale,
        petal=mix(pale, band, 0.2),
        wash=wash,
        tint=tint,
        rule=mix(brand, card, 0.45),
    )


def _extremes(colour: str) -> tuple[str, str]:
    """The hue's own near-black and near-white."""
    _, chroma, hue = to_tone(colour)
    return to_colour(Tone(0.20, min(chroma, 0.05), hue)), to_colour(Tone(0.985, min(chroma, 0.012), hue))


def _ink_on(fill: str, deep: str, pale: str) -> str:
    """The ink with more contrast on the fill; black or white where the hue's own cannot be read."""
    inks = (pale, deep)
    if max(contrast(ink, fill) for ink in inks) < MINIMUM_CONTRAST:
        inks = (_WHITE, _BLACK)
    return max(inks, key=lambda ink: contrast(ink, fill))


def _away_from(ink: str, fill: str) -> str:
    """The fill under the pointer, on which the ink is read even better."""
    return mix(fill, _BLACK if contrast(ink, _BLACK) > contrast(ink, _WHITE) else _WHITE, 0.86)
