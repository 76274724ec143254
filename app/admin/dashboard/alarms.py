"""Settings, Alarms: what is wrong now, what was, and who is called about it."""

from typing import Annotated

from fastapi import Depends
from sqlalchemy import true
from starlette.responses import Response

from app.admin.alarm_calls import try_webhook
from app.admin.alarm_models import Alarm
from app.admin.alarm_settings import (
    alarm_settings,
    change_no_survey_hours,
    remove_webhook,
    set_webhook,
    webhook_target,
)
from app.admin.dashboard.access import AdminWriter, ForAdmin, confirmed_writer, screen_router
from app.admin.dashboard.flash import Tone
from app.admin.dashboard.form import Form
from app.admin.dashboard.frame import Frame
from app.admin.listing import PageRequest, list_page
from app.admin.rows import ALARMS
from app.admin.views.alarms import ALARMS_PATH, alarm_rows, call_text
from app.base import clock
from app.base.errors import AppError
from app.base.i18n import SOURCE, translate

_AT_ONCE = 50
router = screen_router(ALARMS_PATH)
Naming = Annotated[tuple[Frame, Form], Depends(confirmed_writer(ALARMS_PATH), scope="function")]


@router.get("")
async def show_alarms(frame: ForAdmin) -> Response:
    """The alarms, newest first: the unsolved, or all; below them the settings."""
    return await _page(frame)


async def _page(frame: Frame, errors: dict[str, str] | None = None, **entered: str) -> Response:
    query = frame.request.query_params
    everything = query.get("show") == "all"
    wanted = PageRequest(frame.context.tokens, _AT_ONCE, query.get("cursor"))
    chosen = true() if everything else Alarm.solved_at.is_(None)
    found = await list_page(frame.session, wanted, frame.staff.actor, ALARMS, chosen)
    settings = await alarm_settings(frame.session, frame.brand.id)
    values = {
        "alarms": alarm_rows(found.data),
        "everything": everything,
        "views": [
            {
                "href": frame.here(show=None),
                "name": _("Unsolved"),
                "is_current": not everything,
                "count": None,
            },
            {"href": frame.here(show="all"), "name": _("All"), "is_current": everything, "count": None},
        ],
        "older": frame.here(cursor=found.next_cursor) if found.next_cursor else "",
        "settings": settings,
        "hours": entered.get("hours", str(settings.no_survey_hours)),
        "address": entered.get("address", settings.webhook_url or ""),
        "last_call": call_text(settings.last_call),
        "errors": errors or {},
    }
    return frame.page("admin/alarms.html", "alarms", values, status=422 if errors else 200)


def _(text: str) -> str:
    return translate(SOURCE, text)


@router.post("/hours")
async def change_hours(writer: AdminWriter) -> Response:
    """After how long without a survey there is an alarm."""
    frame, form = writer
    entered = form.text("hours", limit=10)
    hours = int(entered) if entered.isascii() and entered.isdecimal() else 0
    try:
        await change_no_survey_hours(
            frame.session, frame.brand.id, hours, actor=frame.staff.actor, now=clock.now()
        )
    except AppError as error:
        return await _page(frame, {"hours": error.detail}, hours=entered)
    return frame.redirect(ALARMS_PATH, _("Saved."))


@router.post("/webhook")
async def save_webhook(writer: Naming) -> Response:
    """Post alarms to an address; its secret is shown this once."""
    frame, form = writer
    address = form.text("address", limit=600)
    try:
        secret = await set_webhook(
            frame.session,
            frame.context.settings,
            frame.context.tokens,
            address,
            actor=frame.staff.actor,
            now=clock.now(),
        )
    except AppError as error:
        return await _page(frame, {"address": error.detail}, address=address)
    return frame.page("admin/alarm_secret.html", "alarms", {"secret": secret, "address": address})


@router.post("/webhook/test")
async def test_webhook(writer: AdminWriter) -> Response:
    """Post a test at once, and show the outcome."""
    frame, _form = writer
    url, secret = await webhook_target(frame.session, frame.context.tokens, frame.brand.id)
    # The call may take long: no transaction waits for it.
    await frame.session.rollback()
    reason = await try_webhook(frame.context.settings, url, secret)
    if reason is None:
        return frame.redirect(ALARMS_PATH, _("The test was accepted."))
    return frame.redirect(
        ALARMS_PATH, translate(SOURCE, "The test failed: %(reason)s", reason=reason), Tone.failed
    )


@router.post("/webhook/remove")
async def end_webhook(writer: AdminWriter) -> Response:
    """Post alarms nowhere any more."""
    frame, _form = writer
    await remove_webhook(frame.session, actor=frame.staff.actor, now=clock.now())
    return frame.redirect(ALARMS_PATH, _("The webhook is removed; alarms are mailed as before."))
