"""Brands with a colour, a face and images of their own."""

from dataclasses import dataclass
from io import BytesIO

from PIL import Image
from sqlalchemy import update

from app.base.actor import cli_actor
from app.base.context import AppContext
from app.brands.image_files import make_images
from app.brands.images import set_images
from app.brands.models import Brand
from app.brands.rules import ImageKind


@dataclass(frozen=True)
class Look:
    """What a brand sets of its look; an image is its kind, its one colour, and its size."""

    accent: str
    heading: str | None
    images: tuple[tuple[ImageKind, str, tuple[int, int]], ...]


async def dress(context: AppContext, brand: Brand, look: Look) -> None:
    """Give a brand a look."""
    async with context.sessions.begin() as session:
        branding = {"accent": look.accent, "heading": look.heading}
        await session.execute(update(Brand).where(Brand.id == brand.id).values(branding=branding))
        for kind, colour, size in look.images:
            out = BytesIO()
            Image.new("RGBA", size, colour).save(out, "PNG")
            files = make_images(out.getvalue(), kind)
            await set_images(session, brand.id, files, actor=cli_actor(brand.id))
