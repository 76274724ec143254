"""Check a brand, raise alarms for what is wrong now, and solve those that are over."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.admin.alarm_calls import queue_calls
from app.admin.alarm_mail import mail_raised, mail_solved
from app.admin.alarm_models import Alarm, AlarmEvent, AlarmSettings
from app.base.ids import new_id
from app.insight.alarm_rules import NO_SURVEY_HOURS, Finding
from app.insight.alarms import find_alarms

EVERY = timedelta(minutes=15)
"""How often a brand is checked."""


async def check_brand(session: AsyncSession, brand_id: int, *, now: datetime) -> int:
    """Check a brand that is due; returns how many alarms were raised or solved.

    What is wrong is raised once, however long it lasts and whoever checks at the same time, and
    reported once more when it is over: by mail to the administrators and by the brand's webhook.
    Nothing while another process checks the brand.
    """
    settings = await _claim(session, brand_id, now)
    if settings is None:
        return 0
    settings.check_due_at = now + EVERY
    found = await find_alarms(session, brand_id, no_survey_hours=settings.no_survey_hours, now=now)
    known = await load_unsolved(session, brand_id)
    present = {(each.kind, each.subject): each for each in found}
    there = {(alarm.kind, alarm.subject) for alarm in known}
    raised = [_raise(brand_id, each, now) for key, each in present.items() if key not in there]
    session.add_all(raised)
    solved = []
    for alarm in known:
        finding = present.get((alarm.kind, alarm.subject))
        if finding is None:
            alarm.solved_at = now
            solved.append(alarm)
        else:
            _refresh(alarm, finding)
    await session.flush()
    await mail_raised(session, brand_id, raised, now=now)
    await mail_solved(session, brand_id, solved, now=now)
    if settings.webhook_url is not None:
        await queue_calls(session, raised, AlarmEvent.raised, now=now)
        await queue_calls(session, solved, AlarmEvent.solved, now=now)
    return len(raised) + len(solved)


async def load_unsolved(session: AsyncSession, brand_id: int) -> Sequence[Alarm]:
    """The brand's alarms that are not over, oldest first."""
    unsolved = select(Alarm).where(Alarm.brand_id == brand_id, Alarm.solved_at.is_(None))
    return (await session.scalars(unsolved.order_by(Alarm.id))).all()


async def _claim(session: AsyncSession, brand_id: int, now: datetime) -> AlarmSettings | None:
    """The brand's settings, locked; None where it is not due, or another process has it."""
    due = AlarmSettings.brand_id == brand_id, AlarmSettings.check_due_at <= now
    chosen = select(AlarmSettings).where(*due).with_for_update(skip_locked=True)
    chosen = chosen.execution_options(populate_existing=True)
    found = await session.scalar(chosen)
    if found is not None:
        return found
    made = await session.execute(
        insert(AlarmSettings)
        .values(brand_id=brand_id, check_due_at=now, no_survey_hours=NO_SURVEY_HOURS)
        .on_conflict_do_nothing()
        .returning(AlarmSettings.brand_id)
    )
    return await session.scalar(chosen) if made.first() is not None else None


def _raise(brand_id: int, finding: Finding, now: datetime) -> Alarm:
    return Alarm(
        brand_id=brand_id,
        id=new_id(),
        kind=finding.kind,
        subject=finding.subject,
        shop_id=finding.shop_id,
        count=finding.count,
        since=finding.since,
        name=finding.name,
        detail=finding.detail,
        raised_at=now,
    )


def _refresh(alarm: Alarm, finding: Finding) -> None:
    """What is shown follows the last check; nobody is mailed again."""
    alarm.count, alarm.since = finding.count, finding.since
    alarm.name, alarm.detail = finding.name, finding.detail
