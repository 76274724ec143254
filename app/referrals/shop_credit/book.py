"""Book what was spent of credit in a connected shop, or given back there."""

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.base.ids import new_id
from app.brands.models import Brand
from app.ledger.post import LedgerTransaction, post_entries
from app.ledger.rules import CauseKind, LedgerAccount
from app.referrals.shop_credit.claim import ClaimedCredit
from app.referrals.shop_credit.models import ShopCredit
from app.referrals.spend import give_credit_back, spend_credit


class Superseded(Exception):  # no error: another attempt does the work
    """A later attempt was begun, so the outcome of this one counts for nothing."""


async def lock_credit(session: AsyncSession, claimed: ClaimedCredit) -> ShopCredit:
    """The credit's row, locked after any reward. Raises `Superseded`."""
    row = await session.scalar(
        select(ShopCredit)
        .where(
            ShopCredit.brand_id == claimed.shop.brand_id,
            ShopCredit.id == claimed.id,
            ShopCredit.attempt == claimed.attempt,
        )
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    )
    if row is None:
        raise Superseded
    return row


async def book_spent(
    session: AsyncSession, brand: Brand, claimed: ClaimedCredit, spent: int, *, now: datetime
) -> ShopCredit:
    """Book that `spent` was spent of the present account in all; returns the credit's row, locked.

    Less than before is given back. Raises `Superseded`.
    """
    before = await session.execute(
        select(ShopCredit.spent, ShopCredit.spent_elsewhere).where(
            ShopCredit.brand_id == brand.id, ShopCredit.id == claimed.id
        )
    )
    known = before.one()
    total = known.spent_elsewhere + spent
    await book_difference(session, brand, claimed, total - known.spent, now=now)
    row = await lock_credit(session, claimed)
    if row.spent != known.spent:
        raise Superseded
    row.spent = total
    return row


async def book_difference(
    session: AsyncSession, brand: Brand, credit: ClaimedCredit | ShopCredit, amount: int, *, now: datetime
) -> None:
    """Set that much more of the owner's credit to used, or with a negative amount less."""
    if amount == 0:
        return
    key = (credit.referrer_id, credit.currency)
    if amount > 0:
        await spend_credit(session, brand, *key, amount, now=now)
    else:
        await give_credit_back(session, brand, *key, -amount, now=now)
    transaction = LedgerTransaction(
        # What is posted follows from the stored row, which is locked before the commit.
        key=f"shop_credit:{credit.id}:{new_id()}",
        account=LedgerAccount.referrers,
        other=LedgerAccount.spent_rewards,
        amount=amount,
        currency=credit.currency,
        cause_kind=CauseKind.shop_credit,
        cause_id=credit.id,
        referrer_id=credit.referrer_id,
        occurred_at=now,
    )
    await post_entries(session, brand, [transaction], now=now)
