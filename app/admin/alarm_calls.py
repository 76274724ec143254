"""Calls of a brand's webhook about its alarms: signed, tried again, never to an address of ours."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import aiohttp
from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession
from standardwebhooks import Webhook

from app.admin.alarm_models import Alarm, AlarmCall, AlarmEvent, AlarmSettings
from app.admin.alarm_schemas import AlarmRow, WebhookBody
from app.base import clock
from app.base.batch import in_ids
from app.base.config import Settings
from app.base.context import AppContext
from app.base.due import wake
from app.base.http import of_exception
from app.base.ids import new_id
from app.platforms.calls import open_platform_session

SWEEP_NAME = "alarm-calls"
BATCH = 10
LEASE = timedelta(minutes=2)
"""A call that a process began and never finished is made again after this."""
CALL_SECONDS = 15.0
WAITS = (
    timedelta(minutes=1),
    timedelta(minutes=5),
    timedelta(minutes=30),
    timedelta(hours=2),
    timedelta(hours=8),
    timedelta(hours=24),
)
"""Between two tries; after the last of them the call is given up."""


@dataclass(frozen=True, slots=True)
class ClaimedCall:
    """A call to make now."""

    id: UUID
    body: str
    attempts: int
    """This one included."""


async def queue_calls(
    session: AsyncSession, alarms: Sequence[Alarm], event: AlarmEvent, *, now: datetime
) -> None:
    """Have the webhook called about these alarms once the transaction is committed."""
    for alarm in alarms:
        body = WebhookBody(type=f"alarm.{event}", timestamp=now, data=AlarmRow.of(alarm))
        call = AlarmCall(
            brand_id=alarm.brand_id,
            id=new_id(),
            alarm_id=alarm.id,
            event=event,
            body=body.model_dump_json(),
            due_at=now,
        )
        session.add(call)
    if alarms:
        await session.flush()
        await wake(session, SWEEP_NAME)


async def make_due_calls(context: AppContext, brand_id: int, *, now: datetime) -> int:
    """Call the brand's webhook about what is due, oldest first; returns how many calls were tried.

    Calls whose webhook was removed meanwhile are given up.
    """
    async with context.sessions.begin() as session:
        settings = await session.get(AlarmSettings, brand_id)
        calls = await _claim(session, brand_id, now)
        if settings is None or settings.webhook_url is None or settings.sealed_webhook_secret is None:
            await _give_up(session, brand_id, calls)
            return len(calls)
        url, secret = settings.webhook_url, context.tokens.open(settings.sealed_webhook_secret)
    if not calls:
        return 0
    async with open_webhook_session(context.settings) as http:
        made = (post(http, url, secret, f"alc_{call.id.hex}", call.body) for call in calls)
        reasons = await asyncio.gather(*made)
    async with context.sessions.begin() as session:
        for call, reason in zip(calls, reasons, strict=True):
            await _record(session, brand_id, call, reason, now=now)
    return len(calls)


async def _claim(session: AsyncSession, brand_id: int, now: datetime) -> list[ClaimedCall]:
    due = (
        select(AlarmCall.id)
        .where(AlarmCall.brand_id == brand_id, AlarmCall.due_at <= now)
        .order_by(AlarmCall.due_at, AlarmCall.id)
        .limit(BATCH)
        .with_for_update(skip_locked=True)
    )
    ids = list(await session.scalars(due))
    if not ids:
        return []
    claimed = await session.execute(
        update(AlarmCall)
        .where(AlarmCall.brand_id == brand_id, in_ids(AlarmCall.id, ids))
        .values(due_at=now + LEASE, attempts=AlarmCall.attempts + 1)
        .returning(AlarmCall.id, AlarmCall.body, AlarmCall.attempts)
        .execution_options(synchronize_session=False)
    )
    return sorted((ClaimedCall(*row) for row in claimed), key=lambda call: call.id)


async def _give_up(session: AsyncSession, brand_id: int, calls: Sequence[ClaimedCall]) -> None:
    await session.execute(
        update(AlarmCall)
        .where(AlarmCall.brand_id == brand_id, in_ids(AlarmCall.id, [call.id for call in calls]))
        .values(due_at=None, reason="The webhook was removed.")
        .execution_options(synchronize_session=False)
    )


async def _record(
    session: AsyncSession, brand_id: int, call: ClaimedCall, reason: str | None, *, now: datetime
) -> None:
    """Store the outcome of one attempt, unless a later attempt was begun meanwhile."""
    wait = WAITS[call.attempts - 1] if call.attempts <= len(WAITS) else None
    again = None if reason is None or wait is None else now + wait
    await session.execute(
        update(AlarmCall)
        .where(AlarmCall.brand_id == brand_id, AlarmCall.id == call.id, AlarmCall.attempts == call.attempts)
        .values(due_at=again, accepted_at=now if reason is None else None, reason=reason)
        .execution_options(synchronize_session=False)
    )


def open_webhook_session(settings: Settings) -> aiohttp.ClientSession:
    """A session that reaches public addresses only, whatever the brand entered."""
    return open_platform_session(settings, connections=BATCH, total_seconds=CALL_SECONDS)


async def post(http: aiohttp.ClientSession, url: str, secret: str, call_id: str, body: str) -> str | None:
    """Make one signed call; None where it was accepted (2xx), else why not, in a sentence.

    Headers and signature are those of Standard Webhooks.
    """
    at = clock.now()
    headers = {
        "Content-Type": "application/json",
        "webhook-id": call_id,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": Webhook(secret).sign(call_id, at, body),
    }
    try:
        async with http.post(url, data=body.encode(), headers=headers) as response:
            if 200 <= response.status < 300:
                return None
            return f"The receiver responded with {response.status}."
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        reason = of_exception(error, other="receiver").reason
        return f"{reason[:1].upper()}{reason[1:]}."


async def try_webhook(settings: Settings, url: str, secret: str) -> str | None:
    """Call the webhook with a test, at once and once; as `post`."""
    body = WebhookBody(type="alarm.test", timestamp=clock.now(), data=None)
    async with open_webhook_session(settings) as http:
        return await post(http, url, secret, f"alc_{new_id().hex}", body.model_dump_json())
