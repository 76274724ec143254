"""How a brand's mails look: its colours in both schemes, the face of headings, and its logo."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from typing import Any, Self

from app.base.colour import DEFAULT_ACCENT
from app.base.colour_palette import Palette, Palettes, palettes_of
from app.brands.appearance import Logo, is_band_dark, logo_of
from app.brands.models import Brand
from app.brands.rules import accent_of

_FONTS = {
    "sans": "-apple-system, BlinkMacSystemFont, Segoe UI, Roboto, Helvetica, Arial, sans-serif",
    "serif": "ui-serif, New York, Georgia, Noto Serif, serif",
}
"""Without quotes, which would be escaped in a style sheet."""
_LOGO_HEIGHT = 40
"""Pixels; the file has twice as many for dense screens."""
_LOGO_WIDTH = 200


@dataclass(frozen=True, slots=True)
class MailLogo:
    """A logo as a mail shows it, on the band of the brand's colour."""

    url: str
    width: int
    height: int
    on_plate: bool
    """Whether it needs a white plate."""
    is_mark: bool
    """Whether the name stands beside it."""


@dataclass(frozen=True, slots=True)
class MailLook:
    """What mails of a brand look like; without values that of a brand that has set nothing."""

    palettes: Palettes = field(default_factory=lambda: palettes_of(DEFAULT_ACCENT))
    heading: str = "sans"
    logo: MailLogo | None = None

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Self:
        """The look that `dataclasses.asdict` made values of."""
        palettes = Palettes(*(Palette(**stored["palettes"][scheme]) for scheme in ("light", "dark")))
        return cls(palettes, stored["heading"], MailLogo(**stored["logo"]) if stored["logo"] else None)

    def values(self) -> dict[str, str]:
        """The values by the names that templates use."""
        return {**_colours(self.palettes), "heading_font": _FONTS[self.heading], **_logo_values(self.logo)}


def look_of(brand: Brand, public_url: str) -> MailLook:
    """The present look of a brand's mails."""
    palettes = palettes_of(accent_of(brand.branding) or DEFAULT_ACCENT)
    heading = brand.branding.get("heading")
    logo = logo_of(brand)
    return MailLook(
        palettes,
        heading if heading in _FONTS else "sans",
        None if logo is None else _mail_logo(logo, public_url, is_dark=is_band_dark(brand.branding)),
    )


def _mail_logo(logo: Logo, public_url: str, *, is_dark: bool) -> MailLogo:
    # A mailbox may darken a mail as it likes, so a logo for light backgrounds has its own.
    image = logo.dark if logo.dark is not None and is_dark else logo.day
    scale = min(_LOGO_HEIGHT / image.height, _LOGO_WIDTH / image.width, 1)
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    return MailLogo(f"{public_url}{image.path}", *size, on_plate=image is logo.day, is_mark=logo.is_mark)


@lru_cache(maxsize=512)
def _colours(palettes: Palettes) -> Mapping[str, str]:
    return {
        f"{scheme}_{name}": f"#{value}"
        for scheme, palette in (("light", palettes.light), ("dark", palettes.dark))
        for name, value in asdict(palette).items()
    }


def _logo_values(logo: MailLogo | None) -> dict[str, str]:
    if logo is None:
        return {"logo_url": "", "logo_width": "", "logo_height": "", "logo_plate": "transparent"}
    return {
        "logo_url": logo.url,
        "logo_width": str(logo.width),
        "logo_height": str(logo.height),
        "logo_plate": "#ffffff" if logo.on_plate else "transparent",
    }
