"""Store the images of a brand, and find them by the name in their address."""

from collections.abc import Mapping
from typing import cast

from sqlalchemy import bindparam, delete, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.base.actor import Actor
from app.base.audit import AuditAction, record_action
from app.base.prepared import Prepared, Session
from app.brands.image_files import ImageFile
from app.brands.models import Brand, BrandImage
from app.brands.rules import BrandingJson, ImageJson, ImageKind

KEPT = 20
"""Files of a brand that are kept after others took their place: sent mails show them."""


async def set_images(
    session: AsyncSession, brand_id: int, files: Mapping[ImageKind, ImageFile], *, actor: Actor
) -> Brand:
    """Show these files as the brand's images of their kinds, and return the brand.

    What they replace is still served, so that mails keep their logo: the newest `KEPT` files.
    """
    brand = await _locked(session, brand_id)
    rows = [{"brand_id": brand_id, "file": file.name, "body": file.body} for file in files.values()]
    await session.execute(insert(BrandImage).values(rows).on_conflict_do_nothing())
    shown: dict[ImageKind, ImageJson | None] = {
        kind: {"file": file.name, "width": file.width, "height": file.height} for kind, file in files.items()
    }
    await _show(session, brand, shown, actor)
    newest = (
        select(BrandImage.file)
        .where(BrandImage.brand_id == brand_id)
        .order_by(BrandImage.created_at.desc(), BrandImage.file)
        .limit(KEPT)
    )
    await session.execute(
        delete(BrandImage).where(
            BrandImage.brand_id == brand_id,
            BrandImage.file.not_in(newest),
            BrandImage.file.not_in(_shown_files(brand)),
        )
    )
    return brand


async def remove_image(session: AsyncSession, brand_id: int, kind: ImageKind, *, actor: Actor) -> Brand:
    """Show no image of this kind, delete its file, and return the brand.

    Mails that were sent with it show its text instead.
    """
    brand = await _locked(session, brand_id)
    kinds = (kind, ImageKind.card) if kind is ImageKind.logo else (kind,)
    files = [stored["file"] for kind in kinds if (stored := _stored(brand, kind)) is not None]
    await _show(session, brand, dict.fromkeys(kinds), actor)
    await session.execute(
        delete(BrandImage).where(
            BrandImage.brand_id == brand_id,
            BrandImage.file.in_(files),
            BrandImage.file.not_in(_shown_files(brand)),
        )
    )
    return brand


async def find_image(session: Session, brand_id: int, file: str) -> bytes | None:
    """The content of a file; None for one that there is not."""
    return await _BODY.first(session, of_brand=brand_id, file=file)


_BODY = Prepared(
    select(BrandImage.body).where(
        BrandImage.brand_id == bindparam("of_brand"), BrandImage.file == bindparam("file")
    ),
    bytes,
)


async def _locked(session: AsyncSession, brand_id: int) -> Brand:
    wanted = select(Brand).where(Brand.id == brand_id).with_for_update()
    return (await session.scalars(wanted.execution_options(populate_existing=True))).one()


async def _show(
    session: AsyncSession, brand: Brand, images: Mapping[ImageKind, ImageJson | None], actor: Actor
) -> None:
    before = {kind.value: _stored(brand, kind) for kind in images}
    changes = {
        kind.value: (before[kind.value], new) for kind, new in images.items() if before[kind.value] != new
    }
    if changes:
        shown = {kind.value: new for kind, new in images.items()}
        brand.branding = cast("BrandingJson", {**brand.branding, **shown})
        await record_action(session, actor, AuditAction.brand_changed, ("brand", None), changes)
    await session.flush()


def _stored(brand: Brand, kind: ImageKind) -> ImageJson | None:
    return brand.branding.get(kind.value)  # type: ignore[return-value]  # by its name


def _shown_files(brand: Brand) -> list[str]:
    return [stored["file"] for kind in ImageKind if (stored := _stored(brand, kind)) is not None]
