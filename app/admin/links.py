"""One-time links of staff: made, recognised and used up."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import delete, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.admin.models import LoginLink, Staff
from app.admin.rules import LINK_LASTS, LinkKind, LinkState, link_state
from app.admin.staff import find_staff
from app.base.actor import Actor, cli_actor
from app.base.audit import AuditAction, record_action
from app.base.context import AppContext
from app.base.ids import new_id
from app.base.tokens import Tokens


@dataclass(frozen=True, slots=True)
class FoundLink:
    """A link of ours, whether or not it still works."""

    brand_id: int
    id: UUID
    staff_id: UUID
    kind: LinkKind
    mailed: bool
    state: LinkState


async def add_link(
    session: AsyncSession,
    brand_id: int,
    staff_id: UUID,
    *,
    kind: LinkKind = LinkKind.login,
    mailed: bool,
    expires_at: datetime,
) -> UUID:
    """Add a link of this person; returns its id. `mailed`: nobody but the address gets it."""
    link = LoginLink(
        brand_id=brand_id, id=new_id(), staff_id=staff_id, kind=kind, mailed=mailed, expires_at=expires_at
    )
    session.add(link)
    await session.flush()
    return link.id


async def withdraw_links(session: AsyncSession, brand_id: int, staff_id: UUID, kind: LinkKind) -> None:
    """Delete a person's links of one kind, used or not."""
    await session.execute(
        delete(LoginLink).where(
            LoginLink.brand_id == brand_id, LoginLink.staff_id == staff_id, LoginLink.kind == kind
        )
    )


async def make_login_link(
    session: AsyncSession,
    context: AppContext,
    email: str,
    *,
    now: datetime,
    brand_id: int | None = None,
    lasts: timedelta = LINK_LASTS,
) -> str:
    """As `login_link_of`, for commands: of a person by their address. Raises as `find_staff`."""
    person = await find_staff(session, email, brand_id=brand_id)
    maker = cli_actor(person.brand_id)
    return await login_link_of(session, context, person.id, actor=maker, now=now, lasts=lasts)


async def login_link_of(
    session: AsyncSession,
    context: AppContext,
    staff_id: UUID,
    *,
    actor: Actor,
    now: datetime,
    lasts: timedelta = LINK_LASTS,
) -> str:
    """The URL of a page that signs this person of the actor's brand in, once."""
    link_id = await add_link(session, actor.brand_id, staff_id, mailed=False, expires_at=now + lasts)
    await record_action(session, actor, AuditAction.login_link_made, ("stf", staff_id))
    return (
        f"{context.settings.public_url}/admin/login/{context.tokens.link('login', actor.brand_id, link_id)}"
    )


async def find_link(session: AsyncSession, tokens: Tokens, token: str, *, now: datetime) -> FoundLink | None:
    """The link of a token, which is not used up by this.

    None for a token that was not made here, and once the link was withdrawn or its person removed.
    """
    subject = tokens.read_link("login", token)
    if subject is None:
        return None
    link = await session.scalar(
        select(LoginLink).where(LoginLink.brand_id == subject.brand_id, LoginLink.id == subject.row_id)
    )
    if link is None:
        return None
    state = link_state(link.used_at, link.expires_at, now=now)
    return FoundLink(link.brand_id, link.id, link.staff_id, link.kind, link.mailed, state)


async def use_link(session: AsyncSession, tokens: Tokens, token: str, *, now: datetime) -> FoundLink | None:
    """Use a link up; None for one that does not work (any more).

    Of two browsers that use it at the same time, one gets it.
    """
    found = await find_link(session, tokens, token, now=now)
    if found is None or found.state is not LinkState.usable:
        return None
    # The person's row is locked before the link's, as a removal does.
    person = select(Staff.id).where(Staff.brand_id == found.brand_id, Staff.id == found.staff_id)
    if await session.scalar(person.with_for_update(read=True, key_share=True)) is None:
        return None
    used = await session.scalar(
        update(LoginLink)
        .where(LoginLink.brand_id == found.brand_id, LoginLink.id == found.id, LoginLink.used_at.is_(None))
        .values(used_at=now)
        .returning(LoginLink.id)
    )
    return None if used is None else found
