"""Which credit a connected shop holds: taken up with a first reward, due again with each change."""

from collections.abc import Collection
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, func, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.base import due
from app.base.batch import in_ids, recordset
from app.base.ids import new_id
from app.base.tokens import plain_code, random_code
from app.brands.models import Shop
from app.ledger.credit import BalanceKey
from app.platforms.models import ShopConnection
from app.platforms.registry import adapter_of
from app.platforms.shop_credit import CreditKind
from app.referrals.shop_credit.models import HOLDING_SWEEP, ShopCredit


async def find_holding_shops(
    session: AsyncSession, brand_id: int, shops: Collection[Shop]
) -> dict[UUID, CreditKind]:
    """Those of these shops that hold credit, as of their last check, and in what form.

    No query where no platform can.
    """
    able = {shop.id: kind for shop in shops if (kind := adapter_of(shop.platform).credit) is not None}
    if not able:
        return {}
    found = await session.scalars(
        select(ShopConnection.shop_id).where(
            ShopConnection.brand_id == brand_id,
            in_ids(ShopConnection.shop_id, list(able)),
            ShopConnection.holds_credit,
        )
    )
    return {shop_id: able[shop_id] for shop_id in found}


def new_row(
    brand_id: int, key: BalanceKey, shop_id: UUID, kind: CreditKind, *, now: datetime
) -> dict[str, object]:
    """The row of a balance that a shop holds from now on; what is granted from now on is told."""
    referrer_id, currency = key
    return {
        "brand_id": brand_id,
        "id": new_id(),
        "referrer_id": referrer_id,
        "currency": currency,
        "shop_id": shop_id,
        "code": plain_code(random_code()) if kind is CreditKind.coupon else None,
        "due_at": now,
        "announced_until": now,
    }


async def credit_again(
    session: AsyncSession, brand_id: int, keys: Collection[BalanceKey], *, now: datetime
) -> None:
    """Have shops' credit looked at again, by referrer and currency, since rewards have changed."""
    if not keys:
        return
    rows = [{"referrer_id": referrer_id, "currency": currency} for referrer_id, currency in sorted(keys)]
    given = recordset(rows, [ShopCredit.referrer_id, ShopCredit.currency]).c
    touched = await session.scalars(
        update(ShopCredit)
        .values(due_at=_once_free(now), revision=ShopCredit.revision + 1)
        .where(
            ShopCredit.brand_id == brand_id,
            ShopCredit.referrer_id == given.referrer_id,
            ShopCredit.currency == given.currency,
        )
        .returning(ShopCredit.id)
        .execution_options(synchronize_session=False)
    )
    if touched.first() is not None:
        await due.wake(session, HOLDING_SWEEP)


def _once_free(now: datetime) -> ColumnElement[datetime]:
    """Now, or when the attempt that runs is over: two at once would move something twice."""
    return func.greatest(now, func.coalesce(ShopCredit.leased_until, now))


async def erase_credit(
    session: AsyncSession, brand_id: int, referrer_ids: Collection[UUID], *, now: datetime
) -> None:
    """End what we do about the credit of these referrers, who are erased.

    A coupon, which names an address, leaves the shop. What is in a customer's account at the shop
    is theirs and the shop's; its ids are removed here.
    """
    ids = in_ids(ShopCredit.referrer_id, list(referrer_ids))
    accounts = (
        update(ShopCredit)
        .values(remote_id=None, due_at=None, revision=ShopCredit.revision + 1, attempt=ShopCredit.attempt + 1)
        .where(ShopCredit.brand_id == brand_id, ids, ShopCredit.code.is_(None))
        .returning(ShopCredit.id)
        .execution_options(synchronize_session=False)
    )
    gone = (await session.scalars(accounts)).all()
    if gone:
        await session.execute(_ERASE_MOVES, {"brand_id": brand_id, "ids": list(gone)})
    coupons = await session.scalars(
        update(ShopCredit)
        .values(due_at=_once_free(now), revision=ShopCredit.revision + 1)
        .where(ShopCredit.brand_id == brand_id, ids, ShopCredit.code.is_not(None))
        .returning(ShopCredit.id)
        .execution_options(synchronize_session=False)
    )
    if coupons.first() is not None:
        await due.wake(session, HOLDING_SWEEP)


_ERASE_MOVES = text("""
    UPDATE shop_credit_moves SET remote_id = NULL, after_id = NULL,
        state = CASE state WHEN 'open' THEN 'dropped' ELSE state END
    WHERE brand_id = :brand_id AND shop_credit_id = ANY(CAST(:ids AS uuid[]))
""")

# Balances of people whom the shop knows, whose home it is; their accounts are locked, so that no
# reservation is made meanwhile. Of what was granted before they know.
_EXISTING = text("""
    WITH owned AS (
        SELECT credit_accounts.referrer_id, credit_accounts.currency
        FROM credit_accounts
        JOIN referrers ON referrers.brand_id = credit_accounts.brand_id
            AND referrers.id = credit_accounts.referrer_id
        JOIN customers ON customers.brand_id = referrers.brand_id AND customers.id = referrers.customer_id
        WHERE credit_accounts.brand_id = :brand_id AND credit_accounts.balance > 0
            AND credit_accounts.currency = :currency
            AND referrers.shop_id = :shop_id AND referrers.revoked_at IS NULL
            AND CASE WHEN :is_coupon THEN customers.email IS NOT NULL ELSE EXISTS (
                SELECT FROM customer_references
                WHERE customer_references.brand_id = referrers.brand_id
                    AND customer_references.shop_id = referrers.shop_id
                    AND customer_references.customer_id = referrers.customer_id) END
            AND NOT EXISTS (SELECT FROM shop_credits
                WHERE shop_credits.brand_id = credit_accounts.brand_id
                    AND shop_credits.referrer_id = credit_accounts.referrer_id
                    AND shop_credits.currency = credit_accounts.currency)
        ORDER BY credit_accounts.referrer_id
        FOR NO KEY UPDATE OF credit_accounts
    )
    SELECT referrer_id, currency FROM owned
""")


async def leave_account(session: AsyncSession, brand_id: int, shop_id: UUID, *, now: datetime) -> None:
    """Put credit anew into a shop that is connected to another account than before.

    What the former account has can be read no more; what was spent of it stays booked.
    """
    await session.execute(_LEAVE_MOVES, {"brand_id": brand_id, "shop_id": shop_id})
    await session.execute(
        update(ShopCredit)
        .values(
            held=0,
            spent_elsewhere=ShopCredit.spent,
            remote_id=None,
            due_at=now,
            leased_until=None,
            attempt=ShopCredit.attempt + 1,
            revision=ShopCredit.revision + 1,
        )
        .where(ShopCredit.brand_id == brand_id, ShopCredit.shop_id == shop_id)
        .execution_options(synchronize_session=False)
    )


_LEAVE_MOVES = text("""
    UPDATE shop_credit_moves SET state = 'left'
    FROM shop_credits
    WHERE shop_credit_moves.brand_id = :brand_id AND shop_credits.brand_id = :brand_id
        AND shop_credits.id = shop_credit_moves.shop_credit_id AND shop_credits.shop_id = :shop_id
""")


async def hold_existing(session: AsyncSession, shop: Shop, *, now: datetime) -> int:
    """Have a shop that holds credit from now on be given the balances there are; returns how many.

    What waits since the shop was connected no more is taken up too.
    """
    kind = adapter_of(shop.platform).credit
    if kind is None:
        return 0
    given = {
        "brand_id": shop.brand_id,
        "shop_id": shop.id,
        "currency": shop.currency,
        "is_coupon": kind is CreditKind.coupon,
    }
    found = (await session.execute(_EXISTING, given)).all()
    rows = [new_row(shop.brand_id, (row.referrer_id, row.currency), shop.id, kind, now=now) for row in found]
    if rows:
        await session.execute(insert(ShopCredit).on_conflict_do_nothing(), rows)
    await session.execute(
        update(ShopCredit)
        .values(due_at=_once_free(now))
        .where(
            ShopCredit.brand_id == shop.brand_id,
            ShopCredit.shop_id == shop.id,
            ShopCredit.reason.is_not(None),
        )
        .execution_options(synchronize_session=False)
    )
    await due.wake(session, HOLDING_SWEEP)
    return len(rows)


async def find_holding_shop(
    session: AsyncSession, brand_id: int, referrer_id: UUID, currency: str
) -> Shop | None:
    """The shop in which alone this credit can be spent, as it holds it; None: by our checkout."""
    return await session.scalar(
        select(Shop)
        .join(ShopCredit, (ShopCredit.brand_id == Shop.brand_id) & (ShopCredit.shop_id == Shop.id))
        .where(
            ShopCredit.brand_id == brand_id,
            ShopCredit.referrer_id == referrer_id,
            ShopCredit.currency == currency,
        )
    )


async def find_holding_slugs(session: AsyncSession, brand_id: int, referrer_id: UUID) -> dict[str, str]:
    """The slugs of the shops that hold a referrer's credit, by currency."""
    rows = await session.execute(
        select(ShopCredit.currency, Shop.slug)
        .join(Shop, (Shop.brand_id == ShopCredit.brand_id) & (Shop.id == ShopCredit.shop_id))
        .where(ShopCredit.brand_id == brand_id, ShopCredit.referrer_id == referrer_id)
    )
    return {row.currency: row.slug for row in rows}
