"""The overview: whether it works, and what waits for somebody today."""

from collections.abc import Mapping
from dataclasses import replace
from urllib.parse import urlencode

from fastapi import Request
from starlette.responses import RedirectResponse, Response

from app.admin.alarm_models import Alarm
from app.admin.dashboard.access import ForViewer, screen_router
from app.admin.dashboard.frame import Frame
from app.admin.dashboard.menu import Badge
from app.admin.dashboard.spans import entered_day, span_choices
from app.admin.listing import PageRequest, list_page
from app.admin.reads import record_reading
from app.admin.rows import ALARMS
from app.admin.rows import RESPONSES as RESPONSE_LIST
from app.admin.rules import Role
from app.admin.views.alarms import alarm_todos
from app.admin.views.limited import shop_figures
from app.admin.views.overview import overview_values
from app.admin.views.period import Chosen, chosen_period, dated_path
from app.admin.views.waiting import (
    RESPONSES,
    Todo,
    in_review_todo,
    open_responses_todo,
    step_rows,
)
from app.base import clock
from app.brands.programme import Channel
from app.insight.first_steps import first_steps
from app.insight.overview import Overview, overview
from app.insight.scores import By, count_groups
from app.insight.ttl_cache import TtlCache
from app.surveys.rules import Band

router = screen_router()
_MOST_ALARMS = 20


@router.get("")
async def show_overview(frame: ForViewer) -> Response:
    """The period's numbers, compared with those of the period before.

    They are of the chosen shop, else of the whole brand; somebody limited to some shops sees the
    score of these.
    """
    query, brand = frame.request.query_params, frame.brand
    chosen = chosen_period(
        query.get("days"), query.get("from"), query.get("to"), brand.time_zone, now=clock.now()
    )
    if chosen is None:
        return RedirectResponse(frame.url("/admin"), 303)
    if frame.staff.shops is not None:
        return await _limited(frame, chosen)
    shop_id = None if frame.shop is None else frame.shop.id
    found = await _overviews(frame.request).get(
        (brand.id, brand.time_zone, chosen.period, shop_id),
        lambda: overview(frame.session, brand, chosen.period, shop_id),
    )
    compared = query.get("compare") != "off" and found.activity_before is not None
    steps = await first_steps(frame.session, brand.id, sends=Channel.email not in frame.sends_nothing)
    shown = overview_values(found, brand, pii=frame.sees_people, compared=compared)
    if shown["latest"]:
        await record_reading(frame.session, frame.staff.actor, RESPONSE_LIST.people, len(shown["latest"]))

    def dated(path: str) -> str:
        return dated_path(path, chosen.period, brand.time_zone)

    values = {
        **shown,
        "cards": [replace(card, path=dated(card.path)) for card in shown["cards"]],
        "spans": span_choices(frame, chosen),
        "period": chosen.text,
        "as_of": found.as_of,
        "dates": {"start": entered_day(query.get("from")), "end": entered_day(query.get("to"))},
        "kept": [(name, query[name]) for name in ("shop", "compare") if name in query],
        "scores_path": frame.url(
            "/admin/scores", **{name: query.get(name) for name in ("days", "from", "to")}
        ),
        "compared": compared,
        "can_compare": found.activity_before is not None,
        "todos": await _todos(frame),
        "reasons": [(each, dated(_reason_path(query, each.tag))) for each in found.reasons],
        "steps": step_rows(steps, frame.serves),
        "is_new": not steps.survey_sent,
        "is_empty": not steps.survey_sent and not found.funnel.stages.orders and not found.counts.responses,
        "steps_done": steps.are_done,
    }
    return frame.page("admin/overview.html", "overview", values, by_shop=True)


def _reason_path(query: Mapping[str, str], tag: str) -> str:
    """The detractors' answers with this tag."""
    wanted = {"state": "all", "band": Band.detractor.value, "tag": tag, "shop": query.get("shop")}
    return f"{RESPONSES}?{urlencode({name: value for name, value in wanted.items() if value})}"


async def _limited(frame: Frame, chosen: Chosen) -> Response:
    """The score of each shop that the reader may see."""
    groups = await count_groups(frame.session, frame.brand, chosen.period, By.shop)
    values = {
        "figures": shop_figures(frame.shops, {group.key: group.counts for group in groups}),
        "spans": span_choices(frame, chosen),
        "period": chosen.text,
    }
    return frame.page("admin/limited.html", "overview", values)


async def _todos(frame: Frame) -> list[Todo]:
    """What waits for somebody, where a screen exists to do it."""
    found: list[Todo | None] = []
    if frame.may(Role.admin):
        newest = PageRequest(frame.context.tokens, _MOST_ALARMS, None)
        unsolved = Alarm.solved_at.is_(None)
        alarms = await list_page(frame.session, newest, frame.staff.actor, ALARMS, unsolved)
        found += alarm_todos(alarms.data)
    if Badge.open_responses in frame.waiting:
        found.append(open_responses_todo(frame.waiting[Badge.open_responses], frame.moment))
    if Badge.in_review in frame.waiting:
        found.append(in_review_todo(frame.waiting[Badge.in_review], frame.moment))
    return [each for each in found if each is not None]


def _overviews(request: Request) -> TtlCache[Overview]:
    """The application's cache of overviews: that of a large brand takes seconds to compute."""
    state = request.app.state
    if not hasattr(state, "overviews"):
        state.overviews = TtlCache[Overview]()
    return state.overviews  # type: ignore[no-any-return]  # starlette's state is untyped
