"""Staff: add, change and remove a person of the marketing team."""

import re
from collections.abc import Collection
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import delete, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.admin.alarm_mail import erase_notices
from app.admin.keys import end_keys_of
from app.admin.models import LoginLink, Staff, StaffSession
from app.admin.passwords import MAXIMUM_LENGTH, MINIMUM_LENGTH, hash_password, is_usable
from app.admin.rules import Role, SessionTimes, ends_keys, may_have_shops, sees_people
from app.admin.templates import DIGEST, INVITATION, SIGN_IN_LINK
from app.base.actor import Actor, ActorKind
from app.base.audit import AuditAction, record_action
from app.base.errors import AppError, NotFound
from app.base.ids import new_id, public_id
from app.brands.find import load_shops
from app.messaging.erase import erase_messages_about

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
    shops: frozenset[UUID] | None
    """The shops that they may see; None for every one."""
    times: SessionTimes
    proven: bool
    """Whether the address was shown to be theirs."""
    has_second_factor: bool
    has_password: bool

    @property
    def actor(self) -> Actor:
        """The staff member as an actor."""
        return Actor(ActorKind.staff, self.brand_id, self.staff_id, sees_people(self.role), self.shops)


@dataclass(frozen=True, slots=True)
class ChangedStaff:
    """A person as they are now, or were, and how many of their keys ended."""

    person: Staff
    keys_ended: int


def checked_address(email: str) -> str:
    """The address in comparable form. Raises AppError (`bad_email`) for an unusable one."""
    address = email.strip().casefold()
    if not _ADDRESS.fullmatch(address) or len(address) > 320:
        raise AppError("bad_email", "That is no e-mail address; write it as name@example.com.")
    return address


async def checked_shops(
    session: AsyncSession, brand_id: int, role: Role, shops: Collection[str] | None
) -> list[UUID] | None:
    """The ids of shops by their slugs; None for every shop.

    Raises AppError: `bad_shops` for none at all and for an administrator, `unknown_shop`.
    """
    if not may_have_shops(role, [new_id() for _ in shops] if shops is not None else None):
        raise AppError(
            "bad_shops", "Name at least one shop, or none at all for every shop; an admin has all."
        )
    if shops is None:
        return None
    known = {shop.slug: shop.id for shop in (await load_shops(session, brand_id)).values()}
    unknown = sorted(set(shops) - known.keys())
    if unknown:
        raise AppError(
            "unknown_shop", f"The brand has no shop {unknown[0][:60]!r}; its shops: {', '.join(known)}."
        )
    return sorted(known[slug] for slug in set(shops))


async def add_staff(
    session: AsyncSession,
    brand_id: int,
    email: str,
    role: Role,
    *,
    actor: Actor,
    shops: Collection[str] | None = None,
) -> UUID:
    """Add a person to a brand's staff, or give them another role; returns their id.

    `shops` are the slugs of those that they may see. Who is there already gets both, and loses the
    keys that they made with being an administrator. Raises AppError as `checked_address` and
    `checked_shops`.
    """
    address = checked_address(email)
    shop_ids = await checked_shops(session, brand_id, role, shops)
    before = await session.scalar(
        select(Staff).where(Staff.brand_id == brand_id, Staff.email == address).with_for_update()
    )
    if before is not None:
        await _change(session, before, role, shop_ids, actor=actor)
        return before.id
    wanted = insert(Staff).values(brand_id=brand_id, id=new_id(), email=address, role=role, shop_ids=shop_ids)
    made = await session.execute(
        wanted.on_conflict_do_update(
            index_elements=["brand_id", "email"], set_={"role": role, "shop_ids": shop_ids}
        ).returning(Staff.id)
    )
    staff_id = made.scalar_one()
    changes: dict[str, tuple[object, object]] = {"role": (None, role)}
    if shops is not None:
        changes["shops"] = (None, sorted(set(shops)))
    await record_action(session, actor, AuditAction.staff_added, ("stf", staff_id), changes)
    return staff_id


async def lock_staff(session: AsyncSession, brand_id: int, staff_id: UUID) -> Staff:
    """The person, locked until the commit. Raises `NotFound`."""
    chosen = select(Staff).where(Staff.brand_id == brand_id, Staff.id == staff_id).with_for_update()
    person = await session.scalar(chosen.execution_options(populate_existing=True))
    if person is None:
        raise NotFound
    return person


async def change_staff(
    session: AsyncSession,
    brand_id: int,
    staff_id: UUID,
    role: Role,
    shops: Collection[str] | None,
    *,
    actor: Actor,
) -> ChangedStaff:
    """Give a person another role and other shops; both hold from their next request on.

    Who is no administrator any more loses the keys that they made. Raises `NotFound`, and AppError:
    `own_access` (409) where somebody changes themselves, others as `checked_shops`.
    """
    person = await lock_staff(session, brand_id, staff_id)
    _refuse_self(person, actor)
    shop_ids = await checked_shops(session, brand_id, role, shops)
    return await _change(session, person, role, shop_ids, actor=actor)


async def _change(
    session: AsyncSession,
    person: Staff,
    role: Role,
    shop_ids: list[UUID] | None,
    *,
    actor: Actor,
) -> ChangedStaff:
    changes: dict[str, tuple[object, object]] = {}
    if person.role is not role:
        changes["role"] = (person.role, role)
    if person.shop_ids != shop_ids:
        changes["shops"] = (_shown_shops(person.shop_ids), _shown_shops(shop_ids))
    ended = 0
    if ends_keys(person.role, role):
        ended = await end_keys_of(session, person.brand_id, person.id, actor=actor)
    person.role, person.shop_ids = role, shop_ids
    await session.flush()
    if changes:
        await record_action(session, actor, AuditAction.staff_changed, ("stf", person.id), changes)
    return ChangedStaff(person, ended)


def _shown_shops(shop_ids: Collection[UUID] | None) -> list[str] | None:
    return None if shop_ids is None else [public_id("shp", each) for each in shop_ids]


def _refuse_self(person: Staff, actor: Actor) -> None:
    """So at least one administrator is left, and nobody locks themselves out by a slip."""
    if actor.kind is ActorKind.staff and actor.id == person.id:
        raise AppError(
            "own_access", "You cannot change or remove yourself; ask another administrator.", status=409
        )


async def set_password(
    session: AsyncSession,
    brand_id: int,
    staff_id: UUID,
    password: str,
    *,
    actor: Actor,
    proven: bool = False,
) -> None:
    """Let a person sign in by this password too; ends the sessions of their browsers.

    `proven`: the person who sets it has shown that the address is theirs. Raises AppError
    (`bad_password`) for one that is too short or too long.
    """
    if not is_usable(password):
        raise AppError(
            "bad_password",
            f"A password has at least {MINIMUM_LENGTH} characters, and at most {MAXIMUM_LENGTH}.",
        )
    chosen = Staff.brand_id == brand_id, Staff.id == staff_id
    values = {"password_hash": await hash_password(password), "password_proven": proven}
    await session.execute(update(Staff).where(*chosen).values(**values))
    await _end_sessions(session, brand_id, staff_id)
    await record_action(session, actor, AuditAction.password_set, ("stf", staff_id))


async def remove_staff(
    session: AsyncSession,
    brand_id: int,
    staff_id: UUID,
    *,
    actor: Actor,
    keep_keys: bool = False,
) -> ChangedStaff:
    """Remove a person from a brand's staff; ends their sessions and links at once.

    The keys that they made end too, and those that were made by one of them; with `keep_keys` they
    stay, and belong to the actor. Returns the row as it was. Raises `NotFound`, and AppError
    `own_access` (409) where somebody removes themselves.
    """
    # Whoever signs in locks this row first too, so no session is made beside the removal.
    person = await lock_staff(session, brand_id, staff_id)
    _refuse_self(person, actor)
    await _end_sessions(session, brand_id, staff_id)
    ended = await end_keys_of(session, brand_id, staff_id, actor=actor, keep=keep_keys)
    links = LoginLink.brand_id == brand_id, LoginLink.staff_id == staff_id
    about = (await session.scalars(select(LoginLink.id).where(*links))).all()
    await erase_messages_about(session, brand_id, about, [INVITATION, SIGN_IN_LINK])
    await session.execute(delete(LoginLink).where(*links))
    await erase_notices(session, brand_id, staff_id)
    await erase_messages_about(session, brand_id, [staff_id], [DIGEST])
    await session.execute(delete(Staff).where(Staff.brand_id == brand_id, Staff.id == staff_id))
    await record_action(
        session, actor, AuditAction.staff_removed, ("stf", staff_id), {"role": (person.role, None)}
    )
    return ChangedStaff(person, ended)


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
