"""Send a template to a member of the team, so that they see it in a mailbox of theirs."""

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.base.actor import Actor
from app.base.audit import AuditAction, AuditEntry, record_action
from app.base.errors import AppError
from app.base.ids import new_id
from app.brands.find import load_shops
from app.brands.programme import Channel
from app.messaging.own_texts import check_language
from app.messaging.queue import NewMessage, queue_messages
from app.messaging.templates import TemplateSpec, staff_copy

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

AN_HOUR = 20
"""Samples that one actor may send in an hour."""


async def send_sample(
    session: AsyncSession,
    brand_id: int,
    spec: TemplateSpec,
    locale: str,
    *,
    address: str,
    values: "DataclassInstance",
    actor: Actor,
    now: datetime,
) -> None:
    """Queue the template's mail with the texts in force, in the look of the brand's first shop.

    `address` is of a member of the team, which the caller has checked. Raises `AppError`:
    `unknown_language`, `no_mail` for a template without a mail, `no_shop` (409), and
    `too_many_samples` (429) after `AN_HOUR` in an hour.
    """
    check_language(locale)
    if Channel.email not in spec.channels:
        raise AppError("no_mail", "This message goes out as a text alone.")
    shop = next(iter((await load_shops(session, brand_id)).values()), None)
    if shop is None:
        raise AppError(
            "no_shop", "Mail is sent in the name of a shop; add one first: tenfold shop add", status=409
        )
    await _check_limit(session, actor, now)
    message = NewMessage(
        template=staff_copy(spec),
        subject_id=new_id(),
        customer_id=None,
        shop_id=shop.id,
        channel=Channel.email,
        address=address,
        locale=locale,
        template_params=values,
        due_at=now,
        at_once=True,
    )
    await queue_messages(session, brand_id, [message])
    await record_action(
        session,
        actor,
        AuditAction.sample_sent,
        ("template", None),
        {f"{spec.name}.{locale}": (None, "email")},
    )


async def _check_limit(session: AsyncSession, actor: Actor, now: datetime) -> None:
    """Two at the same time may both be the last one; a limit on mail needs no more."""
    sent = await session.scalar(
        select(func.count()).where(
            AuditEntry.brand_id == actor.brand_id,
            AuditEntry.actor_id == actor.id,
            AuditEntry.action == AuditAction.sample_sent,
            AuditEntry.at > now - timedelta(hours=1),
        )
    )
    if (sent or 0) >= AN_HOUR:
        raise AppError(
            "too_many_samples",
            f"You have sent {AN_HOUR} samples within an hour; wait a while.",
            status=429,
            headers={"Retry-After": "3600"},
        )
