"""The overview's figures as the API shows them."""

from datetime import datetime
from typing import Self

from pydantic import Field

from app.base.schemas import ApiModel
from app.insight.activity import Activity
from app.insight.changes import count_p, rate_p
from app.insight.first_steps import FirstSteps
from app.insight.funnel_report import currency_figures
from app.insight.nps import Change, Counts
from app.insight.overview import Overview
from app.insight.periods import Period
from app.insight.schemas import AS_OF, CurrencyFigures, Score
from app.insight.scores import Rate
from app.insight.waiting import Waiting


class ScoreChange(ApiModel):
    """By how many points the score changed; `p` above 0.05: chance alone can explain it."""

    points: float
    p: float


class ResponseRate(ApiModel):
    """How many surveys were answered; `confirmed` is whether providers report what arrived."""

    answered: int
    delivered: int
    rate: float | None
    confirmed: bool

    @classmethod
    def of(cls, rate: Rate) -> Self:
        """The shape of a rate."""
        value = None if rate.value is None else round(rate.value, 4)
        return cls(answered=rate.answered, delivered=rate.delivered, rate=value, confirmed=rate.confirmed)


class Events(ApiModel):
    """What happened in a period."""

    promoters: int
    offers: int
    redemptions: int
    approved: int
    by_currency: list[CurrencyFigures]


class Chances(ApiModel):
    """The two-sided p of each change; above 0.05 chance alone can explain it."""

    response_rate: float
    promoters: float
    offers: float
    redemptions: float


class ReasonCount(ApiModel):
    """A tag and the number of detractors' answers that have it."""

    tag: str
    responses: int


class OverviewReport(ApiModel):
    """A period beside the one of equal length before it; null where there is none."""

    from_: datetime | None = Field(alias="from")
    to: datetime | None
    score: Score
    score_before: Score | None
    score_change: ScoreChange | None
    response_rate: ResponseRate
    response_rate_before: ResponseRate | None
    events: Events
    events_before: Events | None
    chances: Chances | None
    answer_to_offer_seconds: float | None = Field(description="95 % of the offers are handed over within it.")
    as_of: datetime | None = AS_OF
    reasons: list[ReasonCount] = Field(description="Tags of detractors' answers, the most frequent first.")

    @classmethod
    def of(cls, found: Overview, period: Period) -> Self:
        """The shape of an overview."""
        before, rate_before = found.activity_before, found.rate_before
        return cls(
            from_=period.start,
            to=period.end,
            score=Score(**Score.values(found.counts)),
            score_before=None if before is None else Score(**Score.values(found.counts_before)),
            score_change=_score_change(found.changed),
            response_rate=ResponseRate.of(found.rate),
            response_rate_before=None if rate_before is None else ResponseRate.of(rate_before),
            events=_events(found.activity, found.counts),
            events_before=None if before is None else _events(before, found.counts_before),
            chances=None if before is None or rate_before is None else _chances(found, before, rate_before),
            answer_to_offer_seconds=found.answer_to_offer,
            as_of=found.as_of,
            reasons=[ReasonCount(tag=each.tag, responses=each.responses) for each in found.reasons],
        )


class WaitingReport(ApiModel):
    """What waits for somebody, and which of the first steps were taken."""

    redemptions_in_review: Waiting
    open_responses: Waiting
    first_steps: FirstSteps


def _score_change(changed: Change | None) -> ScoreChange | None:
    if changed is None:
        return None
    return ScoreChange(points=round(changed.points, 4), p=round(changed.p, 4))


def _events(activity: Activity, counts: Counts) -> Events:
    return Events(
        promoters=counts.promoters,
        offers=activity.offers,
        redemptions=activity.redemptions,
        approved=activity.approved,
        by_currency=[currency_figures(totals) for totals in activity.totals],
    )


def _chances(found: Overview, before: Activity, rate_before: Rate) -> Chances:
    rate, now = found.rate, found.activity
    return Chances(
        response_rate=round(
            rate_p(rate_before.answered, rate_before.delivered, rate.answered, rate.delivered), 4
        ),
        promoters=round(count_p(found.counts_before.promoters, found.counts.promoters), 4),
        offers=round(count_p(before.offers, now.offers), 4),
        redemptions=round(count_p(before.redemptions, now.redemptions), 4),
    )
