"""Mail to a brand's administrators when an alarm is raised, and when it is solved."""

from collections.abc import Collection, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.admin.alarm_models import Alarm, AlarmEvent, AlarmNotice
from app.admin.alarm_schemas import text_of
from app.admin.models import Staff
from app.admin.rules import Role
from app.admin.templates import ALARM, AlarmParams
from app.base.batch import in_ids
from app.base.i18n import SOURCE
from app.base.ids import new_id
from app.brands.find import load_shops
from app.brands.programme import Channel
from app.insight.alarm_texts import alarm_topic
from app.messaging.erase import erase_messages_about
from app.messaging.queue import NewMessage, queue_messages

_STEPS = {AlarmEvent.raised: 0, AlarmEvent.solved: 1}


async def mail_raised(
    session: AsyncSession, brand_id: int, alarms: Sequence[Alarm], *, now: datetime
) -> None:
    """Mail new alarms to every administrator who has signed in once."""
    if not alarms:
        return
    chosen = Staff.brand_id == brand_id, Staff.role == Role.admin, Staff.joined_at.is_not(None)
    people = (await session.scalars(select(Staff).where(*chosen).order_by(Staff.id))).all()
    notices = [
        AlarmNotice(brand_id=brand_id, id=new_id(), alarm_id=alarm.id, staff_id=person.id)
        for alarm in alarms
        for person in people
    ]
    if not notices:
        return
    rows = [
        {"brand_id": brand_id, "id": each.id, "alarm_id": each.alarm_id, "staff_id": each.staff_id}
        for each in notices
    ]
    await session.execute(insert(AlarmNotice), rows)
    addresses = {person.id: person.email for person in people}
    await _queue(session, alarms, notices, addresses, AlarmEvent.raised, now)


async def mail_solved(
    session: AsyncSession, brand_id: int, alarms: Sequence[Alarm], *, now: datetime
) -> None:
    """Mail those who were mailed about these alarms, and still would be, that they are solved."""
    if not alarms:
        return
    found = await session.execute(
        select(AlarmNotice, Staff.email)
        .join(Staff, (Staff.brand_id == AlarmNotice.brand_id) & (Staff.id == AlarmNotice.staff_id))
        .where(
            AlarmNotice.brand_id == brand_id,
            in_ids(AlarmNotice.alarm_id, [alarm.id for alarm in alarms]),
            Staff.role == Role.admin,
        )
        .order_by(AlarmNotice.id)
    )
    rows = found.all()
    addresses = {row.AlarmNotice.staff_id: row.email for row in rows}
    await _queue(session, alarms, [row.AlarmNotice for row in rows], addresses, AlarmEvent.solved, now)


async def erase_notices(session: AsyncSession, brand_id: int, staff_id: UUID) -> None:
    """Cancel mail about alarms to somebody who leaves, and empty what was sent to them."""
    of_person = AlarmNotice.brand_id == brand_id, AlarmNotice.staff_id == staff_id
    about = (await session.scalars(select(AlarmNotice.id).where(*of_person))).all()
    await erase_messages_about(session, brand_id, about, [ALARM])


async def _queue(
    session: AsyncSession,
    alarms: Sequence[Alarm],
    notices: Collection[AlarmNotice],
    addresses: dict[UUID, str],
    event: AlarmEvent,
    now: datetime,
) -> None:
    """In the name of the alarm's shop, else of the brand's first one; none without a shop."""
    brand_id = alarms[0].brand_id
    first = next(iter(await load_shops(session, brand_id)), None)
    if first is None:
        return
    by_id = {alarm.id: alarm for alarm in alarms}
    messages = [
        NewMessage(
            template=ALARM,
            subject_id=notice.id,
            customer_id=None,
            shop_id=by_id[notice.alarm_id].shop_id or first,
            channel=Channel.email,
            address=addresses[notice.staff_id],
            locale=SOURCE,
            template_params=_params(by_id[notice.alarm_id], event),
            due_at=now,
            step=_STEPS[event],
            at_once=True,
        )
        for notice in notices
    ]
    await queue_messages(session, brand_id, messages)


def _params(alarm: Alarm, event: AlarmEvent) -> AlarmParams:
    words = text_of(alarm)
    return AlarmParams(event.value, alarm_topic(alarm.kind), words.title, words.remedy, words.page)
