"""Friends' orders: the list by state, the page of one with its evidence, and the decision."""

from uuid import UUID

from starlette.responses import RedirectResponse, Response

from app.admin.dashboard.access import ForViewer, MarketerWriter, screen_router
from app.admin.dashboard.flash import Tone
from app.admin.dashboard.frame import Frame
from app.admin.dashboard.list_exports import links_of
from app.admin.dashboard.menu import Badge
from app.admin.dashboard.order_filters import FILTERS, bulk_links, chips, texts_of
from app.admin.export_rules import ExportName
from app.admin.listing import PageRequest, list_page
from app.admin.redemptions import (
    RedemptionDetail,
    read_filter,
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
from app.referrals.decide import approve_redemption, reject_redemption
from app.referrals.rules import RedemptionStatus

PATH = "/admin/orders"
_AT_ONCE = 50
router = screen_router(PATH)


@router.get("")
async def show_orders(frame: ForViewer) -> Response:
    """The list, newest first, by state and filters; what cannot be read leads to all of them."""
    query = frame.request.query_params
    try:
        texts = texts_of(query, frame.shop.slug if frame.shop else None)
        wanted = read_filter(texts, frame.brand.time_zone)
        conditions = redemption_conditions(frame.brand.id, wanted)
        request = PageRequest(frame.context.tokens, _AT_ONCE, query.get("cursor"))
        found = await list_page(frame.session, request, frame.staff.actor, REDEMPTIONS, *conditions)
    except (AppError, ValueError):
        return RedirectResponse(frame.url(PATH), 303)
    in_force = chips(frame)
    text = view.NO_MATCH if in_force else view.EMPTY.get(wanted.status, view.NO_MATCH)
    values = {
        "rows": view.order_rows(found.data, now=clock.now()),
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
        "chosen": {name: query.get(name, "") for name in FILTERS},
        "reasons": view.reason_choices(),
        "chips": in_force,
        "clear": frame.here(**dict.fromkeys(FILTERS)),
        "everything": frame.url(PATH),
        "exports": links_of(frame, ExportName.redemptions, ("status", *FILTERS)),
        "bulk": bulk_links(frame) if found.data else [],
        "empty_text": translate(SOURCE, text),
    }
    return frame.page("admin/orders.html", "orders", values, by_shop=True)


@router.get("/{id}")
async def show_order(id: str, frame: ForViewer) -> Response:  # noqa: A002  # the path's own word
    """One friend's order: the decision, the evidence, both persons, what hangs on it."""
    _, it = await _find(frame, id)
    evidence = it.evidence
    values = {
        "it": it,
        "state": view.state_name(it.status),
        "mark": view.state_mark(it.status),
        "total": view.order_rows([it], now=clock.now())[0].total,
        "shop_name": next((each.name for each in frame.shops if each.slug == evidence.shop), evidence.shop),
        "signals": view.signals(evidence),
        "persons": view.both_persons(evidence),
        "owner": view.person_name(evidence.referrer),
        "friend": view.person_name(evidence.friend),
        "earlier": view.earlier_states(it),
        "may_approve": view.may_approve(it),
        "may_reject": view.may_reject(it),
        "may_relink": view.may_relink(it),
        "may_take_back": it.status == RedemptionStatus.approved,
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
