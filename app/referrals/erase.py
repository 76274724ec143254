"""Erase a person in this package's tables: as a referrer, and as a friend."""

from collections.abc import Collection
from datetime import datetime
from uuid import UUID

from sqlalchemy import Text, cast, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.base.batch import in_ids
from app.base.tokens import Tokens
from app.referrals.models import Code, Redemption, Referrer


async def erase_referrals(
    session: AsyncSession, tokens: Tokens, brand_id: int, customer_ids: Collection[UUID], *, now: datetime
) -> None:
    """Revoke these customers' share links and codes, and keep amounts without a name.

    A code may contain a first name, so a surrogate replaces it. A friend's address is replaced by
    its keyed hash, which still prevents a second use and cannot be read. Idempotent.
    """
    ids = sorted(set(customer_ids))
    unsynchronized = {"synchronize_session": False}
    revoked = await session.scalars(
        update(Referrer)
        .values(revoked_at=func.coalesce(Referrer.revoked_at, now))
        .where(Referrer.brand_id == brand_id, in_ids(Referrer.customer_id, ids))
        .returning(Referrer.id)
        .execution_options(**unsynchronized)
    )
    surrogate = func.upper(func.replace(cast(Code.id, Text), "-", ""))
    await session.execute(
        update(Code)
        .values(
            code=surrogate, display=surrogate, active=False, disabled_at=func.coalesce(Code.disabled_at, now)
        )
        .where(Code.brand_id == brand_id, in_ids(Code.referrer_id, revoked.all()))
        .execution_options(**unsynchronized)
    )
    await _erase_friends(session, tokens, brand_id, ids)


async def _erase_friends(session: AsyncSession, tokens: Tokens, brand_id: int, ids: list[UUID]) -> None:
    rows = await session.scalars(
        select(Redemption)
        .where(Redemption.brand_id == brand_id, in_ids(Redemption.friend_id, ids))
        .order_by(Redemption.id)
        .with_for_update(key_share=True)
    )
    for redemption in rows:
        redemption.friend_email_key = _hidden(tokens, redemption.friend_email_key)
        redemption.friend_phone = _hidden(tokens, redemption.friend_phone)
    await session.flush()


def _hidden(tokens: Tokens, address: str | None) -> str | None:
    """The keyed hash of an address; a hash is returned unchanged."""
    if address is None or address.startswith(_HIDDEN):
        return address
    return hidden_address(tokens, address)


def hidden_address(tokens: Tokens, address: str) -> str:
    """What stands in a redemption for an erased friend's address or number."""
    return _HIDDEN + tokens.address_key(address).hex()


_HIDDEN = "hidden:"
