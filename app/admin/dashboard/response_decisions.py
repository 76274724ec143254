"""Decisions about answers: which ones wait, whether a person gave one, whether one may be shown."""

from starlette.responses import Response

from app.admin.dashboard.access import MarketerWriter, SupportWriter, screen_router
from app.admin.dashboard.response_changes import address_of, back_to
from app.admin.dashboard.responses import PATH
from app.admin.dashboard.terms import refuse_limited
from app.admin.response_work import decide, withdraw
from app.base import clock
from app.base.errors import AppError
from app.base.i18n import SOURCE, translate
from app.base.ids import parse_public_id
from app.brands.change import BrandFields, change_brand
from app.surveys.suspects import Decision
from app.surveys.suspicion_rules import Suspicion

router = screen_router(PATH)


@router.post("/passives")
async def save_passives(writer: MarketerWriter) -> Response:
    """Whether passives' answers with a comment wait for the team too, from now on."""
    frame, form = writer
    refuse_limited(frame)
    fields = BrandFields(opens_passives=form.is_on("opens_passives"))
    await change_brand(frame.session, frame.brand.id, fields, actor=frame.staff.actor)
    return frame.redirect(frame.url(PATH), translate(SOURCE, "Saved; it holds for new answers."))


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


@router.post("/{id}/suspicion")
async def decide_suspicion(id: str, writer: SupportWriter) -> Response:  # noqa: A002  # as above
    """Say that a person gave a suspected answer, or leave it out of the figures."""
    frame, form = writer
    decision: Decision = Suspicion.left_out if form.text("decision") == Suspicion.left_out else Suspicion.real
    done = {
        Suspicion.real: translate(SOURCE, "It counts."),
        Suspicion.left_out: translate(SOURCE, "It is left out of the figures."),
    }[decision]
    try:
        await decide(frame.session, frame.staff.actor, parse_public_id("rsp", id), decision, now=clock.now())
    except AppError as error:
        return back_to(frame, id, error)
    return frame.redirect(address_of(frame, form.text("next", limit=40) or id), done)
