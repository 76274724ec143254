"""Staff: add and remove one, sign them in by a link or a password, recognise their browser."""

import hmac
import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import delete, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.admin.models import LoginLink, Staff, StaffSession
from app.admin.passwords import MINIMUM_LENGTH, hash_password, is_password, is_usable
from app.admin.rules import Role, sees_people
from app.base.actor import Actor, ActorKind, cli_actor
from app.base.audit import AuditAction, record_action
from app.base.context import AppContext
from app.base.errors import AppError, NotFound
from app.base.ids import new_id
from app.base.tokens import Tokens, new_secret, secret_hash

LINK_LASTS = timedelta(hours=1)
SESSION_LASTS = timedelta(days=14)
_ADDRESS = re.compile(r"[^@\s]+@[^@\s]+")


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A staff member with the session of their browser."""

    brand_id: int
    session_id: UUID
    staff_id: UUID
    email: str
    role: Role
    form_token: str
    """For the forms of one page; see `app.admin.csrf`."""

    @property
    def actor(self) -> Actor:
        """The staff member as an actor."""
        return Actor(ActorKind.staff, self.brand_id, self.staff_id, sees_people(self.role))


async def add_staff(session: AsyncSession, brand_id: int, email: str, role: Role, *, actor: Actor) -> UUID:
    """Add a person to a brand's staff, or give them another role; returns their id.

    Raises AppError (`bad_email`) for an unusable address.
    """
    address = email.strip().casefold()
    if not _ADDRESS.fullmatch(address):
        raise AppError("bad_email", "That is no e-mail address; write it as name@example.com.")
    before = await session.scalar(
        select(Staff.role).where(Staff.brand_id == brand_id, Staff.email == address).with_for_update()
    )
    wanted = insert(Staff).values(brand_id=brand_id, id=new_id(), email=address, role=role)
    made = await session.execute(
        wanted.on_conflict_do_update(index_elements=["brand_id", "email"], set_={"role": role}).returning(
            Staff.id
        )
    )
    staff_id = made.scalar_one()
    if before is not role:
        changes = {"role": (before, role)}
        await record_action(session, actor, AuditAction.staff_added, ("stf", staff_id), changes)
    return staff_id


async def set_password(
    session: AsyncSession, brand_id: int, staff_id: UUID, password: str, *, actor: Actor
) -> None:
    """Let a person sign in by this password too; ends the sessions of their browsers.

    Raises AppError (`bad_password`) for one that is too short or too long.
    """
    if not is_usable(password):
        raise AppError(
            "bad_password", f"A password has at least {MINIMUM_LENGTH} characters, and at most 200."
        )
    chosen = Staff.brand_id == brand_id, Staff.id == staff_id
    await session.execute(update(Staff).where(*chosen).values(password_hash=await hash_password(password)))
    await _end_sessions(session, brand_id, staff_id)
    await record_action(session, actor, AuditAction.password_set, ("stf", staff_id))


async def remove_staff(session: AsyncSession, brand_id: int, staff_id: UUID, *, actor: Actor) -> Staff:
    """Remove a person from a brand's staff; ends their sessions and links at once.

    Returns the row as it was. Raises `NotFound`.
    """
    chosen = Staff.brand_id == brand_id, Staff.id == staff_id
    # Whoever signs in locks this row first too, so no session is made beside the removal.
    person = await session.scalar(select(Staff).where(*chosen).with_for_update())
    if person is None:
        raise NotFound
    await _end_sessions(session, brand_id, staff_id)
    await session.execute(
        delete(LoginLink).where(LoginLink.brand_id == brand_id, LoginLink.staff_id == staff_id)
    )
    await session.execute(delete(Staff).where(*chosen))
    await record_action(
        session, actor, AuditAction.staff_removed, ("stf", staff_id), {"role": (person.role, None)}
    )
    return person


async def _end_sessions(session: AsyncSession, brand_id: int, staff_id: UUID) -> None:
    await session.execute(
        delete(StaffSession).where(StaffSession.brand_id == brand_id, StaffSession.staff_id == staff_id)
    )


async def load_administrators(session: AsyncSession, brand_id: int) -> list[str]:
    """The addresses of a brand's administrators, in their order."""
    chosen = select(Staff.email).where(Staff.brand_id == brand_id, Staff.role == Role.admin)
    return list(await session.scalars(chosen.order_by(Staff.email)))


async def find_staff(session: AsyncSession, email: str, *, brand_id: int | None = None) -> Staff:
    """The person with this address, of the given brand or of the only one they work for.

    Raises AppError: `unknown_staff` for an address that was not added, `several_brands` for a
    person of several brands without `brand_id`. For commands only, since these errors show whether
    an address is known.
    """
    chosen = select(Staff).where(
        Staff.email == email.strip().casefold(), *([Staff.brand_id == brand_id] if brand_id else [])
    )
    people = (await session.scalars(chosen)).all()
    if not people:
        raise AppError(
            "unknown_staff",
            "No staff member has this address; add them with: tenfold staff add",
            status=404,
        )
    if len(people) > 1:
        raise AppError("several_brands", "This person works for several brands; say which one with --brand.")
    return people[0]


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
    link = LoginLink(brand_id=actor.brand_id, id=new_id(), staff_id=staff_id, expires_at=now + lasts)
    session.add(link)
    await session.flush()
    await record_action(session, actor, AuditAction.login_link_made, ("stf", staff_id))
    return f"{context.settings.public_url}/admin/login/{context.tokens.link('login', link.brand_id, link.id)}"


async def is_login_link(session: AsyncSession, tokens: Tokens, token: str, *, now: datetime) -> bool:
    """Whether the link would sign somebody in; does not use it up."""
    subject = tokens.read_link("login", token)
    if subject is None:
        return False
    found = select(LoginLink.id).where(
        LoginLink.brand_id == subject.brand_id,
        LoginLink.id == subject.row_id,
        LoginLink.used_at.is_(None),
        LoginLink.expires_at > now,
    )
    return await session.scalar(found) is not None


async def sign_in(session: AsyncSession, tokens: Tokens, token: str, *, now: datetime) -> str | None:
    """Use a login link up and return the cookie of a new session.

    None for a link that is unknown, used or expired. Of two browsers that use it at the same time,
    one is signed in.
    """
    subject = tokens.read_link("login", token)
    if subject is None:
        return None
    usable = (
        LoginLink.brand_id == subject.brand_id,
        LoginLink.id == subject.row_id,
        LoginLink.used_at.is_(None),
        LoginLink.expires_at > now,
    )
    # The person's row is locked before the link's, as `remove_staff` does.
    person = (
        select(Staff.id)
        .join(LoginLink, (LoginLink.brand_id == Staff.brand_id) & (LoginLink.staff_id == Staff.id))
        .where(*usable)
        .with_for_update(of=Staff, read=True, key_share=True)
    )
    if await session.scalar(person) is None:
        return None
    staff_id = await session.scalar(
        update(LoginLink).where(*usable).values(used_at=now).returning(LoginLink.staff_id)
    )
    if staff_id is None:
        return None
    return await _open_session(session, tokens, subject.brand_id, staff_id, now=now)


async def sign_in_by_password(
    session: AsyncSession, tokens: Tokens, email: str, password: str, *, now: datetime
) -> str | None:
    """Return the cookie of a new session; None for an unknown address or a wrong password.

    Both take as long. Who works for several brands has a password for each.
    """
    wanted = select(Staff.brand_id, Staff.id, Staff.password_hash).where(
        Staff.email == email.strip().casefold(), Staff.password_hash.is_not(None)
    )
    people = (await session.execute(wanted)).all()
    if not people:
        await is_password(password, None)
    for person in people:
        if await is_password(password, person.password_hash):
            # Hashing takes long: meanwhile the password may be another, or the person removed.
            same = select(Staff.id).where(
                Staff.brand_id == person.brand_id,
                Staff.id == person.id,
                Staff.password_hash == person.password_hash,
            )
            if await session.scalar(same.with_for_update(read=True)) is not None:
                return await _open_session(session, tokens, person.brand_id, person.id, now=now)
    return None


async def _open_session(
    session: AsyncSession, tokens: Tokens, brand_id: int, staff_id: UUID, *, now: datetime
) -> str:
    """The cookie of a new session of this person."""
    secret = new_secret()
    made = StaffSession(
        brand_id=brand_id,
        id=new_id(),
        staff_id=staff_id,
        secret_hash=secret_hash(secret),
        expires_at=now + SESSION_LASTS,
    )
    session.add(made)
    await session.flush()
    return f"{tokens.link('session', brand_id, made.id)}.{secret}"


async def find_signed_in(
    session: AsyncSession, tokens: Tokens, cookie: str, *, now: datetime
) -> SignedIn | None:
    """The staff member whose session cookie this is; None for an unknown or expired one."""
    link, _, secret = cookie.partition(".")
    subject = tokens.read_link("session", link)
    if subject is None:
        return None
    found = await session.execute(
        select(StaffSession, Staff)
        .join(Staff, (Staff.brand_id == StaffSession.brand_id) & (Staff.id == StaffSession.staff_id))
        .where(
            StaffSession.brand_id == subject.brand_id,
            StaffSession.id == subject.row_id,
            StaffSession.expires_at > now,
        )
    )
    row = found.first()
    if row is None or not hmac.compare_digest(row[0].secret_hash, secret_hash(secret)):
        return None
    return SignedIn(
        subject.brand_id, row[0].id, row[1].id, row[1].email, row[1].role, tokens.form_token(row[0].id)
    )


async def sign_out(session: AsyncSession, person: SignedIn) -> None:
    """End this browser's session."""
    await session.execute(
        delete(StaffSession).where(
            StaffSession.brand_id == person.brand_id, StaffSession.id == person.session_id
        )
    )
