"""The numbers of the dashboard's overview: one period, compared with the one before it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from app.brands.models import Brand
from app.insight.activity import FIGURES as EVENTS
from app.insight.activity import Activity, activity_of
from app.insight.figures import Counted, read_figures, rolled_as_of
from app.insight.funnel import FIGURES as FUNNEL
from app.insight.funnel import Funnel, funnel_of
from app.insight.message_figures import SURVEYS
from app.insight.nps import Change, Counts, change
from app.insight.offer_times import times_of
from app.insight.periods import Period, before, binds, is_short, within
from app.insight.promoter_figures import OFFER_TIMES
from app.insight.reasons import Reason, reasons_of
from app.insight.response_figures import REASONS, RESPONSES, RESPONSES_BY
from app.insight.scores import By, Group, Rate, bands_of, groups_of, rate_of
from app.surveys.models import COUNTS

LATEST = 20
"""Number of the latest responses."""


@dataclass(frozen=True, slots=True)
class LatestResponse:
    """A response with who gave it."""

    answered_at: datetime
    score: int
    comment: str | None
    customer_id: UUID
    first_name: str | None
    last_name: str | None
    email: str | None
    phone: str | None


@dataclass(frozen=True, slots=True)
class Overview:
    """Score, response rate, events, funnel and latest responses of a period.

    `changed` and `rate_before` are None where nothing can be compared.
    """

    counts: Counts
    counts_before: Counts
    changed: Change | None
    rate: Rate
    rate_before: Rate | None
    by: By
    groups: list[Group]
    """By week or month, as `by` has it."""
    funnel: Funnel
    """Of the orders placed in the period."""
    activity: Activity
    """What happened in the period."""
    activity_before: Activity | None
    answer_to_offer: float | None
    """Seconds within which 95 % of the period's promoters had their offer handed to a provider, as
    `OfferTimes` has it."""
    latest: list[LatestResponse]
    reasons: list[Reason]
    """Why the period's detractors said so."""
    as_of: datetime | None = None
    """What was committed by then is counted; None: everything is. The latest responses are always
    of this moment."""


async def overview(
    session: AsyncSession, brand: Brand, period: Period, shop_id: UUID | None = None
) -> Overview:
    """Compute all of it; a few dozen small queries, however many responses there are.

    Of one shop where one is given, as `scores` and `funnel` have it.
    """
    earlier = before(period, brand.time_zone)
    by = By.week if is_short(period) else By.month
    as_of = await rolled_as_of(session, brand, period)
    figures = (*_COMPARED, RESPONSES_BY[by], REASONS, OFFER_TIMES, *FUNNEL)
    read = await read_figures(session, brand, figures, period, shop_id)
    events, (groups, tagged, times, *stages) = read[: len(_COMPARED)], read[len(_COMPARED) :]
    counts, rate, happened = await _compared(session, brand, events, shop_id)
    events_before = await read_figures(session, brand, _COMPARED, earlier, shop_id) if earlier else None
    before_counts, rate_before, happened_before = (
        (Counts(), None, None)
        if events_before is None
        else await _compared(session, brand, events_before, shop_id)
    )
    return Overview(
        counts=counts,
        counts_before=before_counts,
        changed=change(before_counts, counts),
        rate=rate,
        rate_before=rate_before,
        by=by,
        groups=groups_of(groups, by),
        funnel=await funnel_of(session, brand, stages, shop_id, as_of=as_of),
        activity=happened,
        activity_before=happened_before,
        answer_to_offer=times_of(times).p95,
        latest=await _latest(session, brand.id, period, shop_id),
        reasons=await reasons_of(session, brand.id, tagged),
        as_of=as_of,
    )


_COMPARED = (RESPONSES, SURVEYS, *EVENTS)
"""The figures of a period and of the one before it."""


async def _compared(
    session: AsyncSession, brand: Brand, found: Sequence[Sequence[Counted]], shop_id: UUID | None
) -> tuple[Counts, Rate, Activity]:
    """The score, the response rate and the events, as `_COMPARED` counts them."""
    responses, surveys, *events = found
    return bands_of(responses), rate_of(surveys), await activity_of(session, brand, events, shop_id)


async def _latest(
    session: AsyncSession, brand_id: int, period: Period, shop_id: UUID | None
) -> list[LatestResponse]:
    rows = await session.execute(
        text(f"""
            SELECT responses.answered_at, responses.score, responses.comment, responses.customer_id,
                customers.first_name, customers.last_name, customers.email, customers.phone
            FROM responses JOIN customers ON customers.brand_id = :brand
                AND customers.id = responses.customer_id
            {_of_shop(shop_id)}
            WHERE responses.brand_id = :brand AND {COUNTS.format("responses")}
                AND {within("responses.answered_at", period)}
            ORDER BY responses.answered_at DESC, responses.id DESC LIMIT {LATEST}
        """),
        binds(brand_id, period),
    )
    return [LatestResponse(**row) for row in rows.mappings()]


def _of_shop(shop_id: UUID | None) -> str:
    """SQL that keeps the responses to surveys of a shop; nothing for all shops.

    The shop stands in the statement itself, since of one with few answers an index finds them.
    """
    if shop_id is None:
        return ""
    return f"""JOIN surveys ON surveys.brand_id = :brand AND surveys.id = responses.survey_id
        AND surveys.status = 'answered' AND surveys.shop_id = '{shop_id}'"""
