"""Book in the ledger what friends' codes took off, as redemptions and their orders are now."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.base.batch import in_ids
from app.base.ids import new_id
from app.brands.models import Brand
from app.ledger.models import LedgerEntry
from app.ledger.post import LedgerTransaction, post_entries
from app.ledger.rules import CauseKind, LedgerAccount
from app.orders.models import Order
from app.referrals.models import Redemption
from app.referrals.rules import RedemptionStatus

_ACCOUNTS = (LedgerAccount.discount_cost, LedgerAccount.leaked_discount)


def discount_entry(redemption: Redemption, amount: int, *, now: datetime) -> LedgerTransaction:
    """The transaction that adds this to what the friend got, counted or leaked.

    What is posted follows from the redemption, which is locked: never twice.
    """
    refused = redemption.status is RedemptionStatus.refused
    return LedgerTransaction(
        key=f"discount:{redemption.id}:{new_id()}",
        account=LedgerAccount.leaked_discount if refused else LedgerAccount.discount_cost,
        other=LedgerAccount.friends,
        amount=amount,
        currency=redemption.currency,
        cause_kind=CauseKind.redemption,
        cause_id=redemption.id,
        referrer_id=redemption.referrer_id,
        occurred_at=now,
    )


def present_discount(redemption: Redemption, *, now: datetime) -> LedgerTransaction:
    """The transaction of all that the friend got, as the redemption is."""
    return discount_entry(redemption, redemption.amount_off, now=now)


def taken_back(posted: LedgerTransaction) -> LedgerTransaction:
    """The transaction that compensates this one."""
    return replace(posted, amount=-posted.amount)


def is_given_back(redemption: Redemption, order: Order) -> bool:
    """Whether the discount cost nothing: the order was cancelled, or its redemption undone."""
    if order.cancelled_at is not None:
        return True
    return redemption.status is RedemptionStatus.reversed and not redemption.holds_use


async def book_discounts(
    session: AsyncSession, brand: Brand, redemptions: Sequence[tuple[Redemption, Order]], *, now: datetime
) -> None:
    """Post what the ledger lacks of these locked redemptions' discounts, or has too much.

    An order that was cancelled cost none, as long as it is. Idempotent.
    """
    if not redemptions:
        return
    rows = await session.execute(
        select(LedgerEntry.cause_id, func.sum(LedgerEntry.amount))
        .where(
            LedgerEntry.brand_id == brand.id,
            in_ids(LedgerEntry.cause_id, [redemption.id for redemption, _ in redemptions]),
            LedgerEntry.cause_kind == CauseKind.redemption,
            LedgerEntry.account.in_(_ACCOUNTS),
        )
        .group_by(LedgerEntry.cause_id)
    )
    booked = {redemption_id: int(amount) for redemption_id, amount in rows}
    posted = []
    for redemption, order in redemptions:
        wanted = 0 if is_given_back(redemption, order) else redemption.amount_off
        posted.append(discount_entry(redemption, wanted - booked.get(redemption.id, 0), now=now))
    await post_entries(session, brand, posted, now=now)
