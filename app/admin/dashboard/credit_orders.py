"""Friends' orders that a person credits to a referrer, or takes away again."""

from starlette.responses import Response

from app.admin.dashboard.access import ForMarketer, MarketerWriter, screen_router
from app.admin.dashboard.flash import Tone
from app.admin.dashboard.form import Form
from app.admin.dashboard.frame import Frame
from app.admin.listing import get_row
from app.admin.relink import credit_order, find_order_id, relink_redemption
from app.admin.rows import REDEMPTIONS
from app.base import clock
from app.base.errors import AppError
from app.base.i18n import SOURCE, translate
from app.base.ids import parse_public_id, public_id
from app.base.text import is_clean
from app.brands.entered import NAME_LIMIT

PATH = "/admin/orders"
router = screen_router(PATH)
_FIELDS = ("order", "to", "reason")


@router.get("/credit")
async def show_form(frame: ForMarketer) -> Response:
    """The form by which an order without a code is credited to a referrer."""
    return _form(frame, dict.fromkeys(_FIELDS, ""), {})


@router.post("/credit")
async def credit(writer: MarketerWriter) -> Response:
    """Credit it; what cannot be done is said beside the form."""
    frame, form = writer
    given = {name: form.text(name, limit=NAME_LIMIT) for name in _FIELDS}
    missing = translate(SOURCE, "This is needed.")
    errors = {name: missing for name, text in given.items() if not text or not is_clean(text)}
    if errors:
        return _form(frame, given, errors)
    actor = frame.staff.actor
    try:
        order_id = await find_order_id(frame.session, actor, given["order"])
        # What was begun is undone where it is refused.
        async with frame.session.begin_nested():
            redemption_id = await credit_order(
                frame.session,
                frame.context.tokens,
                frame.brand,
                actor,
                order_id,
                given["to"],
                reason=given["reason"],
                now=clock.now(),
            )
    except AppError as error:
        if error.status not in (404, 409, 422):
            raise
        field = "to" if error.code == "unknown_referrer" else "order"
        return frame.redirect(frame.url(f"{PATH}/credit"), f"{given[field]}: {error.detail}", Tone.failed)
    shown = public_id("red", redemption_id)
    return frame.redirect(frame.url(f"{PATH}/{shown}"), translate(SOURCE, "It is credited to them now."))


def _form(frame: Frame, given: dict[str, str], errors: dict[str, str]) -> Response:
    values = {"given": given, "errors": errors, "limit": NAME_LIMIT}
    return frame.page("admin/order_credit.html", "orders", values, status=422 if errors else 200)


@router.post("/{id}/relink")
async def relink(id: str, writer: MarketerWriter) -> Response:  # noqa: A002  # the path's own word
    """Credit it to another referrer instead."""
    frame, form = writer
    to = form.text("to", limit=NAME_LIMIT)
    return await _relinked(frame, form, id, to, translate(SOURCE, "It is credited to them now."))


@router.post("/{id}/take-back")
async def take_back(id: str, writer: MarketerWriter) -> Response:  # noqa: A002  # the path's own word
    """Take it away from the referrer whom it is credited to."""
    frame, form = writer
    return await _relinked(frame, form, id, None, translate(SOURCE, "It is taken back."))


async def _relinked(frame: Frame, form: Form, shown_id: str, to: str | None, done: str) -> Response:
    redemption_id = parse_public_id("red", shown_id)
    # Nothing is said about an order that is not this caller's.
    await get_row(frame.session, frame.staff.actor, REDEMPTIONS, redemption_id)
    page, reason = frame.url(f"{PATH}/{shown_id}"), form.text("reason", limit=NAME_LIMIT)
    if to == "" or not reason or not is_clean(f"{to}{reason}"):
        return frame.redirect(page, translate(SOURCE, "Say whose it is, and why."), Tone.failed)
    try:
        async with frame.session.begin_nested():
            await relink_redemption(
                frame.session,
                frame.context.tokens,
                frame.brand,
                frame.staff.actor,
                redemption_id,
                to,
                reason=reason,
                now=clock.now(),
            )
    except AppError as error:
        if error.status not in (409, 422):
            raise
        return frame.redirect(page, error.detail, Tone.failed)
    return frame.redirect(page, done)
