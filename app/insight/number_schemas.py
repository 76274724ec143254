"""Shapes of the API: holdout lift, revenue by band, times of offers."""

from datetime import datetime
from typing import Self

from pydantic import Field

from app.base import money
from app.base.schemas import ApiModel
from app.insight.band_revenue import BandRevenue
from app.insight.lift import Lift
from app.insight.nps import wilson
from app.insight.offer_times import OfferTimes
from app.insight.schemas import AS_OF, IntervalShape
from app.insight.shares import Share, are_enough, difference


class ShareShape(ApiModel):
    """How many people of a group ordered again; `rate` is a fraction of 1."""

    people: int
    ordered: int
    rate: float | None
    interval: IntervalShape | None

    @classmethod
    def of(cls, share: Share) -> Self:
        """The shape of a share."""
        rate = None if share.value is None else round(share.value, 6)
        found = IntervalShape.of(wilson(share.part, share.whole), 6)
        return cls(people=share.whole, ordered=share.part, rate=rate, interval=found)


class HoldoutReport(ApiModel):
    """Promoters with an offer beside those held out by chance."""

    offered: ShareShape
    held_out: ShareShape
    lift: float | None = Field(description="`offered.rate` less `held_out.rate`.")
    lift_interval: IntervalShape | None
    is_enough: bool = Field(description="Whether both groups have at least 30 people.")
    friends_orders: int = Field(description="Placed by friends of those with an offer.")
    as_of: datetime | None = AS_OF

    @classmethod
    def of(cls, found: Lift, *, as_of: datetime | None = None) -> Self:
        """The shape of a comparison."""
        offered, held_out = found.offered.value, found.held_out.value
        known = offered is not None and held_out is not None
        return cls(
            offered=ShareShape.of(found.offered),
            held_out=ShareShape.of(found.held_out),
            lift=round(offered - held_out, 6)
            if known and offered is not None and held_out is not None
            else None,
            lift_interval=IntervalShape.of(difference(found.offered, found.held_out), 6),
            is_enough=are_enough(found.offered, found.held_out),
            friends_orders=found.friends_orders,
            as_of=as_of,
        )


class BandRevenueRow(ApiModel):
    """Friends' orders by the band of their referrers, in one currency."""

    band: str | None = Field(description="`promoter`, `passive`, `detractor`; null for no answer before.")
    currency: str
    referrers: int
    orders: int
    revenue: str

    @classmethod
    def of(cls, found: BandRevenue) -> Self:
        """The shape of a row."""
        return cls(
            band=found.band,
            currency=found.currency,
            referrers=found.referrers,
            orders=found.orders,
            revenue=money.to_text(found.revenue, found.currency),
        )


class BandReport(ApiModel):
    """What friends' orders brought, by what their referrers had answered; most revenue first."""

    bands: list[BandRevenueRow]
    as_of: datetime | None = AS_OF


class OfferTimesReport(ApiModel):
    """Seconds from the answer until a provider accepted the offer; null where there was none.

    Times are kept in groups of which the longest is 1.19 times the shortest; each is that of its
    group's mean.
    """

    offers: int
    p50_seconds: float | None
    p95_seconds: float | None
    p99_seconds: float | None
    as_of: datetime | None = AS_OF

    @classmethod
    def of(cls, found: OfferTimes, *, as_of: datetime | None = None) -> Self:
        """The shape of the times."""

        def rounded(seconds: float | None) -> float | None:
            return None if seconds is None else round(seconds, 3)

        return cls(
            offers=found.offers,
            p50_seconds=rounded(found.p50),
            p95_seconds=rounded(found.p95),
            p99_seconds=rounded(found.p99),
            as_of=as_of,
        )
