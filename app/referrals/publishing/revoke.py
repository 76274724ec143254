"""Take codes out of the shops that know them."""

from collections.abc import Collection
from datetime import datetime
from uuid import UUID

from sqlalchemy import and_, case, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.base import due
from app.base.batch import in_ids
from app.referrals.models import Code
from app.referrals.publishing.locks import lock_publications
from app.referrals.publishing.models import PUBLISHING_SWEEPS, CodePublication
from app.referrals.rules import PublicationState

IS_IN_SHOP = and_(CodePublication.state == PublicationState.live, CodePublication.attempt > 0)
"""The shop's platform knows the code, and not only we."""


async def revoke_unused(
    session: AsyncSession, brand_id: int, share_ids: Collection[UUID], *, now: datetime
) -> None:
    """Take the codes that friends got by these links, and have not used, out of their shops.

    The links are used up, so no more orders count. The codes stay as they are: where a cancellation
    gives a use back, they count again, and the page gives a friend one that the shop knows.
    """
    unused = await session.scalars(
        select(Code.id).where(
            Code.brand_id == brand_id,
            in_ids(Code.parent_id, sorted(share_ids)),
            Code.uses == 0,
            Code.disabled_at.is_(None),
        )
    )
    await revoke_publications(session, brand_id, unused.all(), now=now)


async def revoke_publications(
    session: AsyncSession, brand_id: int, code_ids: Collection[UUID], *, now: datetime
) -> None:
    """Let these codes be taken out of their shops, or not be put there. Idempotent.

    A code that is being sent is taken out once that call has ended. What counts in a shop that
    knows no codes is left as it is.
    """
    if not code_ids:
        return
    wanted = CodePublication.state == PublicationState.wanted
    sending = CodePublication.state == PublicationState.sending
    failed = CodePublication.state == PublicationState.failed
    concerned = (
        CodePublication.brand_id == brand_id,
        in_ids(CodePublication.code_id, sorted(code_ids)),
        or_(wanted, sending, failed, IS_IN_SHOP),
    )
    if not await lock_publications(session, *concerned):
        return
    states = await session.scalars(
        update(CodePublication)
        .values(
            state=case(
                (wanted, PublicationState.revoked),
                (failed, PublicationState.failed),
                else_=PublicationState.revoking,
            ),
            due_at=case((or_(wanted, failed), None), (sending, CodePublication.due_at), else_=now),
        )
        .where(*concerned)
        .returning(CodePublication.state)
        .execution_options(synchronize_session=False)
    )
    if PublicationState.revoking in states.all():
        await due.wake(session, *PUBLISHING_SWEEPS.values())
