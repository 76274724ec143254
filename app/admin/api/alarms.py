"""Alarms: what is wrong with the brand, and who is called about it."""

from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import true
from starlette.responses import JSONResponse

from app.admin.alarm_calls import try_webhook
from app.admin.alarm_models import Alarm
from app.admin.alarm_schemas import AlarmRow, AlarmSettingsShape, SavedWebhook, WebhookTest
from app.admin.alarm_settings import (
    alarm_settings,
    change_no_survey_hours,
    remove_webhook,
    set_webhook,
    webhook_target,
)
from app.admin.api.route import ApiRoute
from app.admin.auth import Administrator, Reader
from app.admin.fields import Url
from app.admin.idempotency import IdempotentWriteDep, WriteResult
from app.admin.listing import PageDep, list_page
from app.admin.rows import ALARMS
from app.base import clock
from app.base.schemas import Page
from app.base.web.context import ContextDep, SessionDep
from app.base.web.openapi import problems
from app.insight.alarm_rules import NO_SURVEY_LEAST, NO_SURVEY_MOST

router = APIRouter(prefix="/alarms", tags=["numbers"], route_class=ApiRoute)


class AlarmChange(BaseModel):
    """What may be changed of the settings."""

    model_config = ConfigDict(extra="forbid")

    no_survey_hours: Annotated[int, Field(ge=NO_SURVEY_LEAST, le=NO_SURVEY_MOST)]


class NewWebhook(BaseModel):
    """Where alarms are posted to; an https address."""

    model_config = ConfigDict(extra="forbid")

    url: Url


@router.get("")
async def list_alarms(
    caller: Reader, wanted: PageDep, session: SessionDep, unsolved: bool = False
) -> Page[AlarmRow]:
    """What is wrong, and what was, newest first; with `unsolved` what is wrong now."""
    chosen = Alarm.solved_at.is_(None) if unsolved else true()
    return await list_page(session, wanted, caller, ALARMS, chosen)


@router.get("/settings")
async def show_alarm_settings(caller: Administrator, session: SessionDep) -> AlarmSettingsShape:
    """After how long without surveys there is an alarm, and which webhook is called."""
    return await alarm_settings(session, caller.brand_id)


@router.patch("/settings", response_model=AlarmSettingsShape, responses=problems(413))
async def change_alarm_settings(
    body: AlarmChange, caller: Administrator, write: IdempotentWriteDep
) -> JSONResponse:
    """Change after how long without surveys there is an alarm."""

    async def act() -> WriteResult:
        await change_no_survey_hours(
            write.session, caller.brand_id, body.no_survey_hours, actor=caller, now=clock.now()
        )
        return WriteResult(await alarm_settings(write.session, caller.brand_id))

    return await write.run(caller, act)


@router.put("/webhook", response_model=SavedWebhook, responses=problems(413))
async def put_alarm_webhook(
    body: NewWebhook, caller: Administrator, context: ContextDep, write: IdempotentWriteDep
) -> JSONResponse:
    """Have alarms posted to this address; `secret` is shown here and never again.

    Each is signed as Standard Webhooks has it. A new secret is made each time.
    """

    async def act() -> WriteResult:
        secret = await set_webhook(
            write.session, context.settings, context.tokens, body.url, actor=caller, now=clock.now()
        )
        shown = await alarm_settings(write.session, caller.brand_id)
        return WriteResult(SavedWebhook(**shown.model_dump(), secret=secret), shown_once=("secret",))

    return await write.run(caller, act)


@router.delete("/webhook", response_model=AlarmSettingsShape)
async def remove_alarm_webhook(caller: Administrator, write: IdempotentWriteDep) -> JSONResponse:
    """Post alarms nowhere any more; what was not accepted yet is given up."""

    async def act() -> WriteResult:
        await remove_webhook(write.session, actor=caller, now=clock.now())
        return WriteResult(await alarm_settings(write.session, caller.brand_id))

    return await write.run(caller, act)


@router.post("/webhook/test", response_model=WebhookTest, responses=problems(404))
async def test_alarm_webhook(
    caller: Administrator, context: ContextDep, write: IdempotentWriteDep
) -> JSONResponse:
    """Post a signed test at once, and return the outcome."""
    async with context.sessions() as session:
        url, secret = await webhook_target(session, context.tokens, caller.brand_id)
        stored = await write.find_stored(session, caller)
    if stored is not None:
        return stored
    reason = await try_webhook(context.settings, url, secret)

    async def act() -> WriteResult:
        return WriteResult(WebhookTest(accepted=reason is None, reason=reason))

    return await write.run(caller, act)
