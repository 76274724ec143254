"""What the team does about an answer: its state, who works on it, reasons and notes."""

from collections.abc import Sequence
from urllib.parse import urlencode

from starlette.responses import Response

from app.admin.dashboard.access import SupportWriter, screen_router
from app.admin.dashboard.flash import Tone
from app.admin.dashboard.frame import Frame
from app.admin.dashboard.responses import PATH, names_of
from app.admin.response_work import add_note_to, change_response_work, load_response
from app.admin.views import responses as view
from app.base import clock
from app.base.errors import AppError, NotFound
from app.base.i18n import SOURCE, translate
from app.base.ids import parse_public_id
from app.surveys.work_rules import WorkState

router = screen_router(PATH)


@router.post("/{id}/state")
async def save_state(id: str, writer: SupportWriter) -> Response:  # noqa: A002  # the path's own word
    """Mark it as answered, close it, or open it again; then the next one is shown."""
    form = writer[1]
    wanted, following = form.text("state"), form.text("next", limit=40)
    if wanted not in set(WorkState):
        raise AppError("bad_state", translate(SOURCE, "Choose what it shall be."))
    done = {
        WorkState.open: translate(SOURCE, "It is open again."),
        WorkState.answered: translate(SOURCE, "Marked as answered."),
        WorkState.closed: translate(SOURCE, "Closed."),
    }[WorkState(wanted)]
    shown = following if following and wanted != WorkState.open else id
    return await _change(writer, id, done, shown, state=WorkState(wanted))


@router.post("/{id}/assignee")
async def save_assignee(id: str, writer: SupportWriter) -> Response:  # noqa: A002  # as above
    """Give it to somebody."""
    form = writer[1]
    return await _change(
        writer, id, translate(SOURCE, "Saved."), id, assignee=form.text("assignee", limit=40)
    )


@router.post("/{id}/tags")
async def save_tags(id: str, writer: SupportWriter) -> Response:  # noqa: A002  # as above
    """Add a reason, or take one away."""
    frame, form = writer
    detail = await load_response(frame.session, frame.context, frame.staff.actor, parse_public_id("rsp", id))
    removed, added = form.text("remove", limit=100), form.text("tag", limit=100)
    tags = [each for each in detail.tags if each != removed] + ([added] if added else [])
    return await _change(writer, id, translate(SOURCE, "Saved."), id, tags=tags)


@router.post("/{id}/notes")
async def save_note(id: str, writer: SupportWriter) -> Response:  # noqa: A002  # as above
    """Add a note for the team."""
    frame, form = writer
    try:
        await add_note_to(
            frame.session, frame.staff.actor, parse_public_id("rsp", id), form.text("note"), now=clock.now()
        )
    except AppError as error:
        return back_to(frame, id, error)
    return frame.redirect(address_of(frame, id), translate(SOURCE, "Noted."))


async def _change(
    writer: SupportWriter,
    shown_id: str,
    done: str,
    following: str,
    *,
    state: WorkState | None = None,
    assignee: str | None = None,
    tags: Sequence[str] | None = None,
) -> Response:
    frame, form = writer
    version = form.text("version", limit=9)
    try:
        await change_response_work(
            frame.session,
            frame.staff.actor,
            parse_public_id("rsp", shown_id),
            state=state,
            assignee=assignee,
            tags=tags,
            version=int(version) if version.isdecimal() else None,
            now=clock.now(),
        )
    except AppError as error:
        if error.code == "changed_meanwhile":
            return frame.redirect(address_of(frame, shown_id), await meanwhile(frame, shown_id), Tone.failed)
        return back_to(frame, shown_id, error)
    return frame.redirect(address_of(frame, following), done)


async def meanwhile(frame: Frame, shown_id: str) -> str:
    """Who changed it last, and how."""
    detail = await load_response(
        frame.session, frame.context, frame.staff.actor, parse_public_id("rsp", shown_id)
    )
    done = view.done_rows(detail, (await names_of(frame)).actor)
    if not done:
        return translate(SOURCE, "The customer changed this answer meanwhile; nothing of yours was saved.")
    return translate(
        SOURCE,
        "Meanwhile %(who)s %(what)s; nothing of yours was saved.",
        who=done[0].who,
        what=done[0].what,
    )


def back_to(frame: Frame, shown_id: str, error: AppError) -> Response:
    """The answer again, with what was refused. Raises NotFound again."""
    if isinstance(error, NotFound):
        raise error
    return frame.redirect(address_of(frame, shown_id), error.detail, Tone.failed)


def address_of(frame: Frame, shown_id: str) -> str:
    """The address of the screen as it was, with this answer chosen."""
    query = {**frame.request.query_params, "answer": shown_id}
    return f"{PATH}?{urlencode(query)}"
