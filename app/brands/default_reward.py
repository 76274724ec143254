"""What rewards are while a brand's programme does not say it."""

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.base.actor import Actor
from app.brands.models import Brand
from app.brands.programme import RewardKind
from app.brands.programme_versions import lock_programme, put_programme


async def set_default_reward(session: AsyncSession, brand_id: int, kind: RewardKind, *, actor: Actor) -> None:
    """Let rewards be of this kind by default; a programme that names no kind gets a new version.

    So stored terms always name their kind, and codes that were issued keep theirs. Nothing is
    written where it is the default already.
    """
    now = await session.scalar(select(Brand.default_reward).where(Brand.id == brand_id))
    if now is None or now is kind:
        return
    present = await lock_programme(session, brand_id, None)
    names_reward = await session.scalar(
        update(Brand)
        .where(Brand.id == brand_id)
        .values(default_reward=kind)
        .returning(Brand.names_reward)
        .execution_options(synchronize_session=False)
    )
    if not names_reward:
        programme = present.programme.rewarding_by(kind)
        await put_programme(session, brand_id, present, programme, actor=actor)
