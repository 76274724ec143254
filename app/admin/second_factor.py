"""The second factor: codes of an authenticator (RFC 6238), and recovery codes for a lost one."""

import hmac
from datetime import datetime

import pyotp
import segno
from sqlalchemy import ColumnElement, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.admin.models import Staff
from app.admin.sessions import Waiting
from app.admin.staff import SignedIn, lock_staff
from app.base.actor import Actor, ActorKind
from app.base.audit import AuditAction, record_action
from app.base.tokens import Tokens, plain_code, random_code

RECOVERY_CODES = 10
_STEP = 30
"""Seconds of one code, the default of every authenticator."""
_STEPS_OFF = 1
"""A code counts one step early or late: clocks differ, and typing takes time."""


def new_totp(tokens: Tokens, person: SignedIn) -> str:
    """A secret to set up, sealed for this person: a page carries it until a code is right."""
    return tokens.seal(f"{person.staff_id}:{pyotp.random_base32()}")


def _opened(tokens: Tokens, person: SignedIn, sealed: str) -> str | None:
    try:
        owner, _, secret = tokens.open(sealed).partition(":")
    except ValueError:
        return None
    return secret if owner == str(person.staff_id) else None


def totp_key(tokens: Tokens, person: SignedIn, sealed: str) -> str:
    """The secret in groups of four letters, to type by hand; empty for one that is not theirs."""
    secret = _opened(tokens, person, sealed) or ""
    return " ".join(secret[start : start + 4] for start in range(0, len(secret), 4))


def totp_qr(tokens: Tokens, person: SignedIn, sealed: str, brand: str) -> str:
    """The secret as a QR code for an authenticator, an SVG without size or style."""
    totp = pyotp.TOTP(_opened(tokens, person, sealed) or "")
    address = totp.provisioning_uri(name=person.email, issuer_name=f"Tenfold ({brand})")
    return segno.make(address, micro=False).svg_inline(omitsize=True, border=2, svgclass="qr", lineclass=None)


def matching_step(secret: str, code: str, *, now: datetime) -> int | None:
    """The time step whose code this is; None for a wrong one, in the same time."""
    totp, present = pyotp.TOTP(secret), int(now.timestamp()) // _STEP
    given = "".join(letter for letter in code if letter.isascii() and letter.isdigit())
    found = None
    for step in range(present - _STEPS_OFF, present + _STEPS_OFF + 1):
        if hmac.compare_digest(totp.generate_otp(step), given):
            found = step
    return found


async def set_up_totp(
    session: AsyncSession, tokens: Tokens, person: SignedIn, sealed: str, code: str, *, now: datetime
) -> list[str] | None:
    """Ask this person for codes from now on; returns their recovery codes, shown this once.

    None for a wrong code. A former authenticator and its recovery codes are replaced.
    """
    secret = _opened(tokens, person, sealed)
    step = matching_step(secret, code, now=now) if secret else None
    if secret is None or step is None:
        return None
    row = await lock_staff(session, person.brand_id, person.staff_id)
    codes = [random_code(10) for _ in range(RECOVERY_CODES)]
    row.sealed_totp, row.totp_step = tokens.seal(secret), step
    row.recovery_hashes = [tokens.recovery_key(person.staff_id, each) for each in codes]
    await session.flush()
    await record_action(session, person.actor, AuditAction.second_factor_set, ("stf", person.staff_id))
    return [f"{each[:5]}-{each[5:]}" for each in codes]


async def remove_totp(session: AsyncSession, person: Staff, *, actor: Actor) -> None:
    """Ask a person for no codes any more."""
    person.sealed_totp, person.totp_step, person.recovery_hashes = None, None, []
    await session.flush()
    await record_action(session, actor, AuditAction.second_factor_removed, ("stf", person.id))


async def is_code(
    session: AsyncSession, tokens: Tokens, who: Waiting | SignedIn, code: str, *, now: datetime
) -> bool:
    """Whether this is a code of the person's authenticator or a recovery code; uses it up.

    Each counts once: of two requests with the same code one is right.
    """
    chosen = Staff.brand_id == who.brand_id, Staff.id == who.staff_id
    sealed = await session.scalar(select(Staff.sealed_totp).where(*chosen))
    if sealed is None:
        return False
    step = matching_step(tokens.open(sealed), code, now=now)
    if step is not None:
        unused = or_(Staff.totp_step.is_(None), Staff.totp_step < step)
        return await _use(session, *chosen, unused, totp_step=step)
    key = tokens.recovery_key(who.staff_id, plain_code(code))
    left = func.array_remove(Staff.recovery_hashes, key)
    used = await _use(session, *chosen, Staff.recovery_hashes.contains([key]), recovery_hashes=left)
    if used:
        actor = Actor(ActorKind.staff, who.brand_id, who.staff_id)
        await record_action(session, actor, AuditAction.recovery_code_used, ("stf", who.staff_id))
    return used


async def _use(session: AsyncSession, *conditions: ColumnElement[bool], **values: object) -> bool:
    changed = update(Staff).where(*conditions).values(**values).returning(Staff.id)
    return await session.scalar(changed.execution_options(synchronize_session=False)) is not None


async def recovery_codes_left(session: AsyncSession, person: SignedIn) -> int:
    """How many recovery codes the person has not used."""
    chosen = Staff.brand_id == person.brand_id, Staff.id == person.staff_id
    return await session.scalar(select(func.cardinality(Staff.recovery_hashes)).where(*chosen)) or 0


async def reseal_totp(session: AsyncSession, tokens: Tokens, brand_id: int) -> int:
    """Seal secrets anew that are under a former key; returns how many. Idempotent.

    Raises `ValueError` where one is under a key that is not known.
    """
    query = select(Staff).where(Staff.brand_id == brand_id, Staff.sealed_totp.is_not(None))
    changed = 0
    for person in await session.scalars(query.order_by(Staff.id).with_for_update()):
        if person.sealed_totp is not None and not tokens.is_present(person.sealed_totp):
            person.sealed_totp = tokens.seal(tokens.open(person.sealed_totp))
            changed += 1
    await session.flush()
    return changed
