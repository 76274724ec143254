"""Friends' orders: the list by state, the page of one with its evidence, and the decision."""

from collections.abc import Callable
from uuid import UUID

from starlette.responses import RedirectResponse, Response

from app.admin.dashboard.access import ForViewer, MarketerWriter, screen_router
from app.admin.dashboard.flash import Tone
from app.admin.dashboard.frame import Frame
from app.admin.dashboard.menu import Badge
from app.admin.listing import PageRequest, list_page
from app.admin.redemptions import (
    RedemptionDetail,
    RedemptionFilter,
    redemption_conditions,
    redemption_detail,
)
from app.admin.rows import REDEMPTIONS
from app.admin.views import orders as view
from app.base import clock
from app.base.errors import AppError, NotFound
from app.base.i18n import SOURCE, translate
from app.base.ids import parse_public_id, public_id
from app.base.text import is_clean
from app.brands.entered import NAME_LIMIT
from app.insight import words
from app.insight.periods import read_period
from app.insight.words import word
from app.referrals.decide import approve_redemption, reject_redemption
from app.referrals.rules import RedemptionReason, RedemptionStatus

PATH = "/admin/orders"
_AT_ONCE = 50
_FILTERS = ("referrer", "code", "reason", "from", "to")
router = screen_router(PATH)


@router.get("")
async def show_orders(frame: ForViewer) -> Response:
    """The list, newest first, by state and filters; what cannot be read leads to all of them."""
    query = frame.request.query_params
    try:
        wanted = _filter_of(frame)
        conditions = redemption_conditions(frame.brand.id, wanted)
        request = PageRequest(frame.context.tokens, _AT_ONCE, query.get("cursor"))
        found = await list_page(frame.session, request, frame.staff.actor, REDEMPTIONS, *conditions)
    except (AppError, ValueError):
        return RedirectResponse(frame.url(PATH), 303)
    chips = _chips(frame)
    text = view.NO_MATCH if chips else view.EMPTY.get(wanted.status, view.NO_MATCH)
    values = {
        "rows": view.order_rows(found.data),
        "older": frame.here(cursor=found.next_cursor) if found.next_cursor else "",
        "tabs": [
            {
                "href": frame.here(status=status and status.value),
                "name": translate(SOURCE, name),
                "is_current": status is wanted.status,
                "count": frame.counts.get(Badge.in_review) if status is RedemptionStatus.in_review else None,
            }
            for status, name in view.TABS.items()
        ],
        "kept": [(name, query[name]) for name in ("shop", "status", "referrer") if query.get(name)],
        "chosen": {name: query.get(name, "") for name in _FILTERS},
        "reasons": view.reason_choices(),
        "chips": chips,
        "clear": frame.here(**dict.fromkeys(_FILTERS)),
        "everything": frame.url(PATH),
        "empty_text": translate(SOURCE, text),
    }
    return frame.page("admin/orders.html", "orders", values, by_shop=True)


def _filter_of(frame: Frame) -> RedemptionFilter:
    """What the address asks for; raises ValueError or AppError for what cannot be read."""
    query = frame.request.query_params
    status, reason = query.get("status"), query.get("reason")
    return RedemptionFilter(
        status=RedemptionStatus(status) if status else None,
        referrer=query.get("referrer") or None,
        code=query.get("code") or None,
        shop=frame.shop.slug if frame.shop else None,
        reason=RedemptionReason(reason) if reason else None,
        period=read_period(query.get("from"), query.get("to"), frame.brand.time_zone),
    )


def _chips(frame: Frame) -> list[dict[str, str]]:
    """The filters in force, each with the address without it."""
    query = frame.request.query_params
    shown: dict[str, Callable[[str], str]] = {
        "referrer": lambda _: translate(SOURCE, "of one referrer"),
        "code": str,
        "reason": lambda value: word(SOURCE, words.REDEMPTION_REASONS, value),
        "from": lambda value: translate(SOURCE, "from %(day)s", day=value),
        "to": lambda value: translate(SOURCE, "before %(day)s", day=value),
    }
    return [
        {"name": text(query[name]), "href": frame.here(**{name: None})}
        for name, text in shown.items()
        if query.get(name)
    ]


@router.get("/{id}")
async def show_order(id: str, frame: ForViewer) -> Response:  # noqa: A002  # the path's own word
    """One friend's order: the decision, the evidence, both persons, what hangs on it."""
    _, it = await _find(frame, id)
    evidence = it.evidence
    values = {
        "it": it,
        "state": view.state_name(it.status),
        "mark": view.state_mark(it.status),
        "total": view.order_rows([it])[0].total,
        "signals": view.signals(evidence),
        "persons": view.both_persons(evidence),
        "owner": view.person_name(evidence.referrer),
        "friend": view.person_name(evidence.friend),
        "earlier": view.earlier_states(it),
        "may_approve": view.may_approve(it),
        "may_reject": view.may_reject(it),
        "is_undo": it.status == RedemptionStatus.rejected,
        "reason_limit": NAME_LIMIT,
    }
    return frame.page("admin/order.html", "orders", values)


@router.post("/{id}/approve")
async def approve(id: str, writer: MarketerWriter) -> Response:  # noqa: A002  # the path's own word
    """Let it count: one that is in review, waits, or was rejected."""
    frame, _ = writer
    redemption_id, _ = await _find(frame, id)
    tokens, actor, now = frame.context.tokens, frame.staff.actor, clock.now()
    try:
        await approve_redemption(frame.session, tokens, frame.brand, redemption_id, actor=actor, now=now)
    except AppError as error:
        return _refused(frame, id, error)
    return frame.redirect(frame.url(f"{PATH}/{id}"), translate(SOURCE, "It counts now."))


@router.post("/{id}/reject")
async def reject(id: str, writer: MarketerWriter) -> Response:  # noqa: A002  # the path's own word
    """Let it not count, for a reason in the person's own words."""
    frame, form = writer
    redemption_id, _ = await _find(frame, id)
    reason = form.text("reason", limit=NAME_LIMIT)
    page = frame.url(f"{PATH}/{id}")
    if not reason or not is_clean(reason):
        return frame.redirect(page, translate(SOURCE, "Say why it does not count."), Tone.failed)
    actor, now = frame.staff.actor, clock.now()
    try:
        await reject_redemption(
            frame.session, frame.brand, redemption_id, actor=actor, reason=reason, now=now
        )
    except AppError as error:
        return _refused(frame, id, error)
    return frame.redirect(page, translate(SOURCE, "It does not count now."))


def _refused(frame: Frame, shown_id: str, error: AppError) -> Response:
    """Back to the page with why nothing was done, as somebody else may have decided before."""
    if error.status != 409:
        raise error
    return frame.redirect(frame.url(f"{PATH}/{shown_id}"), error.detail, Tone.failed)


async def _find(frame: Frame, shown_id: str) -> tuple[UUID, RedemptionDetail]:
    """The redemption's id and detail; raises NotFound for one that the reader may not see."""
    redemption_id = parse_public_id("red", shown_id)
    if public_id("red", redemption_id) != shown_id:
        raise NotFound
    return redemption_id, await redemption_detail(
        frame.session, frame.staff.actor, frame.brand, redemption_id
    )
