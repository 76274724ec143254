"""Keyed hashes of what identified erased people: recognises them without storing who they were.

They are kept for `KEPT_MONTHS`. Two things are decided by them: a friend who was erased before is
no new customer, and a delivery that arrived before the erasure is processed without the person.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import bindparam, delete, func, literal, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.base.batch import as_row, constant, in_ids, recordset
from app.base.prepared import Prepared
from app.base.tokens import Tokens
from app.customers.contact import email_key
from app.customers.models import CustomerReference, ErasedIdentity

KEPT_MONTHS = 24
"""How long the hashes are kept."""


class IdentityKind(StrEnum):
    """What identifies a person; part of the hash, so that no two kinds have the same one."""

    email = "email"
    email_key = "email_key"
    """The address without aliases, as `contact.email_key` makes it."""
    phone = "phone"
    reference = "reference"
    """A shop's id for the person."""


@dataclass(frozen=True, slots=True)
class Identities:
    """What identifies one person: e-mail addresses, numbers (E.164), shops and their ids."""

    emails: frozenset[str] = frozenset()
    phones: frozenset[str] = frozenset()
    references: frozenset[tuple[UUID, str]] = frozenset()

    def __or__(self, other: "Identities") -> "Identities":
        """What either of the two has."""
        return Identities(
            self.emails | other.emails, self.phones | other.phones, self.references | other.references
        )

    def keys(self, tokens: Tokens) -> set[bytes]:
        """The keyed hash of each."""
        return {
            *(email_hash(tokens, email) for email in self.emails),
            *(alias_free_hash(tokens, email_key(email)) for email in self.emails),
            *(phone_hash(tokens, phone) for phone in self.phones),
            *(reference_hash(tokens, shop_id, external_id) for shop_id, external_id in self.references),
        }


NOBODY = Identities()


def email_hash(tokens: Tokens, email: str) -> bytes:
    """The keyed hash of a normalised e-mail address."""
    return _hash(tokens, IdentityKind.email, email)


def alias_free_hash(tokens: Tokens, key: str) -> bytes:
    """The keyed hash of an e-mail address without aliases."""
    return _hash(tokens, IdentityKind.email_key, key)


def phone_hash(tokens: Tokens, phone: str) -> bytes:
    """The keyed hash of a number in E.164."""
    return _hash(tokens, IdentityKind.phone, phone)


def reference_hash(tokens: Tokens, shop_id: UUID, external_id: str) -> bytes:
    """The keyed hash of a shop's id for a person."""
    return _hash(tokens, IdentityKind.reference, f"{shop_id}/{external_id}")


def _hash(tokens: Tokens, kind: IdentityKind, value: str) -> bytes:
    return tokens.address_key(f"erased/{kind}/{value}")


@dataclass(frozen=True, slots=True)
class ErasedPerson:
    """Whom a hash on the list belonged to, and their erasure's place in the order of arrival."""

    customer_id: UUID | None
    """None for a person who had no customer's row."""
    sequence: int


@dataclass(frozen=True, slots=True)
class NewErasedIdentity:
    """A hash to be put on the list; see `ErasedIdentity`."""

    identity_key: bytes
    customer_id: UUID | None
    sequence: int
    erased_at: datetime


_COLUMNS = [
    ErasedIdentity.identity_key,
    ErasedIdentity.customer_id,
    ErasedIdentity.sequence,
    ErasedIdentity.erased_at,
]


async def list_erased(session: AsyncSession, brand_id: int, identities: Sequence[NewErasedIdentity]) -> None:
    """Put these hashes on the list in one statement; a later erasure replaces an earlier one."""
    latest = {each.identity_key: each for each in sorted(identities, key=lambda each: each.sequence)}
    if not latest:
        return
    given = recordset([as_row(each) for each in latest.values()], _COLUMNS)
    statement = insert(ErasedIdentity).from_select(
        ["brand_id", *given.c.keys()],
        select(literal(brand_id), *given.c).order_by(given.c.identity_key),
        include_defaults=False,
    )
    new = statement.excluded
    await session.execute(
        statement.on_conflict_do_update(
            index_elements=["brand_id", "identity_key"],
            set_={
                "customer_id": func.coalesce(new.customer_id, ErasedIdentity.customer_id),
                "sequence": func.greatest(ErasedIdentity.sequence, new.sequence),
                "erased_at": func.greatest(ErasedIdentity.erased_at, new.erased_at),
                "journaled": constant(value=False),
            },
        )
    )


async def has_erased(session: AsyncSession, brand_id: int, *, after: int | None = None) -> bool:
    """Whether anybody of the brand is on the list; with `after`, by an erasure after this place."""
    first = -1 if after is None else after
    return bool(await _HAS_ERASED.all(session, of_brand=brand_id, after=first))


_HAS_ERASED = Prepared(
    select(ErasedIdentity.sequence)
    .where(ErasedIdentity.brand_id == bindparam("of_brand"), ErasedIdentity.sequence > bindparam("after"))
    .limit(1),
    int,
)


async def find_erased(
    session: AsyncSession, brand_id: int, keys: Collection[bytes]
) -> dict[bytes, ErasedPerson]:
    """Those of these hashes that are on the list."""
    if not keys:
        return {}
    given = recordset([{"identity_key": key} for key in sorted(keys)], [ErasedIdentity.identity_key])
    found = await session.execute(
        select(ErasedIdentity.identity_key, ErasedIdentity.customer_id, ErasedIdentity.sequence).where(
            ErasedIdentity.brand_id == brand_id, ErasedIdentity.identity_key == given.c.identity_key
        )
    )
    return {bytes(row.identity_key): ErasedPerson(row.customer_id, row.sequence) for row in found}


async def find_erased_references(
    session: AsyncSession, tokens: Tokens, brand_id: int, customer_ids: Collection[UUID]
) -> set[UUID]:
    """Those of these customers whom a shop knows by an id that an erased person had."""
    rows = await session.execute(
        select(CustomerReference.customer_id, CustomerReference.shop_id, CustomerReference.external_id).where(
            CustomerReference.brand_id == brand_id, in_ids(CustomerReference.customer_id, list(customer_ids))
        )
    )
    hashes = {reference_hash(tokens, row.shop_id, row.external_id): row.customer_id for row in rows}
    erased = await find_erased(session, brand_id, hashes)
    return {customer_id for key, customer_id in hashes.items() if key in erased}


async def brands_with_old_identities(session: AsyncSession, before: datetime) -> Sequence[int]:
    """The brands on whose list somebody stands who was erased before this time."""
    rows = await session.scalars(
        select(ErasedIdentity.brand_id).where(ErasedIdentity.erased_at < before).distinct()
    )
    return rows.all()


async def delete_old_identities(session: AsyncSession, brand_id: int, before: datetime, limit: int) -> int:
    """Take from the list, at most `limit` at once, who was erased before this time."""
    old = (
        select(ErasedIdentity.identity_key)
        .where(ErasedIdentity.brand_id == brand_id, ErasedIdentity.erased_at < before)
        .order_by(ErasedIdentity.identity_key)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    gone = await session.scalars(
        delete(ErasedIdentity)
        .where(ErasedIdentity.brand_id == brand_id, ErasedIdentity.identity_key.in_(old))
        .returning(ErasedIdentity.identity_key)
        .execution_options(synchronize_session=False)
    )
    return len(gone.all())
