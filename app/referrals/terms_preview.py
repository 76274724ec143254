"""Other terms beside those in force: on a usual order, and on those of the last days."""

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import median_low
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from app.base import money
from app.brands.find import load_currencies
from app.brands.programme import Programme
from app.orders.models import Order
from app.orders.rules import OrderMoney
from app.referrals.models import Code, Redemption
from app.referrals.preview_rules import OrderResult, PastCost, PastOrder, order_result, past_costs

PAST_DAYS = 90
"""How far back friends' orders are compared."""
PAST_AT_MOST = 500
"""The newest redemptions that are compared, so that a page costs the same for every brand."""
_USUAL_OF = 51
"""The newest orders whose middle one is the usual one."""
_USUAL = 80
"""Major units, where there is no order yet."""


@dataclass(frozen=True, slots=True)
class Example:
    """One order under two programmes; amounts in minor units."""

    currency: str
    subtotal: int
    before: OrderResult
    after: OrderResult


@dataclass(frozen=True, slots=True)
class Past:
    """Friends' orders in one currency under two programmes."""

    currency: str
    before: PastCost
    after: PastCost


@dataclass(frozen=True, slots=True)
class TermsPreview:
    """What other terms would change."""

    examples: Sequence[Example]
    """One for each currency of the brand's shops."""
    past: Sequence[Past]
    """Empty where no friend's order counted in the last `PAST_DAYS` days."""


async def preview_terms(
    session: AsyncSession, brand_id: int, before: Programme, after: Programme, *, now: datetime
) -> TermsPreview:
    """Compare two programmes: on an order of the usual size, and on friends' orders that came.

    The newest `PAST_AT_MOST` redemptions of the last `PAST_DAYS` days that count as a use of their
    code. Changes nothing.
    """
    currencies = sorted(await load_currencies(session, brand_id))
    usual = await _usual_subtotals(session, brand_id, currencies)
    past = await _past_orders(session, brand_id, since=now - timedelta(days=PAST_DAYS))
    costs = past_costs(before, past), past_costs(after, past)
    return TermsPreview(
        [
            Example(
                each,
                usual[each],
                order_result(before, usual[each], each),
                order_result(after, usual[each], each),
            )
            for each in currencies
        ],
        [Past(each, costs[0][each], costs[1][each]) for each in sorted(costs[0])],
    )


async def _usual_subtotals(
    session: AsyncSession, brand_id: int, currencies: Collection[str]
) -> dict[str, int]:
    """The middle subtotal of the newest orders in each currency, in whole major units."""
    rows = await session.execute(
        select(Order.currency, Order.subtotal)
        .where(Order.brand_id == brand_id)
        .order_by(Order.placed_at.desc())
        .limit(_USUAL_OF)
    )
    found: dict[str, list[int]] = defaultdict(list)
    for currency, subtotal in rows:
        if subtotal > 0:
            found[currency].append(subtotal)
    usual = {}
    for currency in currencies:
        unit = 10 ** money.exponent(currency)
        of_one = found.get(currency)
        # A currency without decimals has about a hundred times as many units to an order.
        whole = median_low(of_one) // unit if of_one else _USUAL * (100 if unit == 1 else 1)
        usual[currency] = max(1, whole) * unit
    return usual


async def _past_orders(session: AsyncSession, brand_id: int, *, since: datetime) -> list[PastOrder]:
    """Orders of friends that count as a use of their code, newest first."""
    parent = aliased(Code)
    rows = await session.execute(
        select(
            func.coalesce(parent.id, Code.id).label("share_id"),
            func.coalesce(parent.uses, Code.uses).label("uses"),
            Order.placed_at,
            Order.subtotal,
            Order.currency,
            Order.total,
            Order.shipping_total,
            Order.refunded,
            Order.refunded_shipping,
            Order.cancelled_at,
        )
        .select_from(Redemption)
        .join(Code, (Code.brand_id == Redemption.brand_id) & (Code.id == Redemption.code_id))
        .outerjoin(parent, (parent.brand_id == Code.brand_id) & (parent.id == Code.parent_id))
        .join(Order, (Order.brand_id == Redemption.brand_id) & (Order.id == Redemption.order_id))
        .where(Redemption.brand_id == brand_id, Redemption.holds_use)
        .order_by(Redemption.id.desc())
        .limit(PAST_AT_MOST)
    )
    later: dict[UUID, int] = defaultdict(int)
    found = []
    for row in rows:
        use = max(1, row.uses - later[row.share_id])
        later[row.share_id] += 1
        if row.placed_at < since:
            continue
        paid = OrderMoney(
            row.total,
            row.shipping_total,
            row.refunded,
            row.refunded_shipping,
            cancelled=row.cancelled_at is not None,
        )
        found.append(PastOrder(row.subtotal, row.currency, paid, use))
    return found
