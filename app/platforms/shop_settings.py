"""Read, check and merge the settings that a shop has of its platform."""

from collections.abc import Mapping

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.base.errors import NotFound
from app.brands.models import Shop
from app.platforms.registry import adapter_of
from app.platforms.settings import PlatformSettings, changed_settings, read_settings


def settings_of(shop: Shop) -> PlatformSettings:
    """The settings with which the deliveries of the shop's platform are parsed.

    Raises pydantic's ValidationError for stored ones that cannot be.
    """
    return read_settings(adapter_of(shop.platform).settings, shop.platform_settings)


def new_settings(platform: str, given: Mapping[str, str]) -> dict[str, str]:
    """What is stored of a new shop's settings. Raises `AppError` `bad_platform_setting`."""
    return changed_settings(platform, adapter_of(platform).settings, {}, given)


async def merge_settings(
    session: AsyncSession, brand_id: int, slug: str, changes: Mapping[str, str | None]
) -> dict[str, str]:
    """What is stored of the settings of the brand's shop after these changes.

    None removes a setting, what is left out stays. The shop is locked until the transaction ends,
    in which the result is stored. Raises `NotFound`, and `AppError` `bad_platform_setting`.
    """
    wanted = select(Shop).where(Shop.brand_id == brand_id, Shop.slug == slug).with_for_update()
    shop = await session.scalar(wanted.execution_options(populate_existing=True))
    if shop is None:
        raise NotFound
    return changed_settings(
        shop.platform, adapter_of(shop.platform).settings, shop.platform_settings, changes
    )
