"""The weekly mail of figures: who gets it and when, once a week at most."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.admin.digest_content import Digests
from app.admin.digest_rules import TOO_LATE, next_due, number_of
from app.admin.models import Staff
from app.admin.staff import SignedIn, lock_staff
from app.admin.templates import DIGEST, DigestParams
from app.base.audit import AuditAction, record_action
from app.base.context import AppContext
from app.base.due import brands_of
from app.base.errors import AppError
from app.base.i18n import SOURCE
from app.base.turns import Sweep
from app.brands.find import load_brand, load_shops
from app.brands.models import Brand
from app.brands.programme import Channel
from app.messaging.queue import NewMessage, queue_messages

AT_ONCE = 20
"""People of one transaction."""


async def set_digest(session: AsyncSession, person: SignedIn, day: int | None, *, now: datetime) -> None:
    """Mail a person their brand's figures each week on this day (1 for Monday); None ends it.

    Raises `AppError` `bad_day` for what is no day.
    """
    if day is not None and not 1 <= day <= 7:
        raise AppError("bad_day", "Choose a day of the week.")
    row = await lock_staff(session, person.brand_id, person.staff_id)
    if row.digest_day == day:
        return
    changes: dict[str, tuple[object, object]] = {"digest_day": (row.digest_day, day)}
    brand = await load_brand(session, person.brand_id)
    row.digest_day = day
    row.digest_due_at = None if day is None else next_due(day, brand.time_zone, after=now)
    await session.flush()
    await record_action(session, person.actor, AuditAction.staff_changed, ("stf", row.id), changes)


async def send_due(session: AsyncSession, brand_id: int, *, now: datetime) -> int:
    """Queue the mails that are due and plan the next; returns how many people it was about.

    One that is late by more than `TOO_LATE` is left out, and so is one of a brand without a shop,
    in whose name mail is sent.
    """
    people = await _claim(session, brand_id, now)
    if not people:
        return 0
    brand, shops = await load_brand(session, brand_id), await load_shops(session, brand_id)
    digests = Digests(session, brand, list(shops.values()))
    messages = []
    for person in people:
        due_at, day = person.digest_due_at, person.digest_day
        if due_at is not None and now - due_at <= TOO_LATE and shops:
            params = await digests.of(person, due_at)
            messages.append(_message(brand, person, next(iter(shops)), due_at, params, now))
        person.digest_due_at = None if day is None else next_due(day, brand.time_zone, after=now)
    await session.flush()
    await queue_messages(session, brand_id, messages)
    return len(people)


async def _claim(session: AsyncSession, brand_id: int, now: datetime) -> Sequence[Staff]:
    due = Staff.brand_id == brand_id, Staff.digest_due_at <= now
    chosen = select(Staff).where(*due).order_by(Staff.id).limit(AT_ONCE).with_for_update(skip_locked=True)
    return (await session.scalars(chosen.execution_options(populate_existing=True))).all()


def _message(
    brand: Brand, person: Staff, shop_id: UUID, due_at: datetime, params: DigestParams, now: datetime
) -> NewMessage:
    return NewMessage(
        template=DIGEST,
        subject_id=person.id,
        customer_id=None,
        shop_id=shop_id,
        channel=Channel.email,
        address=person.email,
        locale=SOURCE,
        template_params=params,
        due_at=now,
        step=number_of(due_at, brand.time_zone),
        at_once=True,
    )


def sweep(context: AppContext) -> Sweep:
    """Send the weekly mails that are due, brand by brand."""

    async def brands(now: datetime) -> Sequence[int]:
        return await brands_of(context.reading_sessions, Staff.brand_id, Staff.digest_due_at <= now)

    async def work(brand_id: int, now: datetime) -> int:
        async with context.sessions.begin() as session:
            return await send_due(session, brand_id, now=now)

    return Sweep("digests", brands, work, every_seconds=60)
