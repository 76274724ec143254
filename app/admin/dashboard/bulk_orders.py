"""Friends' orders, many at once: what a filter means, the question, and how far it is done."""

from collections.abc import Mapping

from starlette.responses import RedirectResponse, Response

from app.admin.bulk import BulkQuestion, check_action, count_meant, find_bulk, start_bulk
from app.admin.dashboard.access import ForMarketer, MarketerWriter, screen_router
from app.admin.dashboard.flash import Tone
from app.admin.dashboard.frame import Frame
from app.admin.dashboard.order_filters import FILTERS, chips, texts_of
from app.admin.redemptions import read_filter
from app.admin.rules import BulkAction
from app.admin.schemas import BulkReport
from app.admin.views import orders as view
from app.base import clock
from app.base.errors import AppError, NotFound
from app.base.i18n import SOURCE, translate
from app.base.ids import parse_public_id, public_id
from app.base.text import is_clean
from app.brands.entered import NAME_LIMIT

LIST = "/admin/orders"
PATH = f"{LIST}/bulk"
router = screen_router(PATH)


@router.get("")
async def ask(frame: ForMarketer) -> Response:
    """The question: how many orders the filter means now, and the outcome for them."""
    query = frame.request.query_params
    try:
        action = BulkAction(query.get("action", ""))
        wanted = read_filter(texts_of(query, frame.shop.slug if frame.shop else None), frame.brand.time_zone)
        check_action(action, wanted)
        meant = await count_meant(frame.session, frame.staff.actor, wanted)
    except AppError as error:
        return frame.redirect(_back(frame, query), error.detail, Tone.failed)
    except ValueError:
        return RedirectResponse(frame.url(LIST), 303)
    values = {
        "is_approval": action is BulkAction.approve,
        "count": meant.count,
        "until": public_id("red", meant.until) if meant.until else "",
        "state": view.state_name(query["status"]),
        "filters": [each["name"] for each in chips(frame)],
        "kept": [(name, query[name]) for name in ("action", "status", *FILTERS) if query.get(name)],
        "back": _back(frame, query),
        "reason_limit": NAME_LIMIT,
    }
    return frame.page("admin/orders_bulk.html", "orders", values)


@router.post("")
async def decide(writer: MarketerWriter) -> Response:
    """Decide about those that the question counted; what came since waits for another one."""
    frame, form = writer
    fields = {name: form.text(name, limit=NAME_LIMIT) for name in ("action", "status", *FILTERS)}
    why, shop = form.text("why", limit=NAME_LIMIT), form.text("shop", limit=NAME_LIMIT)
    if not is_clean(why):
        why = ""
    try:
        bulk = await start_bulk(
            frame.session,
            frame.context.tokens,
            frame.brand,
            BulkQuestion(
                BulkAction(fields["action"]),
                texts_of(fields, shop),
                why or None,
                parse_public_id("red", form.text("until", limit=100)),
            ),
            actor=frame.staff.actor,
            now=clock.now(),
        )
    except (AppError, ValueError) as error:
        detail = error.detail if isinstance(error, AppError) else translate(SOURCE, "Choose again.")
        return frame.redirect(_back(frame, fields), detail, Tone.failed)
    return frame.redirect(frame.url(f"{PATH}/{public_id('blk', bulk.id)}"))


@router.get("/{id}")
async def show_progress(id: str, frame: ForMarketer) -> Response:  # noqa: A002  # the path's own word
    """How far it is done, and at its end which orders were left out and why."""
    bulk_id = parse_public_id("blk", id)
    if public_id("blk", bulk_id) != id:
        raise NotFound
    it = BulkReport.of(await find_bulk(frame.session, frame.staff.actor, bulk_id))
    values = {
        "it": it,
        "is_approval": it.action == BulkAction.approve,
        "problems": [
            (each.redemption, each.order_number, view.why_left_out(each.code)) for each in it.problems
        ],
        "waiting": max(0, it.total - it.done - it.left_out),
    }
    return frame.page("admin/orders_bulk_end.html", "orders", values)


def _back(frame: Frame, fields: Mapping[str, str]) -> str:
    return frame.url(LIST, **{name: fields.get(name) or None for name in ("status", *FILTERS)})
