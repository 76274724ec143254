"""The score and the response rate of a period, in all and by group.

Of each person the latest response of the period counts, but those to trials and those left out. A
shop's figures are its part of the brand's: who answered in two shops counts in that of the latest
response.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from app.brands.find import load_shops
from app.brands.models import Brand
from app.insight import message_figures
from app.insight.figures import Counted, read_by_shop, read_figure, read_figures, rolled_as_of
from app.insight.nps import Counts, Interval, wilson
from app.insight.periods import Period
from app.insight.response_figures import RESPONSES, RESPONSES_BY, By
from app.insight.schemas import IntervalShape, NpsReport, Score, ScoreGroup

__all__ = ["MOST_GROUPS", "By", "Group", "Rate", "count_bands", "count_groups", "nps_report", "response_rate"]

MOST_GROUPS = 500
"""Groups returned at most: the latest weeks or months, else those with the most responses."""
_IN_TIME = frozenset({By.week, By.month, By.cohort})


@dataclass(frozen=True, slots=True)
class Rate:
    """How many surveys that arrived were answered."""

    answered: int
    delivered: int
    confirmed: bool = False
    """Whether the providers report deliveries; otherwise `delivered` were accepted by them."""

    @property
    def value(self) -> float | None:
        """A fraction of 1; None where nothing arrived."""
        return self.answered / self.delivered if self.delivered else None

    @property
    def interval(self) -> Interval | None:
        """Wilson's, as fractions of 1."""
        return wilson(self.answered, self.delivered)


@dataclass(frozen=True, slots=True)
class Group:
    """The responses of one group, such as a product or a shop.

    `key` is the Monday of a week (`2026-03-02`), a month is `2026-03`; None where it is not known.
    """

    key: str | None
    counts: Counts


async def count_bands(
    session: AsyncSession, brand: Brand, period: Period, shop_id: UUID | None = None
) -> Counts:
    """Each person's latest response in the period, counted by band."""
    return bands_of(await read_figure(session, brand, RESPONSES, period, shop_id))


def bands_of(found: Sequence[Counted]) -> Counts:
    """The responses by band, as `RESPONSES` counts them."""
    return _counts(found[0]) if found else Counts()


async def count_groups(
    session: AsyncSession, brand: Brand, period: Period, by: By, shop_id: UUID | None = None
) -> list[Group]:
    """The same by group: of each person the latest response of the period counts.

    Of each week and month the latest in it counts, so that an old one does not change when people
    answer again. Weeks, months and cohorts come in their order, other groups with the most
    responses first.
    """
    if by is By.shop:
        return _ordered(await _by_shop(session, brand, period, shop_id), by)
    return groups_of(await read_figure(session, brand, RESPONSES_BY[by], period, shop_id), by)


def groups_of(found: Sequence[Counted], by: By) -> list[Group]:
    """The groups, as a figure of `RESPONSES_BY` counts them, in the order of `count_groups`."""
    return _ordered([Group(row["key"] or None, _counts(row)) for row in found], by)


def _ordered(groups: Sequence[Group], by: By) -> list[Group]:
    groups = [group for group in groups if group.counts.responses]
    if by in _IN_TIME:
        return sorted(groups, key=lambda group: group.key or "")[-MOST_GROUPS:]
    return sorted(groups, key=lambda group: (-group.counts.responses, group.key is None, group.key or ""))[
        :MOST_GROUPS
    ]


async def _by_shop(session: AsyncSession, brand: Brand, period: Period, shop_id: UUID | None) -> list[Group]:
    shops = await load_shops(session, brand.id)
    return [
        Group(shops[row["shop_id"]].slug, _counts(row))
        for row in await read_by_shop(session, brand, RESPONSES, period)
        if row["shop_id"] in shops and shop_id in (None, row["shop_id"])
    ]


async def response_rate(
    session: AsyncSession, brand: Brand, period: Period, shop_id: UUID | None = None
) -> Rate:
    """How many of the surveys handed over in the period arrived, and how many were answered.

    A survey arrived when its provider reports so or when it was answered; on a channel whose
    provider reports no deliveries, an accepted one counts. A survey is in the period by the time
    its message's row was created, not by its sending time: responses are dated by the same clock.
    """
    return rate_of(await read_figure(session, brand, message_figures.SURVEYS, period, shop_id))


def rate_of(rows: Sequence[Counted]) -> Rate:
    """The response rate, as `message_figures.SURVEYS` counts it."""
    return Rate(
        sum(row["responses"] for row in rows),
        sum(row["arrived"] if row["reported"] else row["accepted"] for row in rows),
        bool(rows) and all(row["reported"] for row in rows),
    )


async def nps_report(
    session: AsyncSession,
    brand: Brand,
    period: Period,
    by: By | None = None,
    shop_id: UUID | None = None,
) -> NpsReport:
    """The score of a period with its response rate, and of each group where `by` is given."""
    as_of = await rolled_as_of(session, brand, period)
    figures = (RESPONSES, message_figures.SURVEYS)
    responses, surveys = await read_figures(session, brand, figures, period, shop_id)
    groups = None if by is None else await count_groups(session, brand, period, by, shop_id)
    return report_of(period, responses, surveys, as_of=as_of, by=by, groups=groups)


def report_of(
    period: Period,
    responses: Sequence[Counted],
    surveys: Sequence[Counted],
    *,
    as_of: datetime | None,
    by: By | None,
    groups: Sequence[Group] | None,
) -> NpsReport:
    """The report of a period, as `RESPONSES` and `message_figures.SURVEYS` count it."""
    counts, rate = bands_of(responses), rate_of(surveys)
    return NpsReport(
        **Score.values(counts),
        response_rate=None if rate.value is None else round(rate.value, 6),
        response_rate_interval=IntervalShape.of(rate.interval, 6),
        answered=rate.answered,
        delivered=rate.delivered,
        from_=period.start,
        to=period.end,
        as_of=as_of,
        by=by,
        groups=None
        if groups is None
        else [ScoreGroup(key=each.key, **Score.values(each.counts)) for each in groups],
    )


def _counts(row: Counted) -> Counts:
    return Counts(row["promoters"], row["passives"], row["detractors"])
