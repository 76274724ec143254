"""Holdout lift: promoters who were given an offer beside those who were held out by chance."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from app.brands.models import Brand
from app.insight.figures import Counted, read_figure
from app.insight.periods import Period
from app.insight.promoter_figures import LIFT
from app.insight.shares import Share


@dataclass(frozen=True, slots=True)
class Lift:
    """Both groups are of the same time, so their orders were followed alike."""

    offered: Share
    """Promoters with an offer, and how many of them ordered again themselves."""
    held_out: Share
    friends_orders: int
    """Orders that the friends of those with an offer placed; the others have no code to share."""


async def holdout_lift(
    session: AsyncSession, brand: Brand, period: Period, shop_id: UUID | None = None
) -> Lift:
    """Compare the promoters of the period; with a shop those of them who were surveyed by it.

    A person counts once ever, by their first response that led to an offer or to being held out.
    Orders within `FOLLOWED_DAYS` of it count; test orders, trials, imported history and cancelled
    orders are left out.
    """
    return lift_of(await read_figure(session, brand, LIFT, period, shop_id))


def lift_of(found: Sequence[Counted]) -> Lift:
    """The comparison, as `LIFT` counts it."""
    if not found:
        return Lift(Share(0, 0), Share(0, 0), 0)
    (row,) = found
    return Lift(
        Share(row["offered_ordered"], row["offered"]),
        Share(row["held_out_ordered"], row["held_out"]),
        row["friends_orders"],
    )
