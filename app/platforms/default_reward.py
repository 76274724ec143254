"""What a brand's rewards are by default: what its shops let people spend."""

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.base.actor import Actor, ActorKind
from app.brands.default_reward import set_default_reward
from app.brands.models import Shop
from app.brands.programme import RewardKind
from app.platforms.models import ShopConnection


async def settle_default_reward(session: AsyncSession, brand_id: int) -> None:
    """Credit where every shop of the brand lets customers spend it, as last checked, else codes.

    To be called whenever that may have changed.
    """
    found = await session.execute(
        select(
            func.count().label("shops"),
            func.count().filter(ShopConnection.holds_credit).label("holding"),
        )
        .select_from(Shop)
        .outerjoin(
            ShopConnection, (ShopConnection.brand_id == Shop.brand_id) & (ShopConnection.shop_id == Shop.id)
        )
        .where(Shop.brand_id == brand_id)
    )
    row = found.one()
    kind = RewardKind.credit if row.shops and row.shops == row.holding else RewardKind.code
    await set_default_reward(session, brand_id, kind, actor=Actor(ActorKind.worker, brand_id))
