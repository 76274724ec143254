"""Mail to staff: invitations, and links that people ask for on the page to sign in."""

from collections.abc import Collection
from datetime import datetime
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.admin.links import add_link, withdraw_links
from app.admin.models import Staff
from app.admin.rules import INVITATION_LASTS, LINK_LASTS, LinkKind, Role
from app.admin.staff import add_staff, checked_address, lock_staff
from app.admin.templates import INVITATION, SIGN_IN_LINK, InvitationParams, SignInParams
from app.base.actor import Actor, ActorKind
from app.base.audit import AuditAction, record_action
from app.base.errors import AppError
from app.brands.find import load_brand, load_shops
from app.brands.programme import Channel
from app.messaging.queue import NewMessage, queue_messages
from app.messaging.templates import TemplateSpec


async def invite(
    session: AsyncSession,
    brand_id: int,
    email: str,
    role: Role,
    *,
    shops: Collection[str] | None = None,
    actor: Actor,
    now: datetime,
) -> UUID:
    """Add a person and mail them an invitation; returns their id.

    Who was invited before gets the role, the shops and another invitation. Raises AppError:
    `already_staff` (409) for who has joined or was added without an invitation, `no_shop` (409) as
    `resend_invitation`, others as `add_staff`.
    """
    address = checked_address(email)
    there = await session.scalar(select(Staff).where(Staff.brand_id == brand_id, Staff.email == address))
    if there is not None and (there.joined_at is not None or there.invited_at is None):
        raise AppError(
            "already_staff", "This person is in the team already; change their access there.", status=409
        )
    staff_id = await add_staff(session, brand_id, address, role, actor=actor, shops=shops)
    await _send_invitation(session, await lock_staff(session, brand_id, staff_id), actor, now)
    return staff_id


async def resend_invitation(
    session: AsyncSession, brand_id: int, staff_id: UUID, *, actor: Actor, now: datetime
) -> None:
    """Mail a new invitation; the link of the one before works no more.

    Raises `NotFound`, and AppError: `already_joined` (409), `no_shop` (409) for a brand without a
    shop, in whose name mail could be sent.
    """
    person = await lock_staff(session, brand_id, staff_id)
    if person.joined_at is not None:
        raise AppError(
            "already_joined", "This person has joined; they ask for a link themselves.", status=409
        )
    await _send_invitation(session, person, actor, now)


async def _send_invitation(session: AsyncSession, person: Staff, actor: Actor, now: datetime) -> None:
    await withdraw_links(session, person.brand_id, person.id, LinkKind.invitation)
    expires_at = now + INVITATION_LASTS
    link_id = await add_link(
        session, person.brand_id, person.id, kind=LinkKind.invitation, mailed=True, expires_at=expires_at
    )
    person.invited_at = now
    await session.flush()
    brand = await load_brand(session, person.brand_id)
    until = expires_at.astimezone(ZoneInfo(brand.time_zone)).date()
    params = InvitationParams(inviter=await _inviter(session, actor), expires_on=until.isoformat())
    await _queue(session, person, INVITATION, link_id, params, now)
    await record_action(session, actor, AuditAction.staff_invited, ("stf", person.id))


async def _inviter(session: AsyncSession, actor: Actor) -> str | None:
    if actor.kind is not ActorKind.staff:
        return None
    own = select(Staff.email).where(Staff.brand_id == actor.brand_id, Staff.id == actor.id)
    return await session.scalar(own)


async def mail_login_link(
    session: AsyncSession, brand_id: int, staff_id: UUID, *, device: str, now: datetime
) -> None:
    """Mail a link to a person who asked for it in a browser; nothing where they were removed."""
    person = await session.get(Staff, (brand_id, staff_id))
    if person is None:
        return
    link_id = await add_link(session, brand_id, staff_id, mailed=True, expires_at=now + LINK_LASTS)
    await _queue(session, person, SIGN_IN_LINK, link_id, SignInParams(device=device), now)


async def _queue(
    session: AsyncSession,
    person: Staff,
    template: TemplateSpec,
    link_id: UUID,
    params: InvitationParams | SignInParams,
    now: datetime,
) -> None:
    """In the name of the brand's first shop, in its language."""
    shop = next(iter((await load_shops(session, person.brand_id)).values()), None)
    if shop is None:
        raise AppError(
            "no_shop", "Mail is sent in the name of a shop; add one first: tenfold shop add", status=409
        )
    message = NewMessage(
        template=template,
        subject_id=link_id,
        customer_id=None,
        shop_id=shop.id,
        channel=Channel.email,
        address=person.email,
        locale=shop.locale,
        template_params=params,
        due_at=now,
        at_once=True,
    )
    await queue_messages(session, person.brand_id, [message])
