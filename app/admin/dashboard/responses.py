"""Answers: who is unhappy, and who has replied; two panes, with the selection in the address."""

from collections.abc import Sequence
from urllib.parse import urlencode

from starlette.responses import RedirectResponse, Response

from app.admin.dashboard.access import ForViewer, screen_router
from app.admin.dashboard.frame import Frame
from app.admin.dashboard.list_exports import links_of
from app.admin.dashboard.menu import Badge
from app.admin.dashboard.response_filters import (
    ALL,
    SUSPECTED,
    SUSPECTS,
    TESTIMONIALS,
    Filters,
    chips,
    read_filters,
)
from app.admin.dashboard.terms import may_change
from app.admin.export_rules import ExportName
from app.admin.listing import PageRequest, list_page
from app.admin.response_work import load_response, order_in
from app.admin.rows import ORDERS, RESPONSES
from app.admin.rules import Role
from app.admin.texts import moment_text
from app.admin.views import responses as view
from app.admin.views.audit import Names
from app.admin.views.names import key_names, staff_names
from app.admin.views.period import day_after
from app.base import clock
from app.base.errors import AppError
from app.base.i18n import SOURCE, translate
from app.base.ids import parse_public_id
from app.base.masking import mask_email
from app.base.records import read_first, read_rows
from app.insight.waiting import MOST_OPEN
from app.orders.models import Order
from app.surveys.listed import used_tags
from app.surveys.models import Response as SurveyResponse
from app.surveys.schemas import ResponseDetail, ResponseRow
from app.surveys.work_rules import WorkState

PATH = "/admin/answers"
_AT_ONCE = 25
_BEFORE = 3
"""Earlier answers of the same person that are shown."""
router = screen_router(PATH)


@router.get("")
async def show_responses(frame: ForViewer) -> Response:
    """The list and the chosen answer; on a phone one of them."""
    query = frame.request.query_params
    try:
        filters = await read_filters(frame)
        wanted = PageRequest(frame.context.tokens, _AT_ONCE, query.get("cursor"))
        by = order_in(filters.period)
        found = await list_page(
            frame.session, wanted, frame.staff.actor, RESPONSES, *filters.conditions, by=by
        )
    except AppError:
        return RedirectResponse(frame.url(PATH), 303)
    chosen = query.get("answer") or (found.data[0].id if found.data else "")
    names = await names_of(frame)
    values = {
        **await _list_values(frame, filters, found.data, chosen, names),
        "older": frame.here(cursor=found.next_cursor, answer=None) if found.next_cursor else "",
        "is_chosen": "answer" in query,
        "detail": None,
        **(await _detail_values(frame, chosen, found.data, names) if chosen else {}),
    }
    return frame.page("admin/answers.html", "answers", values, by_shop=True)


async def names_of(frame: Frame) -> Names:
    """The names of the brand's team and keys; addresses are masked where people are."""
    staff = await staff_names(frame.session, frame.brand.id)
    if not frame.sees_people:
        staff = {shown_id: mask_email(email) or "" for shown_id, email in staff.items()}
    return Names(staff, await key_names(frame.session, frame.brand.id), {})


async def _list_values(
    frame: Frame, filters: Filters, rows: Sequence[ResponseRow], chosen: str, names: Names
) -> dict[str, object]:
    waiting = frame.counts.get(Badge.open_responses, 0)
    tags = await used_tags(frame.session, frame.brand.id)
    counts = {WorkState.open.value: min(waiting, MOST_OPEN) if not frame.shop else None}
    every = {
        **{each.value: name for each, name in view.STATES.items()},
        TESTIMONIALS: view.TESTIMONIALS,
        SUSPECTS: view.SUSPECTS,
        ALL: view.ALL,
    }
    return {
        "items": [_item(frame, row, chosen) for row in rows],
        "tabs": [
            {
                "href": frame.here(state=value, answer=None),
                "name": translate(SOURCE, name),
                "is_current": value == filters.state,
                "count": counts.get(value),
            }
            for value, name in every.items()
        ],
        "exports": _exports(frame, filters),
        "fills": translate(SOURCE, view.FILLS.get(filters.state, view.FILLED_BY_MARKS)),
        "opens_passives": frame.brand.opens_passives,
        "may_change": may_change(frame),
        "filters": filters.entered,
        "is_filtered": filters.is_narrowed,
        "more_filters": any(
            filters.entered[name] for name in ("assignee", "tag", "channel", "commented", "from", "to")
        ),
        "kept": [("state", filters.state), *((("shop", frame.shop.slug),) if frame.shop else ())],
        "bands": view.choices(view.BANDS, translate(SOURCE, "All scores")),
        "tag_choices": [("", translate(SOURCE, "Any reason")), *((name, name) for name in tags)],
        "channels": view.channel_choices(),
        "people": list(names.staff.items()),
        "known_tags": tags,
        "chips": chips(frame, filters, names.actor),
        "clear": frame.url(PATH, state=filters.state),
    }


def _exports(frame: Frame, filters: Filters) -> list[tuple[str, str]]:
    """The list as files."""
    chosen = {name: value or None for name, value in filters.entered.items()}
    chosen |= {
        "state": filters.state if filters.state in set(WorkState) else None,
        "suspicion": ",".join(SUSPECTED) if filters.state == SUSPECTS else None,
        "testimonial": "true" if filters.state == TESTIMONIALS else None,
        "commented": "true" if chosen["commented"] else None,
        # The page names the last day, an export the day after.
        "to": day_after(chosen["to"]),
    }
    return links_of(frame, ExportName.responses, (), chosen)


def _item(frame: Frame, row: ResponseRow, chosen: str) -> view.Item:
    return view.Item(
        row=row,
        name=view.name_of(row),
        href=frame.here(answer=row.id, cursor=frame.request.query_params.get("cursor")),
        is_current=row.id == chosen,
        when=moment_text(row.answered_at.astimezone(frame.zone), SOURCE, "MMMd"),
        words=row.comment or "",
    )


async def _detail_values(
    frame: Frame, shown_id: str, rows: Sequence[ResponseRow], names: Names
) -> dict[str, object]:
    """The chosen answer. Raises NotFound for one that the reader may not see."""
    detail = await load_response(
        frame.session, frame.context, frame.staff.actor, parse_public_id("rsp", shown_id)
    )
    order, earlier = await _around(frame, detail)
    kind, state = view.state_pill(detail, now=clock.now())
    ids = [row.id for row in rows]
    place = ids.index(detail.id) + 1 if detail.id in ids else 0
    query = [(name, value) for name, value in frame.request.query_params.items() if name != "answer"]
    return {
        "detail": detail,
        "name": view.name_of(detail),
        "pill": (kind, state),
        "band_word": translate(SOURCE, view.BAND_WORDS[detail.band]),  # type: ignore[index]  # one of three
        "order": order,
        "earlier": earlier,
        "assignee": names.actor(detail.assignee) if detail.assignee else "",
        "done": view.done_rows(detail, names.actor),
        "suspect": view.suspect_text(detail),
        "ways": view.reply_ways(detail),
        "under_way": view.reply_under_way(detail),
        "next": ids[place] if 0 < place < len(ids) else "",
        "back": frame.here(answer=None),
        "act": f"{PATH}/{detail.id}",
        "query": f"?{urlencode(query)}" if query else "",
        "may_work": frame.may(Role.support),
        "customer_href": frame.url(f"/admin/customers/{detail.customer}"),
    }


async def _around(frame: Frame, detail: ResponseDetail) -> tuple[str, str]:
    """The order that it is about, and what the same person answered before."""
    actor = frame.staff.actor
    order = ""
    if detail.order:
        order_id = parse_public_id("ord", detail.order)
        row = await read_first(frame.session, ORDERS.visible(actor).where(Order.id == order_id))
        order = view.order_text(ORDERS.shape(row, pii=actor.sees_people)) if row else ""
    about = parse_public_id("cus", detail.customer), parse_public_id("rsp", detail.id)
    query = RESPONSES.visible(actor).where(
        SurveyResponse.customer_id == about[0], SurveyResponse.id < about[1]
    )
    found = await read_rows(frame.session, query.order_by(SurveyResponse.id.desc()).limit(_BEFORE))
    earlier = [RESPONSES.shape(row, pii=actor.sees_people) for row in found]
    return order, view.earlier_text(earlier, frame.day)
