"""Gives the demo's brand its face, as a marketing team would by the dashboard or the API."""

from sqlalchemy.ext.asyncio import AsyncSession

from app.base.actor import Actor
from app.brands.change import change_brand
from app.brands.image_files import ImageFile, make_images
from app.brands.images import set_images
from app.brands.models import Brand
from app.brands.rules import BrandingJson, ImageKind
from app.demo.look.draw import HERE

BRANDING: BrandingJson = {
    "accent": "#1f5c4d",
    "heading": "serif",
    "greeting": {
        "en": "your parcel has had a few days to settle in. One question:",
        "de": "Ihr Paket ist nun ein paar Tage bei Ihnen. Eine Frage:",
    },
    "thanks": {
        "en": "Word of mouth is how most people find our little shop by the water.",
        "de": "Die meisten finden unseren kleinen Laden am Wasser durch Weitersagen.",
    },
    "pitch": {
        "en": "Enamel, linen and oak for kitchens that are used every day. Sent within two days.",
        "de": "Emaille, Leinen und Eiche für Küchen, in denen täglich gekocht wird.",
    },
    "noun": {"en": "your first order", "de": "Ihre erste Bestellung"},
    "sign_off": {"en": "Ida and Jon read every answer.", "de": "Ida und Jon lesen jede Antwort."},
}


async def dress(session: AsyncSession, brand_id: int, *, actor: Actor) -> Brand:
    """Set colour, face, texts, logo and picture; returns the brand."""
    await change_brand(session, brand_id, {"branding": BRANDING}, actor=actor)
    files: dict[ImageKind, ImageFile] = {}
    for kind in (ImageKind.logo, ImageKind.logo_dark, ImageKind.picture):
        files |= make_images((HERE / f"{kind.value}.png").read_bytes(), kind)
    return await set_images(session, brand_id, files, actor=actor)
