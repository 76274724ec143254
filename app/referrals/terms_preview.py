"""Other terms beside those in force: on a usual order, and on those of the last days."""

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import median_low
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.base import money
from app.brands.models import Brand
from app.brands.programme import Programme
from app.orders.models import Order
from app.referrals.past_orders import load_past_orders
from app.referrals.preview_rules import OrderResult, PastCost, order_result, past_costs

PAST_DAYS = 90
"""How far back friends' orders are compared."""
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
    """Empty where no friend ordered with a code in the last `PAST_DAYS` days."""


async def preview_terms(
    session: AsyncSession,
    brand: Brand,
    currencies: Collection[str],
    before: Programme,
    after: Programme,
    *,
    now: datetime,
) -> TermsPreview:
    """Compare two programmes: on an order of the usual size, and on friends' orders that came.

    `currencies` are those of the brand's shops.

    The newest `past_orders.AT_MOST` of the last `PAST_DAYS` days. Changes nothing.
    """
    usual = await _usual_subtotals(session, brand.id, currencies)
    since, zone = now - timedelta(days=PAST_DAYS), ZoneInfo(brand.time_zone)
    is_same = after == before
    programmes = (before,) if is_same else (before, after)
    past = await load_past_orders(session, brand, programmes, since=since)
    costs_before = past_costs(before, past, zone)
    costs_after = costs_before if is_same else past_costs(after, past, zone)
    return TermsPreview(
        [
            Example(
                each,
                usual[each],
                order_result(before, usual[each], each),
                order_result(after, usual[each], each),
            )
            for each in sorted(currencies)
        ],
        [Past(each, costs_before[each], costs_after[each]) for each in sorted(costs_before)],
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
