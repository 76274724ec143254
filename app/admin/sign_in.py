"""Signing in: by a one-time link, by a password, and on to another brand."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.admin.links import use_link
from app.admin.models import Staff
from app.admin.passwords import MAXIMUM_LENGTH, is_password
from app.admin.sessions import NewSession, open_session, sign_out
from app.admin.staff import SignedIn
from app.base.errors import NotFound
from app.base.tokens import Tokens
from app.brands.models import Brand


@dataclass(frozen=True, slots=True)
class OtherBrand:
    """A brand that a signed-in person may go on to."""

    slug: str
    name: str


async def sign_in(
    session: AsyncSession, tokens: Tokens, token: str, *, device: str = "", now: datetime
) -> NewSession | None:
    """Use a login link up and begin a session; None for a link that does not work."""
    link = await use_link(session, tokens, token, now=now)
    if link is None:
        return None
    person = await session.get_one(Staff, (link.brand_id, link.staff_id))
    return await open_session(session, tokens, person, proven=link.mailed, device=device, now=now)


async def sign_in_by_password(
    session: AsyncSession, tokens: Tokens, email: str, password: str, *, device: str = "", now: datetime
) -> NewSession | None:
    """Begin a session; None for an unknown address or a wrong password.

    Both take as long. Who works for several brands has a password for each.
    """
    wanted = select(Staff.brand_id, Staff.id, Staff.password_hash).where(
        Staff.email == email.strip().casefold(), Staff.password_hash.is_not(None)
    )
    people = (await session.execute(wanted.order_by(Staff.brand_id))).all()
    if not people or len(password) > MAXIMUM_LENGTH:
        await is_password(password, None)
        return None
    for person in people:
        if await is_password(password, person.password_hash):
            # Hashing takes long: meanwhile the password may be another, or the person removed.
            same = select(Staff).where(
                Staff.brand_id == person.brand_id,
                Staff.id == person.id,
                Staff.password_hash == person.password_hash,
            )
            found = await session.scalar(same.with_for_update(read=True))
            if found is not None:
                proven = found.password_proven
                return await open_session(session, tokens, found, proven=proven, device=device, now=now)
    return None


async def confirms(session: AsyncSession, person: SignedIn, password: str) -> bool:
    """Whether this is the person's own password."""
    chosen = Staff.brand_id == person.brand_id, Staff.id == person.staff_id
    return await is_password(password, await session.scalar(select(Staff.password_hash).where(*chosen)))


async def other_brands(session: AsyncSession, person: SignedIn) -> Sequence[OtherBrand]:
    """The brands that the person may go on to without signing in anew, by name.

    Those that have the same address, if the session has proven that it is theirs. Without that an
    administrator who knows a colleague's address could enter other brands in their name.
    """
    if not person.proven:
        return []
    found = await session.execute(
        select(Brand.slug, Brand.name)
        .join(Staff, Staff.brand_id == Brand.id)
        .where(Staff.email == person.email, Staff.brand_id != person.brand_id)
        .order_by(Brand.name, Brand.slug)
    )
    return [OtherBrand(slug, name) for slug, name in found]


async def switch_brand(
    session: AsyncSession, tokens: Tokens, person: SignedIn, slug: str, *, device: str, now: datetime
) -> NewSession:
    """End this session and begin one of another brand; its second factor is asked for as ever.

    Raises `NotFound` for a brand that is not among `other_brands`.
    """
    brand_id = await session.scalar(select(Brand.id).where(Brand.slug == slug))
    if brand_id is None or brand_id == person.brand_id or not person.proven:
        raise NotFound
    chosen = select(Staff).where(Staff.brand_id == brand_id, Staff.email == person.email)
    found = await session.scalar(chosen.with_for_update(read=True))
    if found is None:
        raise NotFound
    await sign_out(session, person)
    return await open_session(session, tokens, found, proven=True, device=device, now=now, since=person.times)


async def staff_to_mail(session: AsyncSession, email: str) -> tuple[int, UUID] | None:
    """Brand and id of the person who gets a link at this address.

    Of several brands the one that they joined first. None for an unknown address, and for an
    invitation that was never accepted.
    """
    found = await session.execute(
        select(Staff.brand_id, Staff.id)
        .where(
            Staff.email == email.strip().casefold(),
            Staff.joined_at.is_not(None) | Staff.invited_at.is_(None),
        )
        .order_by(Staff.joined_at.asc().nulls_last(), Staff.brand_id)
    )
    row = found.first()
    return None if row is None else (row.brand_id, row.id)
