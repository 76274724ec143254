"""Scores: how the NPS goes, of whom it is, and what came of it."""

from dataclasses import dataclass
from uuid import UUID

from fastapi import Request
from starlette.responses import RedirectResponse, Response

from app.admin.dashboard.access import ForViewer, screen_router
from app.admin.dashboard.frame import Frame
from app.admin.dashboard.spans import entered_day, span_choices
from app.admin.views.limited import shop_figures
from app.admin.views.period import Chosen, chosen_period
from app.admin.views.scores import GROUPINGS, counts_of, scores_values
from app.base import clock
from app.base.i18n import SOURCE, translate
from app.insight.period_scores import PeriodScores, period_scores
from app.insight.periods import Period
from app.insight.scores import By, nps_report
from app.insight.ttl_cache import TtlCache

SCORES = "/admin/scores"
router = screen_router(SCORES)


@dataclass(frozen=True, slots=True)
class _Wanted:
    """Which figures; a key of the cache."""

    brand_id: int
    zone: str
    period: Period
    by: By
    shop_id: UUID | None


@router.get("")
async def show_scores(frame: ForViewer) -> Response:
    """The score of a period in time and by group, with what the offers brought.

    Of the chosen shop, else of the whole brand; somebody limited to some shops sees the score of
    these.
    """
    query, brand = frame.request.query_params, frame.brand
    chosen = chosen_period(
        query.get("days"), query.get("from"), query.get("to"), brand.time_zone, now=clock.now()
    )
    by = next((each for each in GROUPINGS if each.value == query.get("by", "product")), None)
    if chosen is None or by is None:
        return RedirectResponse(frame.url(SCORES), 303)
    if frame.staff.shops is not None:
        return await _limited(frame, chosen)
    wanted = _Wanted(
        brand.id, brand.time_zone, chosen.period, by, None if frame.shop is None else frame.shop.id
    )
    found = await _kept(frame.request).get(
        wanted, lambda: period_scores(frame.session, brand, wanted.period, by, wanted.shop_id)
    )
    values = {
        **scores_values(found, by),
        "spans": span_choices(frame, chosen),
        "period": chosen.text,
        "as_of": found.report.as_of,
        "dates": {"start": entered_day(query.get("from")), "end": entered_day(query.get("to"))},
        "kept": [(name, query[name]) for name in ("shop", "by") if name in query],
        "groupings": [
            {
                "href": frame.here(by=each.value),
                "name": translate(SOURCE, name),
                "is_current": each is by,
                "count": None,
            }
            for each, (name, _) in GROUPINGS.items()
        ],
    }
    return frame.page("admin/scores.html", "scores", values, by_shop=True)


async def _limited(frame: Frame, chosen: Chosen) -> Response:
    """The score of each shop that the reader may see."""
    found = await nps_report(frame.session, frame.brand, chosen.period, By.shop)
    counts = {group.key: counts_of(group) for group in found.groups or ()}
    values = {
        "figures": shop_figures(frame.shops, counts),
        "spans": span_choices(frame, chosen),
        "period": chosen.text,
    }
    return frame.page("admin/limited.html", "scores", values)


def _kept(request: Request) -> TtlCache[PeriodScores]:
    """The application's cache of these figures: those of a large brand take a while."""
    state = request.app.state
    if not hasattr(state, "score_figures"):
        state.score_figures = TtlCache[PeriodScores]()
    return state.score_figures  # type: ignore[no-any-return]  # starlette's state is untyped
