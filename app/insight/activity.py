"""What happened in a period: offers, friends' orders, revenue and cost, each by its own time.

The funnel follows the orders of a period instead, whenever the rest of their path was.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from app.brands.models import Brand
from app.insight import message_figures
from app.insight.activity_figures import APPROVED, EVENTS_MONEY, REDEMPTIONS
from app.insight.figures import Counted, read_figures
from app.insight.funnel import CurrencyTotals, totals_of
from app.insight.periods import Period

FIGURES = (message_figures.OFFERS, REDEMPTIONS, APPROVED, EVENTS_MONEY)


@dataclass(frozen=True, slots=True)
class Activity:
    """The events of a period; test orders and trials are left out."""

    offers: int
    """People whose offer arrived; where no provider reports deliveries, was accepted. Each counts
    once ever, at the first offer that was handed over and did not bounce."""
    offers_confirmed: bool
    """Whether every channel's provider reports deliveries."""
    redemptions: int
    """Friends' orders placed in the period whose code was not refused."""
    approved: int
    """Redemptions approved in the period that still count."""
    totals: list[CurrencyTotals]
    """Revenue of the friends' orders placed, costs posted for the period; the currency with the
    most revenue first, never empty."""


async def activity(
    session: AsyncSession, brand: Brand, period: Period, shop_id: UUID | None = None
) -> Activity:
    """Count the events of the period; a few queries."""
    found = await read_figures(session, brand, FIGURES, period, shop_id)
    return await activity_of(session, brand, found, shop_id)


async def activity_of(
    session: AsyncSession, brand: Brand, found: Sequence[Sequence[Counted]], shop_id: UUID | None
) -> Activity:
    """The events that `FIGURES` count, read in this order."""
    offers, redemptions, approved, money = found
    return Activity(
        offers=sum(row["arrived"] if row["reported"] else row["accepted"] for row in offers),
        offers_confirmed=bool(offers) and all(row["reported"] for row in offers),
        redemptions=sum(row["redemptions"] for row in redemptions),
        approved=sum(row["approved"] for row in approved),
        totals=await totals_of(session, brand.id, money, shop_id),
    )
