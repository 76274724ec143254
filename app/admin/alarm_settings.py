"""What a brand sets about its alarms: the hours without surveys, and which webhook is called."""

from datetime import datetime
from urllib.parse import urlsplit

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.admin.alarm_models import AlarmCall, AlarmSettings
from app.admin.alarm_schemas import AlarmSettingsShape
from app.base.actor import Actor
from app.base.audit import AuditAction, record_action
from app.base.config import Settings
from app.base.errors import AppError
from app.base.tokens import Tokens, new_webhook_secret
from app.brands.rules import is_web_address
from app.insight.alarm_rules import NO_SURVEY_HOURS, NO_SURVEY_LEAST, NO_SURVEY_MOST


async def alarm_settings(session: AsyncSession, brand_id: int) -> AlarmSettingsShape:
    """The settings as they are shown, with the outcome of the latest call."""
    row = await session.get(AlarmSettings, brand_id)
    latest = select(AlarmCall).where(AlarmCall.brand_id == brand_id).order_by(AlarmCall.id.desc()).limit(1)
    return AlarmSettingsShape.of(row, await session.scalar(latest))


async def change_no_survey_hours(
    session: AsyncSession, brand_id: int, hours: int, *, actor: Actor, now: datetime
) -> None:
    """Have an alarm after so many hours without a survey. Raises `AppError` `bad_hours`."""
    if not NO_SURVEY_LEAST <= hours <= NO_SURVEY_MOST:
        raise AppError("bad_hours", f"Give {NO_SURVEY_LEAST} to {NO_SURVEY_MOST} hours.")
    row = await _lock(session, brand_id, now)
    if row.no_survey_hours == hours:
        return
    changes: dict[str, tuple[object, object]] = {"no_survey_hours": (row.no_survey_hours, hours)}
    row.no_survey_hours, row.check_due_at = hours, now
    await session.flush()
    await record_action(session, actor, AuditAction.alarms_changed, ("brand", None), changes)


async def set_webhook(
    session: AsyncSession, settings: Settings, tokens: Tokens, url: str, *, actor: Actor, now: datetime
) -> str:
    """Have this address called from now on; returns the new secret that signs the calls.

    The secret of before signs no more. Raises `AppError` `bad_webhook_url` for what is no https
    address; whether it is a public one is checked at each call.
    """
    schemes = {"https", "http"} if settings.local_platforms else {"https"}
    if not is_web_address(url) or urlsplit(url).scheme not in schemes:
        raise AppError("bad_webhook_url", "Give an https address, such as https://hooks.example/tenfold.")
    row = await _lock(session, actor.brand_id, now)
    secret = new_webhook_secret()
    before, row.webhook_url = row.webhook_url, url
    row.sealed_webhook_secret = tokens.seal(secret)
    await session.flush()
    changes: dict[str, tuple[object, object]] = {"webhook_url": (before, url)}
    await record_action(session, actor, AuditAction.alarms_changed, ("brand", None), changes)
    return secret


async def remove_webhook(session: AsyncSession, *, actor: Actor, now: datetime) -> None:
    """Call it no more; what is still to be called is given up."""
    row = await _lock(session, actor.brand_id, now)
    if row.webhook_url is None:
        return
    before, row.webhook_url, row.sealed_webhook_secret = row.webhook_url, None, None
    await session.flush()
    changes: dict[str, tuple[object, object]] = {"webhook_url": (before, None)}
    await record_action(session, actor, AuditAction.alarms_changed, ("brand", None), changes)


async def webhook_target(session: AsyncSession, tokens: Tokens, brand_id: int) -> tuple[str, str]:
    """The webhook's address and secret. Raises `AppError` `no_webhook` (404)."""
    row = await session.get(AlarmSettings, brand_id)
    if row is None or row.webhook_url is None or row.sealed_webhook_secret is None:
        raise AppError("no_webhook", "The brand has no webhook; set its address first.", status=404)
    return row.webhook_url, tokens.open(row.sealed_webhook_secret)


async def reseal_webhook(session: AsyncSession, tokens: Tokens, brand_id: int) -> int:
    """Seal the secret anew where it is under a former key; returns 1 where it was. Idempotent.

    Raises `ValueError` where it is under a key that is not known.
    """
    chosen = select(AlarmSettings).where(AlarmSettings.brand_id == brand_id).with_for_update()
    row = await session.scalar(chosen)
    if row is None or row.sealed_webhook_secret is None or tokens.is_present(row.sealed_webhook_secret):
        return 0
    row.sealed_webhook_secret = tokens.seal(tokens.open(row.sealed_webhook_secret))
    await session.flush()
    return 1


async def _lock(session: AsyncSession, brand_id: int, now: datetime) -> AlarmSettings:
    """The brand's row, made where there is none, locked until the commit."""
    await session.execute(
        insert(AlarmSettings)
        .values(brand_id=brand_id, check_due_at=now, no_survey_hours=NO_SURVEY_HOURS)
        .on_conflict_do_nothing()
    )
    chosen = select(AlarmSettings).where(AlarmSettings.brand_id == brand_id).with_for_update()
    return (await session.scalars(chosen.execution_options(populate_existing=True))).one()
