"""A brand's colour, fit to be read: WCAG contrast against the white card. Pure."""

import re

MINIMUM = 4.5
"""WCAG 2.2 AA for text of normal size."""
_HEX = re.compile(r"#?([0-9a-fA-F]{6})")


def parse_colour(text: str) -> str | None:
    """Six lower-case hex digits; None for anything else."""
    found = _HEX.fullmatch(text)
    return found[1].lower() if found else None


def contrast_with_white(colour: str) -> float:
    """The contrast ratio of a colour (six hex digits) and white, 1 to 21."""
    return 1.05 / (_luminance(colour) + 0.05)


def nearest_passing(colour: str) -> str:
    """The same colour, darkened in the smallest steps until it passes."""
    channels = [int(colour[place : place + 2], 16) for place in (0, 2, 4)]
    share = 100
    while contrast_with_white(_hex(channels, share)) < MINIMUM:
        share -= 1
    return _hex(channels, share)


def _hex(channels: list[int], share: int) -> str:
    return "".join(f"{channel * share // 100:02x}" for channel in channels)


def _luminance(colour: str) -> float:
    parts = [int(colour[place : place + 2], 16) / 255 for place in (0, 2, 4)]
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
