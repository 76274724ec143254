"""How long promoters wait for their offer."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, floor
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from app.brands.models import Brand
from app.insight.figures import Counted, read_figure
from app.insight.periods import Period
from app.insight.promoter_figures import OFFER_TIMES, STEPS


@dataclass(frozen=True, slots=True)
class OfferTimes:
    """Seconds from the response until a provider accepted the offer, of `offers` people.

    Times are kept in groups: each is that of a group's mean, so at most 19 % off, and exact where
    a group has one person.
    """

    offers: int
    p50: float | None
    p95: float | None
    p99: float | None


@dataclass(frozen=True, slots=True)
class TimeGroup:
    """People who waited about as long: how many, and the mean of their seconds."""

    people: int
    seconds: float


async def offer_times(
    session: AsyncSession, brand: Brand, period: Period, shop_id: UUID | None = None
) -> OfferTimes:
    """The times of the period's promoters; None where there is none.

    With a shop those of them who were surveyed by it. Both moments are those of the rows, which
    have the database's own time: of the response, and of the attempt that carried the first offer
    after it.
    """
    return times_of(await read_figure(session, brand, OFFER_TIMES, period, shop_id))


def times_of(found: Sequence[Counted]) -> OfferTimes:
    """The times, as `OFFER_TIMES` counts them."""
    groups = sorted(
        (
            TimeGroup(people, row[f"milliseconds_{step}"] / people / 1000)
            for row in found
            for step in range(STEPS)
            if (people := row[f"offers_{step}"])
        ),
        key=lambda group: group.seconds,
    )
    return OfferTimes(
        sum(group.people for group in groups), *(percentile(groups, part) for part in (0.5, 0.95, 0.99))
    )


def percentile(groups: Sequence[TimeGroup], fraction: float) -> float | None:
    """PostgreSQL's `percentile_cont`, each person's time being their group's mean; None of nobody.

    The groups are in the order of their times.
    """
    people = sum(group.people for group in groups)
    if not people:
        return None
    place = fraction * (people - 1)
    low, high = (_seconds_at(groups, each) for each in (floor(place), ceil(place)))
    return low + (high - low) * (place - floor(place))


def _seconds_at(groups: Sequence[TimeGroup], place: int) -> float:
    """The time of the person at this place, counted from 0."""
    for group in groups:
        if place < group.people:
            return group.seconds
        place -= group.people
    raise ValueError("there are fewer people")
