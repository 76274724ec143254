"""How well a brand's one colour can be read, and the nearest one that can. Pure."""

from dataclasses import dataclass

from app.base.colour import MINIMUM_CONTRAST, contrast
from app.base.colour_palette import palettes_of


@dataclass(frozen=True, slots=True)
class ColourCheck:
    """What is made of a colour; colours are six hex digits."""

    colour: str
    text_contrast: float
    """Of words in the colour on a white page."""
    ink: str
    """Of words on the colour."""
    ink_contrast: float
    nearest: str
    """The colour itself where words in it can be read, else its nearest tone that can be."""
    dark: str
    """The tone that takes its place in the dark."""

    @property
    def passes(self) -> bool:
        """Whether words in the colour itself can be read."""
        return self.text_contrast >= MINIMUM_CONTRAST


def check_colour(colour: str) -> ColourCheck:
    """The check of a colour."""
    palettes = palettes_of(colour)
    light = palettes.light
    own = contrast(colour, light.card)
    return ColourCheck(
        colour=colour,
        text_contrast=round(own, 2),
        ink=light.on_brand,
        ink_contrast=round(contrast(light.on_brand, light.brand), 2),
        nearest=colour if own >= MINIMUM_CONTRAST else light.brand_text,
        dark=palettes.dark.brand,
    )
