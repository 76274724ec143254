"""Add a shop to a brand, with what its platform makes of the brand's rewards."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from sqlalchemy.ext.asyncio import AsyncSession

from app.base.actor import Actor
from app.base.tokens import Tokens
from app.brands.add import add_shop
from app.brands.models import Brand, Shop
from app.brands.rules import Platform
from app.platforms.default_reward import settle_default_reward
from app.platforms.shop_settings import new_settings


@dataclass(frozen=True, slots=True)
class NewShop:
    """A shop to add; what is None is as the brand has it."""

    slug: str
    name: str
    platform: Platform = Platform.checkout
    currency: str = "EUR"
    time_zone: str | None = None
    locale: str | None = None
    url: str | None = None
    webhook_secret: str | None = None
    """None: one is made."""
    settings: Mapping[str, str] = field(default_factory=dict)


async def create_shop(
    session: AsyncSession, tokens: Tokens, brand: Brand, new: NewShop, *, actor: Actor
) -> tuple[Shop, str]:
    """Add the shop; returns it with its webhook secret.

    Raises `AppError` as `add_shop`, and `bad_platform_setting`.
    """
    shop, secret = await add_shop(
        session,
        tokens,
        brand,
        new.slug,
        name=new.name,
        actor=actor,
        platform=new.platform,
        webhook_secret=new.webhook_secret,
        currency=new.currency,
        time_zone=new.time_zone,
        locale=new.locale,
        url=new.url,
        platform_settings=new_settings(new.platform, new.settings),
    )
    await settle_default_reward(session, brand.id)
    return shop, secret


def hook_urls(public_url: str, slug: str, platform: str) -> dict[str, str]:
    """Where the shop's deliveries come to: by platform, its own checkout's first."""
    return {name: f"{public_url}/hooks/{slug}/{name}" for name in dict.fromkeys(("checkout", str(platform)))}
