"""Who stands behind a browser's cookie: one statement at the begin of each request."""

import hmac
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import bindparam, select, update

from app.admin.models import Staff, StaffSession
from app.admin.rules import Role, SessionStage, SessionTimes, is_live
from app.admin.sessions import Waiting
from app.admin.staff import SignedIn
from app.base.prepared import Prepared, Session
from app.base.tokens import Tokens, secret_hash

NOTED_EVERY = timedelta(minutes=1)
"""How often the time of the latest request is written."""


class _Found(NamedTuple):
    """A browser's session and its person."""

    session_id: UUID
    secret_hash: bytes
    stage: SessionStage
    proven: bool
    last_seen_at: datetime
    confirmed_at: datetime
    expires_at: datetime
    staff_id: UUID
    email: str
    role: Role
    shop_ids: list[UUID] | None
    has_second_factor: bool
    has_password: bool


_FIND = Prepared(
    select(
        StaffSession.id,
        StaffSession.secret_hash,
        StaffSession.stage,
        StaffSession.proven,
        StaffSession.last_seen_at,
        StaffSession.confirmed_at,
        StaffSession.expires_at,
        Staff.id,
        Staff.email,
        Staff.role,
        Staff.shop_ids,
        Staff.sealed_totp.is_not(None),
        Staff.password_hash.is_not(None),
    )
    .join(Staff, (Staff.brand_id == StaffSession.brand_id) & (Staff.id == StaffSession.staff_id))
    .where(StaffSession.brand_id == bindparam("of_brand"), StaffSession.id == bindparam("of_session")),
    _Found,
)
_NOTE_SEEN = Prepared(
    update(StaffSession)
    .where(StaffSession.brand_id == bindparam("of_brand"), StaffSession.id == bindparam("of_session"))
    .values(last_seen_at=bindparam("seen_at")),
    tuple,
)


async def _find(
    session: Session, tokens: Tokens, cookie: str, stage: SessionStage, now: datetime
) -> tuple[int, _Found] | None:
    """The brand, and the session that the cookie stands for at this stage."""
    link, _, secret = cookie.partition(".")
    subject = tokens.read_link("session", link)
    if subject is None:
        return None
    found = await _FIND.first(session, of_brand=subject.brand_id, of_session=subject.row_id)
    if found is None or not hmac.compare_digest(found.secret_hash, secret_hash(secret)):
        return None
    if found.stage is not stage or not is_live(_times(found), now=now):
        return None
    return subject.brand_id, found


def _times(row: _Found) -> SessionTimes:
    return SessionTimes(row.last_seen_at, row.confirmed_at, row.expires_at)


async def find_signed_in(session: Session, tokens: Tokens, cookie: str, *, now: datetime) -> SignedIn | None:
    """The staff member whose session cookie this is; None for an unknown or ended one.

    Role and shops are those of this moment.
    """
    row = await _find(session, tokens, cookie, SessionStage.open, now)
    if row is None:
        return None
    brand_id, person = row
    return SignedIn(
        brand_id=brand_id,
        session_id=person.session_id,
        staff_id=person.staff_id,
        email=person.email,
        role=person.role,
        form_token=tokens.form_token(person.session_id),
        shops=None if person.shop_ids is None else frozenset(person.shop_ids),
        times=_times(person),
        proven=person.proven,
        has_second_factor=person.has_second_factor,
        has_password=person.has_password,
    )


async def find_waiting(session: Session, tokens: Tokens, cookie: str, *, now: datetime) -> Waiting | None:
    """The browser that must still enter a code."""
    row = await _find(session, tokens, cookie, SessionStage.code, now)
    if row is None:
        return None
    brand_id, browser = row
    return Waiting(
        brand_id, browser.session_id, browser.staff_id, browser.proven, tokens.form_token(browser.session_id)
    )


async def note_seen(session: Session, person: SignedIn, *, now: datetime) -> None:
    """Write that the session was used now."""
    await _NOTE_SEEN.run(session, of_brand=person.brand_id, of_session=person.session_id, seen_at=now)
