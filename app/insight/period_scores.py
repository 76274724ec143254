"""All numbers about a period's scores and what offers brought, read together."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from app.brands.models import Brand
from app.insight.band_figures import BAND_REFERRERS, BAND_REVENUE
from app.insight.band_revenue import BandRevenue, revenue_of
from app.insight.figures import read_figures, rolled_as_of
from app.insight.lift import Lift, lift_of
from app.insight.message_figures import SURVEYS
from app.insight.nps import Counts
from app.insight.offer_times import OfferTimes, times_of
from app.insight.periods import Period, before, is_short
from app.insight.promoter_figures import LIFT, OFFER_TIMES
from app.insight.response_figures import RESPONSES, RESPONSES_BY
from app.insight.schemas import NpsReport
from app.insight.scores import By, Group, count_bands, count_groups, groups_of, report_of


@dataclass(frozen=True, slots=True)
class PeriodScores:
    """The score by group, the line in time, and what offers brought."""

    report: NpsReport
    line: Sequence[Group]
    """By week or month, as `in_time` has it."""
    in_time: By
    earlier: Counts | None
    """The period before; None for one that is open."""
    times: OfferTimes
    lift: Lift
    bands: Sequence[BandRevenue]


_FIGURES = (RESPONSES, SURVEYS, OFFER_TIMES, LIFT, BAND_REVENUE, BAND_REFERRERS)


async def period_scores(
    session: AsyncSession, brand: Brand, period: Period, by: By, shop_id: UUID | None = None
) -> PeriodScores:
    """Compute all of it; a few queries, however many responses there are.

    Of one shop where one is given, as `nps_report`, `offer_times`, `holdout_lift` and
    `band_revenue` have it.
    """
    in_time = By.week if is_short(period) else By.month
    earlier = before(period, brand.time_zone)
    as_of = await rolled_as_of(session, brand, period)
    grouped = [RESPONSES_BY[each] for each in (in_time, by) if each is not By.shop]
    found = await read_figures(session, brand, (*_FIGURES, *grouped), period, shop_id)
    responses, surveys, times, compared, *of_bands = found[: len(_FIGURES)]
    line, *rest = found[len(_FIGURES) :]
    groups = groups_of(rest[0], by) if rest else await count_groups(session, brand, period, by, shop_id)
    return PeriodScores(
        report=report_of(period, responses, surveys, as_of=as_of, by=by, groups=groups),
        line=groups_of(line, in_time),
        in_time=in_time,
        earlier=await count_bands(session, brand, earlier, shop_id) if earlier else None,
        times=times_of(times),
        lift=lift_of(compared),
        bands=revenue_of(*of_bands),
    )
