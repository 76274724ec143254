"""What friends' orders brought, by what their referrers had answered before."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from app.brands.models import Brand
from app.insight.band_figures import BAND_REFERRERS, BAND_REVENUE
from app.insight.figures import Counted, read_figures
from app.insight.periods import Period


@dataclass(frozen=True, slots=True)
class BandRevenue:
    """Friends' orders of the referrers of one band, in one currency; minor units."""

    band: str | None
    """None for referrers who had not answered, such as imported ones."""
    currency: str
    referrers: int
    """Each counts in the shop of their latest such order of the period."""
    orders: int
    revenue: int
    """What is left of the orders after refunds and cancellations."""


async def band_revenue(
    session: AsyncSession, brand: Brand, period: Period, shop_id: UUID | None = None
) -> list[BandRevenue]:
    """By band and currency, most revenue first; with a shop of the orders placed there.

    An order counts by when it was placed, its referrer by their latest response until then. Orders
    whose code does not count, test orders and trials are left out.
    """
    found = await read_figures(session, brand, (BAND_REVENUE, BAND_REFERRERS), period, shop_id)
    return revenue_of(*found)


def revenue_of(revenue: Sequence[Counted], referrers: Sequence[Counted]) -> list[BandRevenue]:
    """The bands, as `BAND_REVENUE` and `BAND_REFERRERS` count them."""
    people = {row["key"]: row["referrers"] for row in referrers}
    found = []
    for row in revenue:
        band, _, currency = row["key"].partition(":")
        found.append(
            BandRevenue(band or None, currency, people.get(row["key"], 0), row["orders"], row["revenue"])
        )
    return sorted(found, key=lambda each: (-each.revenue, each.band is None, each.band or "", each.currency))
