"""A reply to an answer: how its customer would read it, then sending it."""

from starlette.responses import Response

from app.admin.dashboard.access import SupportWriter, screen_router
from app.admin.dashboard.form import Form
from app.admin.dashboard.frame import Frame
from app.admin.dashboard.response_changes import address_of, meanwhile
from app.admin.dashboard.responses import PATH
from app.admin.response_work import (
    FullResponse,
    load_response,
    preview_reply_to,
    reply_to,
)
from app.admin.views import responses as view
from app.base import clock
from app.base.errors import AppError, NotFound
from app.base.i18n import SOURCE, translate
from app.base.ids import parse_public_id
from app.base.text import several_lines
from app.brands.programme import Channel
from app.messaging.compose import sender_of
from app.messaging.gsm import count_segments
from app.messaging.providers.protocol import Content
from app.surveys.reply import NewReply
from app.surveys.work_rules import REPLY_LIMITS

router = screen_router(PATH)
_LONGEST = max(REPLY_LIMITS.values())


@router.post("/{id}/reply")
async def write_reply(id: str, writer: SupportWriter) -> Response:  # noqa: A002  # the path's own word
    """Show the reply, or send it where it was shown as it is.

    What is refused leaves the words where they are.
    """
    frame, form = writer
    response_id = parse_public_id("rsp", id)
    reply = _read(form)
    version = form.text("version", limit=9)
    given = int(version) if version.isdecimal() else None
    problem, content, actor = "", None, frame.staff.actor
    try:
        if form.text("step") == "send" and _cleaned(form.text("shown")) == _cleaned(reply.words):
            await reply_to(
                frame.session, frame.context, actor, response_id, reply, version=given, now=clock.now()
            )
            shown = form.text("next", limit=40) or id
            return frame.redirect(
                address_of(frame, shown),
                translate(SOURCE, "The reply is on its way. The answer is marked once it has left."),
            )
        content = await preview_reply_to(frame.session, frame.context, actor, response_id, reply)
    except NotFound:
        raise
    except AppError as error:
        problem = await meanwhile(frame, id) if error.code == "changed_meanwhile" else error.detail
    detail = await load_response(frame.session, frame.context, actor, response_id)
    return _page(frame, form, detail, reply, content, problem)


def _read(form: Form) -> NewReply:
    channel = form.text("channel", limit=10)
    if channel not in set(Channel):
        raise AppError("bad_channel", translate(SOURCE, "Choose how the reply is sent."))
    return NewReply(Channel(channel), form.text("text"))


def _cleaned(text: str) -> str:
    return several_lines(text, limit=_LONGEST + 1)


def _page(
    frame: Frame, form: Form, detail: FullResponse, reply: NewReply, content: Content | None, problem: str
) -> Response:
    way = next(each for each in view.reply_ways(detail) if each.channel == reply.channel)
    is_text = reply.channel is Channel.sms
    values = {
        "detail": detail,
        "name": view.name_of(detail),
        "way": way,
        "is_text": is_text,
        "answers_to": "" if is_text else sender_of(frame.brand, frame.context.settings)[1],
        "content": content,
        "segments": count_segments(content.text).count if is_text and content else 0,
        "words": reply.words,
        "limit": REPLY_LIMITS[reply.channel],
        "next": form.text("next", limit=40),
        "problem": problem,
        "act": f"{PATH}/{detail.id}/reply",
        "query": f"?{frame.request.url.query}" if frame.request.url.query else "",
        "back": address_of(frame, detail.id),
    }
    return frame.page("admin/answer_reply.html", "answers", values, status=422 if problem else 200)
