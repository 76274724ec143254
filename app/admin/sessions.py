"""Sessions of staff: what a browser's cookie stands for, on the server, until it is ended."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, Update, delete, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.admin.models import Staff, StaffSession
from app.admin.rules import CODE_WAITS, SESSION_LASTS, SessionStage, SessionTimes, is_live
from app.admin.staff import SignedIn
from app.base.actor import Actor, ActorKind
from app.base.audit import AuditAction, record_action
from app.base.errors import NotFound
from app.base.ids import new_id
from app.base.tokens import Tokens, new_secret, secret_hash


@dataclass(frozen=True, slots=True)
class NewSession:
    """A session just begun, with the cookie that nobody else ever gets."""

    cookie: str
    stage: SessionStage
    staff_id: UUID
    brand_id: int


@dataclass(frozen=True, slots=True)
class Waiting:
    """A browser whose person must still enter a code."""

    brand_id: int
    session_id: UUID
    staff_id: UUID
    proven: bool
    form_token: str


async def open_session(
    session: AsyncSession,
    tokens: Tokens,
    person: Staff,
    *,
    proven: bool,
    device: str,
    now: datetime,
    since: SessionTimes | None = None,
) -> NewSession:
    """Begin a session after a password or link was right.

    Who has a second factor is signed in only once `finish_code` has ended this first session.
    `since` are the times of a session that this one goes on from: it proves nothing anew, so the
    new one lasts no longer and is confirmed no later.
    """
    if person.sealed_totp is not None:
        return await _begin(session, tokens, person, SessionStage.code, proven=proven, device=device, now=now)
    return await _begin_open(session, tokens, person, proven=proven, device=device, now=now, since=since)


async def finish_code(
    session: AsyncSession, tokens: Tokens, waiting: Waiting, *, device: str, now: datetime
) -> NewSession:
    """Begin the session of a person whose code was right; the one that waited for it ends.

    Raises `NotFound` where they were removed meanwhile.
    """
    person = await session.get(Staff, (waiting.brand_id, waiting.staff_id))
    if person is None:
        raise NotFound
    await _delete(session, waiting.brand_id, StaffSession.id == waiting.session_id)
    return await _begin_open(session, tokens, person, proven=waiting.proven, device=device, now=now)


async def renew_session(
    session: AsyncSession, tokens: Tokens, person: SignedIn, *, device: str, now: datetime
) -> NewSession:
    """Begin a session in place of this one, as after a change of what protects the account."""
    row = await session.get_one(Staff, (person.brand_id, person.staff_id))
    await _delete(session, person.brand_id, StaffSession.id == person.session_id)
    return await _begin(session, tokens, row, SessionStage.open, proven=person.proven, device=device, now=now)


async def _begin_open(
    session: AsyncSession,
    tokens: Tokens,
    person: Staff,
    *,
    proven: bool,
    device: str,
    now: datetime,
    since: SessionTimes | None = None,
) -> NewSession:
    """The session of somebody who has just signed in."""
    joined = update(Staff).where(Staff.brand_id == person.brand_id, Staff.id == person.id)
    await session.execute(joined.where(Staff.joined_at.is_(None)).values(joined_at=now))
    actor = Actor(ActorKind.staff, person.brand_id, person.id)
    await record_action(session, actor, AuditAction.signed_in, ("stf", person.id))
    stage = SessionStage.open
    return await _begin(session, tokens, person, stage, proven=proven, device=device, now=now, since=since)


async def _begin(
    session: AsyncSession,
    tokens: Tokens,
    person: Staff,
    stage: SessionStage,
    *,
    proven: bool,
    device: str,
    now: datetime,
    since: SessionTimes | None = None,
) -> NewSession:
    expires_at = now + (SESSION_LASTS if stage is SessionStage.open else CODE_WAITS)
    brand_id, staff_id = person.brand_id, person.id
    await _delete(session, brand_id, StaffSession.staff_id == staff_id, StaffSession.expires_at <= now)
    secret = new_secret()
    made = StaffSession(
        brand_id=brand_id,
        id=new_id(),
        staff_id=staff_id,
        secret_hash=secret_hash(secret),
        stage=stage,
        proven=proven,
        device=device,
        began_at=now,
        last_seen_at=now,
        confirmed_at=since.confirmed_at if since else now,
        expires_at=min(expires_at, since.expires_at) if since else expires_at,
    )
    session.add(made)
    await session.flush()
    return NewSession(f"{tokens.link('session', brand_id, made.id)}.{secret}", stage, staff_id, brand_id)


def _times(row: StaffSession) -> SessionTimes:
    return SessionTimes(row.last_seen_at, row.confirmed_at, row.expires_at)


async def note_confirmed(session: AsyncSession, person: SignedIn, *, now: datetime) -> None:
    """Write that the person has just shown who they are."""
    await session.execute(_of(person).values(confirmed_at=now))


def _of(person: SignedIn) -> Update:
    return (
        update(StaffSession)
        .where(StaffSession.brand_id == person.brand_id, StaffSession.id == person.session_id)
        .execution_options(synchronize_session=False)
    )


async def sign_out(session: AsyncSession, person: SignedIn) -> None:
    """End this browser's session."""
    await _delete(session, person.brand_id, StaffSession.id == person.session_id)


async def end_session_of(session: AsyncSession, tokens: Tokens, cookie: str) -> None:
    """End the session of a cookie that is about to be replaced, if it is one of ours."""
    link, _, secret = cookie.partition(".")
    subject = tokens.read_link("session", link)
    if subject is not None:
        own = StaffSession.id == subject.row_id, StaffSession.secret_hash == secret_hash(secret)
        await _delete(session, subject.brand_id, *own)


async def list_sessions(
    session: AsyncSession, brand_id: int, staff_id: UUID, *, now: datetime
) -> Sequence[StaffSession]:
    """A person's sessions that have not ended, the one that was used last first."""
    found = await session.scalars(
        select(StaffSession)
        .where(
            StaffSession.brand_id == brand_id,
            StaffSession.staff_id == staff_id,
            StaffSession.stage == SessionStage.open,
        )
        .order_by(StaffSession.last_seen_at.desc(), StaffSession.id.desc())
    )
    return [each for each in found if is_live(_times(each), now=now)]


async def end_sessions(
    session: AsyncSession,
    brand_id: int,
    staff_id: UUID,
    *,
    only: UUID | None = None,
    but: UUID | None = None,
    actor: Actor,
) -> int:
    """End a person's sessions: one, all, or all but one; returns how many.

    Raises `NotFound` where `only` is none of theirs.
    """
    conditions: list[ColumnElement[bool]] = [StaffSession.staff_id == staff_id]
    if only is not None:
        conditions.append(StaffSession.id == only)
    if but is not None:
        conditions.append(StaffSession.id != but)
    ended = await _delete(session, brand_id, *conditions)
    if only is not None and not ended:
        raise NotFound
    if ended:
        changes = {"sessions": (None, ended)}
        await record_action(session, actor, AuditAction.sessions_ended, ("stf", staff_id), changes)
    return ended


async def _delete(session: AsyncSession, brand_id: int, *conditions: ColumnElement[bool]) -> int:
    ended = await session.execute(
        delete(StaffSession)
        .where(StaffSession.brand_id == brand_id, *conditions)
        .execution_options(synchronize_session=False)
    )
    return int(ended.rowcount)  # type: ignore[attr-defined]  # a DELETE returns a cursor
