"""How a brand looks and speaks on its pages: colour, faces, images and texts of its own.

Every value is optional; a text that a brand has not set is the neutral one of the page.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Self

import orjson

from app.base.colour import DEFAULT_ACCENT, contrast
from app.base.colour_palette import palettes_of
from app.base.i18n import known_language, language_of, language_tag
from app.base.text import isolated
from app.brands.models import Brand
from app.brands.rules import BrandingJson, ImageJson, ImageKind, TextKind, accent_of

MARK_RATIO = 1.6
"""A logo that is less wide than this many times its height is a mark: the name stands beside it."""
_WHITE, _BLACK = "ffffff", "000000"


@dataclass(frozen=True, slots=True)
class Image:
    """An image of a brand as pages show it."""

    path: str
    """On this host."""
    width: int
    height: int

    @classmethod
    def of(cls, brand_id: int, stored: ImageJson) -> Self:
        """The image that a brand's row names."""
        return cls(f"/media/{brand_id}/{stored['file']}", stored["width"], stored["height"])


@dataclass(frozen=True, slots=True)
class Logo:
    """A brand's logo.

    Without a dark version it stands on a white plate where the background is dark.
    """

    day: Image
    dark: Image | None

    @property
    def is_mark(self) -> bool:
        """Whether the logo holds no name, as its shape says."""
        return self.day.width < MARK_RATIO * self.day.height


def image_of(brand: Brand, kind: ImageKind) -> Image | None:
    """An image of the brand; None where it has none of this kind."""
    return _image(brand.id, brand.branding, kind)


def _image(brand_id: int, branding: BrandingJson, kind: ImageKind) -> Image | None:
    stored: ImageJson | None = branding.get(kind.value)  # type: ignore[assignment]  # by its name
    return Image.of(brand_id, stored) if stored else None


def logo_of(brand: Brand) -> Logo | None:
    """The brand's logo; None where it has none."""
    return _logo(brand.id, brand.branding)


def _logo(brand_id: int, branding: BrandingJson) -> Logo | None:
    day = _image(brand_id, branding, ImageKind.logo)
    return None if day is None else Logo(day, _image(brand_id, branding, ImageKind.logo_dark))


def card_of(brand: Brand) -> Image | None:
    """The image of a link's preview: the logo on white, else the picture."""
    return image_of(brand, ImageKind.card) or image_of(brand, ImageKind.picture)


def own_text(brand: Brand, kind: TextKind, language: str) -> str | None:
    """What the brand says in this place; None where it has nothing in this language.

    A text without a language is in the brand's own.
    """
    return _own_text(brand.branding, brand.locale, kind, language)


def _own_text(branding: BrandingJson, locale: str, kind: TextKind, language: str) -> str | None:
    wanted = language_tag(language)
    stored: str | dict[str, str] | None = branding.get(kind.value)  # type: ignore[assignment]  # by its name
    if isinstance(stored, str):
        return stored if wanted == language_of(locale) else None
    return next((text for tag, text in (stored or {}).items() if known_language(tag) == wanted), None)


def is_band_dark(branding: BrandingJson) -> bool:
    """Whether light text stands on the brand's full colour in the light scheme."""
    ink = palettes_of(accent_of(branding) or DEFAULT_ACCENT).light.on_band
    return contrast(ink, _BLACK) > contrast(ink, _WHITE)


def page_values(brand: Brand, language: str) -> dict[str, object]:
    """The values of `templates/web/customer.html` and its parts, on every page of a brand."""
    look = _look(brand.id, brand.locale, language, orjson.dumps(brand.branding))
    return {
        "brand_name": isolated(brand.name),
        "postal_address": isolated(brand.postal_address or ""),
        **brand.legal_urls,
        **look,
    }


@lru_cache(maxsize=1024)
def _look(brand_id: int, locale: str, language: str, stored: bytes) -> Mapping[str, object]:
    """What follows from the `branding` of a brand, which most pages of it have the same."""
    branding: BrandingJson = orjson.loads(stored)
    return {
        "accent": accent_of(branding),
        "face": branding.get("heading"),
        "logo": _logo(brand_id, branding),
        "is_band_dark": is_band_dark(branding),
        "picture": _image(brand_id, branding, ImageKind.picture),
        "own": {kind.value: _own_text(branding, locale, kind, language) for kind in TextKind},
    }
