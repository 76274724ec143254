"""Decisions about an answer that are no work on it: whether its words may be shown to others."""

from starlette.responses import Response

from app.admin.dashboard.access import SupportWriter, screen_router
from app.admin.dashboard.responses import PATH, address_of, back_to
from app.admin.response_work import withdraw
from app.base import clock
from app.base.errors import AppError
from app.base.i18n import SOURCE, translate
from app.base.ids import parse_public_id

router = screen_router(PATH)


@router.post("/{id}/testimonial/withdraw")
async def withdraw_words(id: str, writer: SupportWriter) -> Response:  # noqa: A002  # the path's own word
    """Show the customer's words to nobody any more."""
    frame, _ = writer
    try:
        await withdraw(frame.session, frame.staff.actor, parse_public_id("rsp", id), now=clock.now())
    except AppError as error:
        return back_to(frame, id, error)
    done = translate(SOURCE, "Withdrawn. Take the words down where you show them.")
    return frame.redirect(address_of(frame, id), done)
