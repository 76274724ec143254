"""Which customer of the brand a shop speaks of: found or made, for a whole batch at once."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Select, Uuid, and_, delete, exists, false, func, literal, or_, select, update
from sqlalchemy.dialects.postgresql import Insert, distinct_on, insert
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from app.base.batch import as_row, in_ids, in_texts, recordset
from app.base.ids import new_id
from app.brands.models import Brand, Shop
from app.brands.programme import Channel
from app.customers import contact
from app.customers.contact import Person
from app.customers.match import Book, Known, Named, Said, last_words, named
from app.customers.models import Consent, Customer, CustomerReference

_ROUNDS = 8
"""How often a batch looks again after somebody else made one of its customers first; each round knows more than the last."""
_KNOWN = (
    Customer.id,
    Customer.email,
    Customer.phone,
    Customer.first_name,
    Customer.last_name,
    Customer.locale,
    Customer.time_zone,
    Customer.country,
)
_WRITTEN = [*_KNOWN, Customer.email_key]


async def identify(
    session: AsyncSession, brand: Brand, shop: Shop, people: Sequence[Person], *, now: datetime
) -> list[UUID | None]:
    """The customer each person is, in order: found or made, with what they newly say of themselves and of consent.

    None only for a person with neither a usable e-mail, a valid phone number nor an id of the shop. Any number of batches may run
    at once: two that meet a new person make one customer. `match` says how a person is told.
    """
    regions = contact.shop_regions(shop.locale, shop.time_zone, shop.currency)
    comparable = [named(person, regions) for person in people]
    place = _Place(brand.id, shop.id)
    for _ in range(_ROUNDS):
        book = await _open_book(session, place, comparable)
        customers = [book.place(person, new_id) for person in comparable]
        if await _write(session, place, book, customers):
            ids = [customer.id if customer else None for customer in customers]
            await write_consents(session, brand.id, last_words(list(zip(ids, people, strict=True)), now=now))
            return ids
    raise RuntimeError("the same customers were made elsewhere again and again")


@dataclass(frozen=True, slots=True)
class _Place:
    brand_id: int
    shop_id: UUID


def _known(brand_id: int) -> Select[*tuple[Any, ...]]:
    """The columns of a `Known`, for a brand's customers who are not erased."""
    # Not EXISTS: PostgreSQL may answer that by reading all of the brand's consents, for every batch.
    agreed = (
        select(Consent.given)
        .where(
            Consent.brand_id == brand_id, Consent.customer_id == Customer.id, Consent.channel == Channel.sms
        )
        .scalar_subquery()
    )
    return select(*_KNOWN, func.coalesce(agreed, false())).where(
        Customer.brand_id == brand_id, Customer.erased_at.is_(None)
    )


async def _open_book(session: AsyncSession, place: _Place, people: Sequence[Named]) -> Book:
    """Everybody this batch may speak of: three queries, one object a customer however often they are found."""
    once: dict[UUID, Known] = {}

    async def read(keys: set[str], query: Select[*tuple[Any, ...]]) -> dict[str, Known]:
        found = (await session.execute(query)).all() if keys else []
        return {row[-1]: once.setdefault(row[0], Known(*row[:-1])) for row in found}

    emails = {person.email for person in people if person.email}
    phones = {person.phone for person in people if person.phone and not person.email}
    references = {person.external_id for person in people if person.external_id}
    known = _known(place.brand_id)
    referred = known.add_columns(CustomerReference.external_id).join(
        CustomerReference,
        and_(
            CustomerReference.brand_id == place.brand_id,
            CustomerReference.shop_id == place.shop_id,
            CustomerReference.customer_id == Customer.id,
            in_texts(CustomerReference.external_id, list(references)),
        ),
    )
    oldest = (
        known.add_columns(Customer.phone)
        .ext(distinct_on(Customer.phone))
        .order_by(Customer.phone, Customer.id)
    )
    return Book(
        by_email=await read(
            emails, known.add_columns(Customer.email).where(in_texts(Customer.email, list(emails)))
        ),
        by_phone=await read(phones, oldest.where(in_texts(Customer.phone, list(phones)))),
        by_reference=await read(references, referred),
    )


async def _write(session: AsyncSession, place: _Place, book: Book, customers: Sequence[Known | None]) -> bool:
    """Write what the batch adds; False when somebody else was first with one of these, and the batch must look again.

    Everybody writes in one order (new keys, then rows, then references, each sorted), so that batches wait for each other rather
    than lock each other out.
    """
    unique = {customer.id: customer for customer in customers if customer}
    new = [customer for customer in unique.values() if customer.new]
    changed = [customer for customer in unique.values() if customer.changes and not customer.new]
    done = (
        await _insert(session, place.brand_id, new)
        and await _update(session, place.brand_id, changed)
        and await _refer(session, place, book.new_references)
    )
    if done:
        await _move(session, place, book.moved_references)
    else:
        await _drop_unreachable(session, place.brand_id, new)
    return done


async def _insert(session: AsyncSession, brand_id: int, new: Sequence[Known]) -> bool:
    if not new:
        return True
    given = recordset([_row(customer) for customer in new], _WRITTEN)
    made = await session.execute(
        insert(Customer)
        .from_select(
            ["brand_id", *given.c.keys()],
            select(literal(brand_id), *given.c).order_by(given.c.email, given.c.phone, given.c.id),
            include_defaults=False,
        )
        .on_conflict_do_nothing()
        .returning(Customer.id)
    )
    return len(made.all()) == len(new)


def _row(customer: Known) -> dict[str, Any]:
    key = contact.email_key(customer.email) if customer.email else None
    return {**{column.key: getattr(customer, column.key) for column in _KNOWN}, "email_key": key}


class _OvertakenError(Exception):
    """Somebody beside us gave a customer another identity first; what we wrote meanwhile is taken back and decided anew."""


async def _update(session: AsyncSession, brand_id: int, changed: Sequence[Known]) -> bool:
    """Write only what is new of each, so that a batch beside this one keeps what it learned; an erased row stays empty."""
    if not changed:
        return True
    if not any(customer.identity_changed for customer in changed):
        return await _update_rows(session, brand_id, changed)
    try:
        async with session.begin_nested():
            if not await _update_rows(session, brand_id, changed):
                raise _OvertakenError
    except (IntegrityError, _OvertakenError):
        return False
    return True


async def _update_rows(session: AsyncSession, brand_id: int, changed: Sequence[Known]) -> bool:
    ids = [customer.id for customer in changed]
    of_these = (Customer.brand_id == brand_id, in_ids(Customer.id, ids))
    await session.execute(
        select(Customer.id).where(*of_these).order_by(Customer.id).with_for_update(key_share=True)
    )
    rows = [{"id": customer.id, **customer.changes, **_key_of(customer.changes)} for customer in changed]
    given = recordset(rows, _WRITTEN)
    newest = {
        column.key: func.coalesce(given.c[column.key], column)
        for column in _WRITTEN
        if column.key not in ("id", "email")
    }
    written = await session.execute(
        update(Customer)
        .values(newest | {"email": func.coalesce(Customer.email, given.c.email)})
        .where(*of_these, Customer.id == given.c.id, Customer.erased_at.is_(None))
        .returning(Customer.id, Customer.email)
        .execution_options(synchronize_session=False)
    )
    emails = {row.id: row.email for row in written}
    return all(emails.get(customer.id, "") == customer.email for customer in changed)


def _key_of(changes: dict[str, str]) -> dict[str, str]:
    return {"email_key": contact.email_key(changes["email"])} if "email" in changes else {}


_REFERENCE = [CustomerReference.external_id, CustomerReference.customer_id]


async def _refer(session: AsyncSession, place: _Place, references: dict[str, Known]) -> bool:
    if not references:
        return True
    made = await session.execute(
        _references(place, references).on_conflict_do_nothing().returning(CustomerReference.external_id)
    )
    return len(made.all()) == len(references)


async def _move(session: AsyncSession, place: _Place, references: dict[str, Known]) -> None:
    if references:
        statement = _references(place, references)
        moved = statement.on_conflict_do_update(
            index_elements=["brand_id", "shop_id", "external_id"],
            set_={"customer_id": statement.excluded.customer_id},
        )
        await session.execute(moved)


def _references(place: _Place, references: dict[str, Known]) -> Insert:
    rows = [
        {"external_id": external_id, "customer_id": customer.id}
        for external_id, customer in references.items()
    ]
    given = recordset(rows, _REFERENCE)
    values = select(literal(place.brand_id), literal(place.shop_id, Uuid), *given.c).order_by(
        given.c.external_id
    )
    return insert(CustomerReference).from_select(
        ["brand_id", "shop_id", *given.c.keys()], values, include_defaults=False
    )


async def _drop_unreachable(session: AsyncSession, brand_id: int, new: Sequence[Known]) -> None:
    """Take back customers made for a reference alone that somebody else was first with: nothing would ever find them again."""
    ids = [customer.id for customer in new if customer.email is None and customer.phone is None]
    referred = exists().where(
        CustomerReference.brand_id == brand_id, CustomerReference.customer_id == Customer.id
    )
    if ids:
        await session.execute(
            delete(Customer)
            .where(Customer.brand_id == brand_id, in_ids(Customer.id, ids), ~referred)
            .execution_options(synchronize_session=False)
        )


async def write_consents(session: AsyncSession, brand_id: int, words: Sequence[Said]) -> None:
    """Keep each of these words unless a later one is known; `Said.outdoes` in the database's terms."""
    if not words:
        return
    given = recordset([as_row(said) for said in words], _CONSENT)
    values = select(literal(brand_id), *given.c).order_by(given.c.customer_id, given.c.channel)
    statement = insert(Consent).from_select(["brand_id", *given.c.keys()], values, include_defaults=False)
    newer = statement.excluded
    await session.execute(
        statement.on_conflict_do_update(
            index_elements=["brand_id", "customer_id", "channel"],
            set_={column.key: newer[column.key] for column in _CONSENT[2:]},
            where=or_(newer.at > Consent.at, and_(newer.at == Consent.at, Consent.given, ~newer.given)),
        )
    )


_CONSENT = [
    Consent.customer_id,
    Consent.channel,
    Consent.given,
    Consent.opt_in_level,
    Consent.source,
    Consent.at,
]
