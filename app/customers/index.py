"""Load the customers that a batch may name."""

from collections.abc import Collection, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Select, and_, bindparam, select
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.ext.asyncio import AsyncSession

from app.base.batch import in_bound_texts
from app.base.prepared import Prepared
from app.customers.match import ComparablePerson, CustomerIndex, KnownCustomer
from app.customers.models import Customer, CustomerReference

OWN = (
    Customer.id,
    Customer.email,
    Customer.phone,
    Customer.phone_at,
    Customer.phone_agreed,
    Customer.first_name,
    Customer.first_name_at,
    Customer.last_name,
    Customer.last_name_at,
    Customer.locale,
    Customer.locale_at,
    Customer.time_zone,
    Customer.time_zone_at,
    Customer.country,
    Customer.country_at,
    Customer.country_own,
)
"""The columns of a `KnownCustomer`, in its order."""


async def load_index(
    session: AsyncSession, brand_id: int, shop_id: UUID, people: Sequence[ComparablePerson]
) -> CustomerIndex:
    """Every customer with one of these addresses or ids, in at most three queries.

    A customer is one object, however often they are found.
    """
    once: dict[UUID, KnownCustomer] = {}

    async def load(
        statement: Prepared[_Found], keys: Collection[str], **given: object
    ) -> dict[str, KnownCustomer]:
        found = await statement.all(session, of_brand=brand_id, keys=list(keys), **given) if keys else []
        return {key: once.setdefault(customer.id, customer) for customer, key in found}

    emails = {person.email for person in people if person.email}
    phones = {person.phone for person in people if person.phone and not person.email}
    references = {person.external_id for person in people if person.external_id}
    return CustomerIndex(
        by_email=await load(_BY_EMAIL, emails),
        by_phone=await load(_BY_PHONE, phones),
        by_reference=await load(_BY_REFERENCE, references, of_shop=shop_id),
    )


_Found = tuple[KnownCustomer, str]
"""A customer, and the address or id by which they were found."""


def _found(*values: Any) -> _Found:
    return KnownCustomer(*values[:-1]), values[-1]


def _known() -> Select[*tuple[Any, ...]]:
    """Select each `KnownCustomer` of the brand who is not erased."""
    return select(*OWN).where(Customer.brand_id == bindparam("of_brand"), Customer.erased_at.is_(None))


_BY_EMAIL = Prepared(
    _known().add_columns(Customer.email).where(in_bound_texts(Customer.email, "keys")), _found
)
# The oldest customer with each number.
_BY_PHONE = Prepared(
    _known()
    .add_columns(Customer.phone)
    .ext(distinct_on(Customer.phone))
    .where(in_bound_texts(Customer.phone, "keys"))
    .order_by(Customer.phone, Customer.id),
    _found,
)
_BY_REFERENCE = Prepared(
    _known()
    .add_columns(CustomerReference.external_id)
    .join(
        CustomerReference,
        and_(
            CustomerReference.brand_id == bindparam("of_brand"),
            CustomerReference.shop_id == bindparam("of_shop"),
            CustomerReference.customer_id == Customer.id,
            in_bound_texts(CustomerReference.external_id, "keys"),
        ),
    ),
    _found,
)
