"""Referrers, People: who brings friends, and what they bring."""

from datetime import UTC

from starlette.responses import RedirectResponse, Response

from app.admin.dashboard.access import ForViewer, MarketerWriter, screen_router
from app.admin.dashboard.flash import Tone
from app.admin.dashboard.frame import Frame
from app.admin.dashboard.list_exports import links_of
from app.admin.dashboard.terms import may_change, refuse_limited
from app.admin.export_rules import ExportName
from app.admin.listing import PageRequest, list_page
from app.admin.referrers import ReferrerFilter, ReferrerOrder, default_currency, read_span, referrer_list
from app.admin.views import referrers as view
from app.base import clock
from app.base.errors import AppError
from app.base.i18n import SOURCE, translate
from app.brands.change import BrandFields, change_brand
from app.referrals.figure_models import ALL_TIME
from app.referrals.figures import note_brand_change

PATH = "/admin/referrers"
_AT_ONCE = 50
_FILTERS = ("order", "span", "currency")
router = screen_router(PATH)


@router.get("")
async def show_people(frame: ForViewer) -> Response:
    """The referrers, the most revenue first; what cannot be read leads to all of them."""
    query = frame.request.query_params
    try:
        wanted = _filter_of(frame)
        request = PageRequest(frame.context.tokens, _AT_ONCE, query.get("cursor"))
        it = referrer_list(frame.brand, wanted)
        actor = frame.staff.actor
        found = await list_page(frame.session, request, actor, it.resource, it.condition, by=it.by)
    except (AppError, ValueError):
        return RedirectResponse(frame.url(PATH), 303)
    today = clock.now().astimezone(frame.zone).date()
    is_newest = wanted.order is ReferrerOrder.newest
    values = {
        "exports": links_of(
            frame, ExportName.referrers, (), {"span": wanted.span, "currency": wanted.currency}
        ),
        "rows": view.referrer_rows(found.data, frame.context.settings.public_url),
        "more": frame.here(cursor=found.next_cursor) if found.next_cursor else "",
        "has_margin": frame.brand.margin_percent is not None,
        "margin": frame.brand.margin_percent,
        "may_change": may_change(frame),
        "orders": view.order_choices(has_margin=frame.brand.margin_percent is not None),
        "spans": view.span_choices(today, frame.brand.created_at.astimezone(UTC).date()),
        "currencies": _currencies(frame),
        "chosen": {"order": wanted.order.value, "span": wanted.span, "currency": wanted.currency},
        "kept": [("shop", frame.shop.slug)] if frame.shop else [],
        "chips": _chips(frame, wanted),
        "clear": frame.here(**dict.fromkeys(_FILTERS)),
        "span_name": translate(SOURCE, "all time")
        if wanted.span == ALL_TIME
        else view.span_name(wanted.span),
        "is_newest": is_newest,
        "everybody": frame.here(order=ReferrerOrder.newest.value, span=None),
    }
    return frame.page("admin/referrers.html", "people", values, by_shop=True)


@router.post("/margin")
async def save_margin(writer: MarketerWriter) -> Response:
    """What is left of revenue before the programme's costs, or that it is not known."""
    frame, form = writer
    refuse_limited(frame)
    page, entered = frame.url(PATH), form.text("margin", limit=4).rstrip(" %")
    if entered and not (entered.isascii() and entered.isdecimal() and 1 <= int(entered) <= 100):
        problem = translate(SOURCE, "A margin is a whole number from 1 to 100.")
        return frame.redirect(page, problem, Tone.failed)
    fields = BrandFields(margin_percent=int(entered) if entered else None)
    await change_brand(frame.session, frame.brand.id, fields, actor=frame.staff.actor)
    await note_brand_change(frame.session, frame.brand.id)
    return frame.redirect(page, translate(SOURCE, "Saved. Profits follow within seconds."))


def _filter_of(frame: Frame) -> ReferrerFilter:
    """What the address asks for; raises ValueError or AppError for what cannot be read."""
    query = frame.request.query_params
    currency = query.get("currency") or default_currency(frame.shops, frame.shop)
    if currency not in _currencies(frame):
        raise ValueError(currency)
    return ReferrerFilter(
        currency=currency,
        order=ReferrerOrder(query.get("order") or ReferrerOrder.revenue),
        span=read_span(query.get("span")),
        shop_id=frame.shop.id if frame.shop else None,
    )


def _currencies(frame: Frame) -> list[str]:
    """Those of the shops that are shown."""
    return sorted({shop.currency for shop in frame.shops} | {default_currency(frame.shops, frame.shop)})


def _chips(frame: Frame, wanted: ReferrerFilter) -> list[dict[str, str]]:
    """The filters in force, each with the address without it."""
    chips = []
    if wanted.span != ALL_TIME:
        text = translate(SOURCE, "ordered in %(span)s", span=view.span_name(wanted.span))
        chips.append({"name": text, "href": frame.here(span=None)})
    return chips
