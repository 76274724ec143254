"""Write the customers that a batch creates or changes, and the shops' ids of them."""

from collections.abc import Collection, Sequence
from operator import attrgetter
from typing import Any
from uuid import UUID

from sqlalchemy import (
    CTE,
    ColumnElement,
    Integer,
    Update,
    Uuid,
    and_,
    bindparam,
    case,
    delete,
    exists,
    func,
    literal,
    or_,
    select,
    tuple_,
    update,
)
from sqlalchemy.dialects.postgresql import Insert, insert
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from app.base.batch import (
    arrays_of,
    arrays_of_tuples,
    bound_recordset,
    constant,
    in_bound_ids,
    in_ids,
    parsed_once,
    recordset,
)
from app.base.prepared import Prepared
from app.base.touched import touch
from app.customers.contact import email_key
from app.customers.index import OWN
from app.customers.match import DETAILS, RANKED, CustomerIndex, KnownCustomer
from app.customers.models import Customer, CustomerReference, FormerReference

_OWN = [column.key for column in OWN]
_WRITTEN = [*OWN, Customer.email_key]
_REFERENCE = [CustomerReference.external_id, CustomerReference.customer_id]


async def write_customers(
    session: AsyncSession,
    brand_id: int,
    shop_id: UUID,
    index: CustomerIndex,
    customers: Sequence[KnownCustomer | None],
) -> bool:
    """Write what the batch adds; returns False where another batch came first.

    This one must then start again. Every batch writes in the same order (new rows, changed rows,
    references, each sorted), so that two of them wait for each other and never deadlock.
    """
    unique = {customer.id: customer for customer in customers if customer}
    new = [customer for customer in unique.values() if customer.new]
    changed = [customer for customer in unique.values() if customer.changes and not customer.new]
    done = (
        await _insert(session, brand_id, new)
        and await _update(session, brand_id, changed)
        and await _refer(session, brand_id, shop_id, index.new_references)
    )
    if done:
        await _move(session, brand_id, shop_id, index.moved_references)
        await _keep_former(session, brand_id, shop_id, index.former_references)
    else:
        await _drop_unreachable(session, brand_id, new)
    return done


async def _insert(session: AsyncSession, brand_id: int, new: Sequence[KnownCustomer]) -> bool:
    if not new:
        return True
    # Each statement looks for conflicts with one unique key alone.
    by_email = [customer for customer in new if customer.email]
    by_phone = [customer for customer in new if not customer.email]
    for insertion, customers in ((_INSERT_BY_EMAIL, by_email), (_INSERT_BY_PHONE, by_phone)):
        if not customers:
            continue
        arrays = arrays_of_tuples([_row(customer) for customer in customers], _WRITTEN)
        if await insertion.run(session, of_brand=brand_id, **arrays) < len(customers):
            return False
    return True


_MOSTLY_WITH_COUNTRY = ("phone", "first_name", "last_name", "locale")
"""A time takes PostgreSQL longer to read than to write, so these details' times are passed where
they are not the country's, as are ranks where they are not what most people's are."""
_own_values = attrgetter(*_OWN)
_PHONE_AGREED, _COUNTRY_OWN = _OWN.index("phone_agreed"), _OWN.index("country_own")
_PASSED_TIMES = tuple(_OWN.index(f"{name}_at") for name in _MOSTLY_WITH_COUNTRY)


def _row(customer: KnownCustomer) -> list[object]:
    row = [*_own_values(customer), email_key(customer.email) if customer.email else None]
    for place in _PASSED_TIMES:
        if row[place] == customer.country_at:
            row[place] = None
    row[_PHONE_AGREED] = customer.phone_agreed or None
    if customer.country_own is (customer.country is not None):
        row[_COUNTRY_OWN] = None
    return row


def _insertion(of: InstrumentedAttribute[str | None], unique: ColumnElement[bool]) -> Prepared[object]:
    given = bound_recordset(_WRITTEN)
    values: dict[str, ColumnElement[Any]] = {"brand_id": bindparam("of_brand", type_=Integer), **given.c}
    for name in _MOSTLY_WITH_COUNTRY:
        at = func.coalesce(given.c[f"{name}_at"], given.c.country_at)
        values[f"{name}_at"] = case((given.c[name].is_not(None), at))
    values["phone_agreed"] = func.coalesce(given.c.phone_agreed, constant(value=False))
    values["country_own"] = func.coalesce(given.c.country_own, given.c.country.is_not(None))
    statement = (
        insert(Customer)
        .from_select(
            [*values],
            select(*values.values()).order_by(given.c.email, given.c.phone, given.c.id),
            include_defaults=False,
        )
        .on_conflict_do_nothing(index_elements=[Customer.brand_id, of], index_where=unique)
    )
    return Prepared(statement, tuple)


_INSERT_BY_EMAIL = _insertion(Customer.email, Customer.email.is_not(None))
_INSERT_BY_PHONE = _insertion(Customer.phone, and_(Customer.email.is_(None), Customer.phone.is_not(None)))


class _OvertakenError(Exception):
    """Another batch gave a customer another identity first; this one's changes are rolled back."""


async def _update(session: AsyncSession, brand_id: int, changed: Sequence[KnownCustomer]) -> bool:
    """Write only the changes, so that those of another batch stay; an erased row stays empty."""
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


async def _update_rows(session: AsyncSession, brand_id: int, changed: Sequence[KnownCustomer]) -> bool:
    ids = [customer.id for customer in changed]
    await _LOCK.run(session, of_brand=brand_id, ids=ids)
    rows = [{"id": customer.id, **customer.changes, **_key_of(customer.changes)} for customer in changed]
    written = await _UPDATE.all(session, of_brand=brand_id, ids=ids, **arrays_of(rows, _WRITTEN))
    await touch(session, brand_id, "customers", [each.id for each in changed if "country" in each.changes])
    emails = dict(written)
    return all(emails.get(customer.id, "") == customer.email for customer in changed)


def _key_of(changes: dict[str, object]) -> dict[str, str]:
    return {"email_key": email_key(str(changes["email"]))} if "email" in changes else {}


def _newest(given: CTE) -> dict[str, ColumnElement[Any]]:
    """The details' columns: the given values where they are newer than the row's.

    The conditions are those of `KnownCustomer` once more, since another batch may have written
    meanwhile.
    """
    values: dict[str, ColumnElement[Any]] = {}
    for name in (*DETAILS, *RANKED):
        newer = _is_newer(name, given)
        for key in filter(None, (name, f"{name}_at", RANKED.get(name))):
            values[key] = case((newer, given.c[key]), else_=getattr(Customer, key))
    only_agreed = and_(given.c.phone.is_(None), given.c.phone_agreed.is_(True))
    values["phone_agreed"] = or_(only_agreed, values["phone_agreed"])
    follows = and_(Customer.time_zone_at.is_(None), given.c.time_zone_at.is_(None))
    values["time_zone"] = case(
        (and_(follows, _is_newer("country", given)), given.c.time_zone), else_=values["time_zone"]
    )
    return values


def _is_newer(name: str, given: CTE) -> ColumnElement[bool]:
    keys = [key for key in (RANKED.get(name), f"{name}_at") if key]
    value = getattr(Customer, name)
    before = tuple_(*(getattr(Customer, key) for key in keys), value.collate("C"))
    after = tuple_(*(given.c[key] for key in keys), given.c[name].collate("C"))
    unknown = or_(value.is_(None), getattr(Customer, f"{name}_at").is_(None))
    return and_(given.c[f"{name}_at"].is_not(None), or_(unknown, after > before))


def _updating() -> Update:
    """The statement that writes these changes, as far as they are newer, and returns addresses."""
    given = parsed_once(bound_recordset(_WRITTEN))
    values: dict[str, ColumnElement[Any]] = {
        name: func.coalesce(getattr(Customer, name), given.c[name]) for name in ("email", "email_key")
    }
    return (
        update(Customer)
        .values(values | _newest(given))
        .where(*_OF_THESE, Customer.id == given.c.id, Customer.erased_at.is_(None))
        .returning(Customer.id, Customer.email)
    )


_OF_THESE = (Customer.brand_id == bindparam("of_brand"), in_bound_ids(Customer.id, "ids"))
_LOCK = Prepared(
    select(Customer.id).where(*_OF_THESE).order_by(Customer.id).with_for_update(key_share=True), tuple
)
_UPDATE = Prepared(_updating(), lambda customer_id, email: (customer_id, email))


async def _refer(
    session: AsyncSession, brand_id: int, shop_id: UUID, references: dict[str, KnownCustomer]
) -> bool:
    if not references:
        return True
    made = await _REFER.run(session, of_brand=brand_id, of_shop=shop_id, **_given(references))
    return made == len(references)


async def _move(
    session: AsyncSession, brand_id: int, shop_id: UUID, references: dict[str, KnownCustomer]
) -> None:
    if references:
        await _MOVE.run(session, of_brand=brand_id, of_shop=shop_id, **_given(references))


async def _keep_former(
    session: AsyncSession, brand_id: int, shop_id: UUID, former: Collection[tuple[str, UUID]]
) -> None:
    """Store to whom ids belonged before they moved."""
    if not former:
        return
    rows = [
        {"external_id": external_id, "customer_id": customer_id}
        for external_id, customer_id in sorted(former)
    ]
    given = recordset(rows, [FormerReference.external_id, FormerReference.customer_id])
    await session.execute(
        insert(FormerReference)
        .from_select(
            ["brand_id", "shop_id", *given.c.keys()],
            select(literal(brand_id), literal(shop_id, Uuid), *given.c),
            include_defaults=False,
        )
        .on_conflict_do_nothing()
    )


def _given(references: dict[str, KnownCustomer]) -> dict[str, object]:
    rows = [(external_id, customer.id) for external_id, customer in references.items()]
    return arrays_of_tuples(rows, _REFERENCE)


def _references() -> Insert:
    given = bound_recordset(_REFERENCE)
    of_shop = bindparam("of_brand", type_=Integer), bindparam("of_shop", type_=Uuid)
    return insert(CustomerReference).from_select(
        ["brand_id", "shop_id", *given.c.keys()],
        select(*of_shop, *given.c).order_by(given.c.external_id),
        include_defaults=False,
    )


def _moving(statement: Insert) -> Insert:
    return statement.on_conflict_do_update(
        index_elements=["brand_id", "shop_id", "external_id"],
        set_={"customer_id": statement.excluded.customer_id},
    )


_REFER = Prepared(_references().on_conflict_do_nothing(), tuple)
_MOVE = Prepared(_moving(_references()), tuple)


async def _drop_unreachable(session: AsyncSession, brand_id: int, new: Sequence[KnownCustomer]) -> None:
    """Delete new customers without an address whose reference belongs to another customer.

    Nothing would find them.
    """
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
