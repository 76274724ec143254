"""What a shop is to know of a new code: nothing is done yet, or the code counts there at once."""

from datetime import datetime
from uuid import UUID

from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.base import due
from app.referrals.models import Code
from app.referrals.publishing.models import PUBLISHING_SWEEPS, CodePublication
from app.referrals.rules import first_publication_state


def publication_of(code: Code, shop_id: UUID, *, publishes: bool, now: datetime) -> dict[str, object]:
    """The columns of a `CodePublication` for a code that is in no pool.

    With `publishes` the shop's platform is to be called; else the code is live at `now`.
    """
    return {
        "brand_id": code.brand_id,
        "code_id": code.id,
        "shop_id": shop_id,
        "issued_id": code.id,
        "code": code.display,
        "terms_id": code.terms_id,
        "expires_at": code.expires_at,
        "state": first_publication_state(publishes=publishes),
        "due_at": now if publishes else None,
        "live_at": None if publishes else now,
    }


async def add_publication(
    session: AsyncSession, code: Code, shop_id: UUID, *, publishes: bool, now: datetime
) -> None:
    """Have the shop know a code that somebody waits for, where it must."""
    await session.execute(
        insert(CodePublication).values(publication_of(code, shop_id, publishes=publishes, now=now))
    )
    if publishes:
        await due.wake(session, PUBLISHING_SWEEPS[True])
