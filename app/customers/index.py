"""Load the customers that a batch may name."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Select, and_, select
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.ext.asyncio import AsyncSession

from app.base.batch import in_texts
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

    async def load(keys: set[str], query: Select[*tuple[Any, ...]]) -> dict[str, KnownCustomer]:
        found = (await session.execute(query)).all() if keys else []
        return {row[-1]: once.setdefault(row[0], KnownCustomer(*row[:-1])) for row in found}

    emails = {person.email for person in people if person.email}
    phones = {person.phone for person in people if person.phone and not person.email}
    references = {person.external_id for person in people if person.external_id}
    return CustomerIndex(
        by_email=await load(emails, _by_email(brand_id, emails)),
        by_phone=await load(phones, _by_phone(brand_id, phones)),
        by_reference=await load(references, _by_reference(brand_id, shop_id, references)),
    )


def _known(brand_id: int) -> Select[*tuple[Any, ...]]:
    """Select each `KnownCustomer` of the brand who is not erased."""
    return select(*OWN).where(Customer.brand_id == brand_id, Customer.erased_at.is_(None))


def _by_email(brand_id: int, emails: set[str]) -> Select[*tuple[Any, ...]]:
    return _known(brand_id).add_columns(Customer.email).where(in_texts(Customer.email, list(emails)))


def _by_phone(brand_id: int, phones: set[str]) -> Select[*tuple[Any, ...]]:
    """The oldest customer with each number."""
    return (
        _known(brand_id)
        .add_columns(Customer.phone)
        .ext(distinct_on(Customer.phone))
        .where(in_texts(Customer.phone, list(phones)))
        .order_by(Customer.phone, Customer.id)
    )


def _by_reference(brand_id: int, shop_id: UUID, references: set[str]) -> Select[*tuple[Any, ...]]:
    return (
        _known(brand_id)
        .add_columns(CustomerReference.external_id)
        .join(
            CustomerReference,
            and_(
                CustomerReference.brand_id == brand_id,
                CustomerReference.shop_id == shop_id,
                CustomerReference.customer_id == Customer.id,
                in_texts(CustomerReference.external_id, list(references)),
            ),
        )
    )
