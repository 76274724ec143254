"""The system: what waits, what fails and why, for administrators."""

import json
from enum import StrEnum
from uuid import UUID

from starlette.responses import Response

from app.admin.alarm_models import Alarm
from app.admin.dashboard.access import AdminWriter, ForAdmin, screen_router
from app.admin.dashboard.flash import Tone
from app.admin.deliveries import delivery_detail
from app.admin.listing import PageRequest, list_page, matches
from app.admin.rows import ALARMS, DELIVERIES, MESSAGES
from app.admin.views.alarms import alarm_rows
from app.base import clock
from app.base.errors import AppError
from app.base.i18n import SOURCE, translate
from app.base.ids import parse_public_id
from app.ingest.models import Delivery
from app.ingest.rules import DeliveryStatus
from app.ingest.store import replay
from app.insight.invariants import check_brand
from app.insight.system import system_report
from app.messaging.models import Message
from app.messaging.resend import dismiss_message, resend_message
from app.messaging.rules import MessageStatus
from app.surveys.expire import over_messages

router = screen_router("/admin/system")
AT_ONCE = 25


class Decision(StrEnum):
    """About a message that may have been sent or not."""

    resend = "resend"
    dismiss = "dismiss"


@router.get("")
async def show_system(frame: ForAdmin) -> Response:
    """What waits, and the failed deliveries; with `check=1` the violated invariants too."""
    session, tokens = frame.session, frame.context.tokens
    wanted = PageRequest(tokens, AT_ONCE, frame.request.query_params.get("cursor"))
    failed = matches(Delivery.status, DeliveryStatus.failed)
    newest = PageRequest(tokens, AT_ONCE, None)
    undecided = matches(Message.status, MessageStatus.review)
    checked = frame.request.query_params.get("check") == "1"
    unsolved = Alarm.solved_at.is_(None)
    alarms = await list_page(session, newest, frame.staff.actor, ALARMS, unsolved)
    values = {
        "report": await system_report(session, frame.brand.id, now=clock.now()),
        "failed": await list_page(session, wanted, frame.staff.actor, DELIVERIES, failed),
        "alarms": alarm_rows(alarms.data),
        "checked": checked,
        "in_review": await list_page(session, newest, frame.staff.actor, MESSAGES, undecided),
        "violations": await check_brand(session, tokens, frame.brand.id) if checked else [],
    }
    return frame.page("admin/system.html", "system", values)


@router.get("/deliveries/{id}")
async def show_delivery(id: str, frame: ForAdmin) -> Response:  # noqa: A002  # the path's own word
    """One delivery as it was received."""
    found = await delivery_detail(frame.session, frame.staff.actor, _delivery_id(id))
    values = {"it": found, "content": _pretty(found.content), "fetched": _pretty(found.fetched)}
    return frame.page("admin/system_delivery.html", "system", values)


@router.post("/deliveries/{id}/replay")
async def replay_delivery(id: str, writer: AdminWriter) -> Response:  # noqa: A002  # the path's own word
    """Process a failed delivery again."""
    frame, _ = writer
    path = frame.url("/admin/system")
    try:
        await replay(frame.session, frame.brand.id, _delivery_id(id), actor=frame.staff.actor)
    except AppError as error:
        if error.status != 409:
            raise
        return frame.redirect(path, error.detail, Tone.failed)
    return frame.redirect(path, translate(SOURCE, "The delivery is processed again."))


@router.post("/messages/{id}/{decision}")
async def decide_message(
    id: str,  # noqa: A002  # the path's own word
    decision: Decision,
    writer: AdminWriter,
) -> Response:
    """Send a message in review once more, or leave it as it is."""
    frame, _ = writer
    now, message_id, actor = clock.now(), parse_public_id("msg", id), frame.staff.actor
    path = frame.url("/admin/system")
    try:
        if decision is Decision.dismiss:
            await dismiss_message(frame.session, frame.brand.id, message_id, actor=actor)
            return frame.redirect(path, translate(SOURCE, "The message is not sent again."))
        over = {"survey_expired": over_messages(now)["survey_expired"]}
        await resend_message(frame.session, frame.brand.id, message_id, over=over, actor=actor, now=now)
    except AppError as error:
        if error.status != 409:
            raise
        return frame.redirect(path, error.detail, Tone.failed)
    return frame.redirect(path, translate(SOURCE, "The message is sent once more."))


def _delivery_id(shown_id: str) -> UUID:
    return parse_public_id("dlv", shown_id)


def _pretty(content: object) -> str:
    """The content to read: JSON with a line a field, a text as it is; empty for none."""
    if content is None or isinstance(content, str):
        return content or ""
    return json.dumps(content, indent=2, ensure_ascii=False)
