"""Colours of brands: reading them, their contrast (WCAG 2.2), and tones of one hue (OKLCH). Pure.

A colour is six lower-case hex digits (`0f5fa8`) everywhere inside; `#` is added where it is shown.
What pages and mails make of a brand's colour is in `app/base/colour_palette.py`.
"""

import math
import re
from typing import NamedTuple

DEFAULT_ACCENT = "0f5fa8"
"""The colour of pages and e-mail where a brand has none."""
MINIMUM_CONTRAST = 4.5
"""WCAG 2.2 AA for text of normal size."""
_HEX = re.compile(r"#?([0-9a-fA-F]{6})")
_STEP = 0.01
"""By which lightness is moved while a contrast is sought."""


class Tone(NamedTuple):
    """A colour in OKLCH: lightness 0-1, chroma 0-0.37, hue in radians."""

    lightness: float
    chroma: float
    hue: float


def parse_colour(text: str) -> str | None:
    """Parse `#rrggbb` or `rrggbb`; returns None for anything else.

    So nothing but a colour gets into a style.
    """
    found = _HEX.fullmatch(text)
    return found[1].lower() if found else None


def contrast(one: str, other: str) -> float:
    """The contrast ratio of two colours, 1 to 21."""
    low, high = sorted((_luminance(one), _luminance(other)))
    return (high + 0.05) / (low + 0.05)


def to_tone(colour: str) -> Tone:
    """A colour in OKLCH."""
    lightness, a, b = _to_oklab(colour)
    return Tone(lightness, math.hypot(a, b), math.atan2(b, a))


def to_colour(tone: Tone) -> str:
    """The colour of a tone, its chroma lowered until sRGB can show it."""
    chroma = tone.chroma
    while True:
        linear = _linear_rgb((tone.lightness, chroma * math.cos(tone.hue), chroma * math.sin(tone.hue)))
        if chroma < 0.004 or all(-0.001 <= part <= 1.001 for part in linear):
            return _hex(linear)
        chroma -= 0.004


def mix(one: str, other: str, share: float) -> str:
    """`share` of the one and the rest of the other, mixed in OKLab as CSS `color-mix` does."""
    pairs = zip(_to_oklab(one), _to_oklab(other), strict=True)
    lightness, a, b = (first * share + second * (1 - share) for first, second in pairs)
    return _hex(_linear_rgb((lightness, a, b)))


def distance(one: str, other: str) -> float:
    """How far two colours lie apart in OKLab; black and white are 1 apart."""
    return math.dist(_to_oklab(one), _to_oklab(other))


def darker_until(colour: str, background: str, least: float) -> str:
    """The nearest darker tone of the hue with a contrast of `least` on a light background."""
    return _walk(colour, background, least, -_STEP)


def lighter_until(colour: str, background: str, least: float) -> str:
    """The nearest lighter tone with a contrast of `least` on a dark background; never garish."""
    return _walk(colour, background, least, _STEP)


def _walk(colour: str, background: str, least: float, step: float) -> str:
    lightness, chroma, hue = to_tone(colour)
    if step > 0:
        chroma = min(chroma, 0.15)
    found = colour
    while contrast(found, background) < least and 0 < lightness + step < 1:
        lightness += step
        found = to_colour(Tone(lightness, chroma, hue))
    return found


def _to_oklab(colour: str) -> tuple[float, float, float]:
    """OKLab by Ottosson, https://bottosson.github.io/posts/oklab."""
    red, green, blue = _linear(colour)
    long = math.cbrt(0.4122214708 * red + 0.5363325363 * green + 0.0514459929 * blue)
    medium = math.cbrt(0.2119034982 * red + 0.6806995451 * green + 0.1073969566 * blue)
    short = math.cbrt(0.0883024619 * red + 0.2817188376 * green + 0.6299787005 * blue)
    return (
        0.2104542553 * long + 0.793617785 * medium - 0.0040720468 * short,
        1.9779984951 * long - 2.428592205 * medium + 0.4505937099 * short,
        0.0259040371 * long + 0.7827717662 * medium - 0.808675766 * short,
    )


def _linear_rgb(lab: tuple[float, float, float]) -> tuple[float, float, float]:
    lightness, a, b = lab
    long = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3
    medium = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3
    short = (lightness - 0.0894841775 * a - 1.291485548 * b) ** 3
    return (
        4.0767416621 * long - 3.3077115913 * medium + 0.2309699292 * short,
        -1.2684380046 * long + 2.6097574011 * medium - 0.3413193965 * short,
        -0.0041960863 * long - 0.7034186147 * medium + 1.707614701 * short,
    )


def _hex(linear: tuple[float, float, float]) -> str:
    parts = (min(1.0, max(0.0, part)) for part in linear)
    coded = (12.92 * part if part <= 0.0031308 else 1.055 * part ** (1 / 2.4) - 0.055 for part in parts)
    return "".join(f"{round(part * 255):02x}" for part in coded)


def _linear(colour: str) -> tuple[float, float, float]:
    red, green, blue = (_LINEAR[int(colour[place : place + 2], 16)] for place in (0, 2, 4))
    return red, green, blue


_LINEAR = tuple(
    part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4
    for part in (value / 255 for value in range(256))
)


def _luminance(colour: str) -> float:
    """WCAG's relative luminance, 0 (black) to 1 (white)."""
    red, green, blue = _linear(colour)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
