"""Disable a code at the word of staff or a shop, with all that follows from it."""

from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.base.actor import Actor
from app.base.audit import AuditAction, record_action
from app.base.errors import NotFound
from app.base.tokens import plain_code
from app.brands.models import Brand
from app.messaging.queue import cancel_messages
from app.referrals.models import Code
from app.referrals.placing.placements import place_again_of
from app.referrals.publishing.revoke import revoke_publications
from app.referrals.templates import OFFER


async def disable_code(
    session: AsyncSession, brand: Brand, code: str, *, actor: Actor, now: datetime
) -> Code:
    """Disable a code, given as entered, with the friends' codes made from it; cancel its offers.

    A second call changes nothing; 404.
    """
    row = await lock_code(session, brand.id, code)
    if row.disabled_at is None:
        await end_code(session, brand, row, now=now)
        await record_action(session, actor, AuditAction.code_disabled, ("cod", row.id))
    return row


async def lock_code(session: AsyncSession, brand_id: int, code: str) -> Code:
    """The code, given as entered, as it is now; raises NotFound."""
    row = await session.scalar(
        select(Code)
        .where(Code.brand_id == brand_id, Code.code == plain_code(code))
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    )
    if row is None:
        raise NotFound("There is no such code.")
    return row


async def end_code(session: AsyncSession, brand: Brand, row: Code, *, now: datetime) -> None:
    """Disable a locked code with its friends' codes, have shops forget them, cancel its offers."""
    row.disabled_at = now
    row.active = False
    await session.flush()
    # The parent's lock is held, so none is made meanwhile.
    friends = await session.scalars(
        update(Code)
        .where(Code.brand_id == brand.id, Code.parent_id == row.id, Code.disabled_at.is_(None))
        .values(disabled_at=now, active=False)
        .returning(Code.id)
        .execution_options(synchronize_session=False)
    )
    # First: it waits for an outcome that is just being recorded, whose offer is then cancelled.
    await revoke_publications(session, brand.id, [row.id, *friends], now=now)
    await place_again_of(session, brand.id, code_ids=[row.id], now=now)
    await cancel_messages(session, brand.id, [row.id], [OFFER], reason="disabled")
