"""The double-entry ledger: append-only, each transaction two lines that add up to zero, nothing booked twice."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.base.ids import new_id
from app.referrals.models import LedgerEntry
from app.referrals.rules import LedgerAccount


@dataclass(frozen=True, slots=True)
class LedgerTransaction:
    """One transaction: `amount` minor units onto `account`, off its `other` side. A cost grows by a positive amount.

    So `discount_cost`, `leaked_discount` and `reward_cost` read as what was spent, `friends` and `referrers` as the same below
    zero; a compensating booking has a negative amount.
    """

    key: str
    """What is booked, so that it is booked once: `grant:<redemption>`, `clawback:<redemption>:<what is left>`."""
    account: LedgerAccount
    other: LedgerAccount
    amount: int
    currency: str
    redemption_id: UUID
    referrer_id: UUID


async def post_entries(
    session: AsyncSession, brand_id: int, bookings: Sequence[LedgerTransaction], *, now: datetime
) -> None:
    """Write the bookings that are not in the ledger yet; amounts of nothing are left out."""
    values = [line for booking in bookings if booking.amount for line in _lines(brand_id, booking, now)]
    if values:
        await session.execute(insert(LedgerEntry).on_conflict_do_nothing(), values)


def _lines(brand_id: int, booking: LedgerTransaction, now: datetime) -> Iterable[dict[str, object]]:
    transaction_id = new_id()
    for account, amount in ((booking.account, booking.amount), (booking.other, -booking.amount)):
        yield {
            "brand_id": brand_id,
            "id": new_id(),
            "transaction_id": transaction_id,
            "transaction_key": booking.key,
            "account": account,
            "amount": amount,
            "currency": booking.currency,
            "redemption_id": booking.redemption_id,
            "referrer_id": booking.referrer_id,
            "at": now,
        }
