"""Colours of brands: reading them, and whether text in them can be read (WCAG 2.2). Pure.

A colour is six lower-case hex digits (`0f5fa8`) everywhere inside; `#` is added where it is shown.
"""

import re

DEFAULT_ACCENT = "0f5fa8"
"""The accent colour of pages and e-mail where a brand has none."""
MINIMUM_CONTRAST = 4.5
"""WCAG 2.2 AA for text of normal size."""
_HEX = re.compile(r"#?([0-9a-fA-F]{6})")


def parse_colour(text: str) -> str | None:
    """Parse `#rrggbb` or `rrggbb`; returns None for anything else.

    So nothing but a colour gets into a style.
    """
    found = _HEX.fullmatch(text)
    return found[1].lower() if found else None


def contrast_with_white(colour: str) -> float:
    """The contrast ratio of a colour and white, 1 to 21."""
    return 1.05 / (_luminance(colour) + 0.05)


def nearest_readable(colour: str) -> str:
    """The same colour, darkened in the smallest steps until text in it can be read on white."""
    channels = [int(colour[place : place + 2], 16) for place in (0, 2, 4)]
    percent = 100
    while contrast_with_white(_darkened(channels, percent)) < MINIMUM_CONTRAST:
        percent -= 1
    return _darkened(channels, percent)


def text_colour_on(background: str) -> str:
    """Black or white, whichever has the higher contrast with the background."""
    return "000000" if (_luminance(background) + 0.05) / 0.05 > contrast_with_white(background) else "ffffff"


def _darkened(channels: list[int], percent: int) -> str:
    return "".join(f"{channel * percent // 100:02x}" for channel in channels)


def _luminance(colour: str) -> float:
    """WCAG's relative luminance, 0 (black) to 1 (white)."""
    parts = [int(colour[place : place + 2], 16) / 255 for place in (0, 2, 4)]
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
