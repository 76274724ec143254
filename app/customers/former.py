"""Who else a person is: the customers whom a shop knew by one id before an address was changed."""

from collections.abc import Collection, Sequence
from uuid import UUID

from sqlalchemy import ColumnElement, and_, func, select, union
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute, aliased

from app.base.batch import in_ids, recordset
from app.customers.models import Customer, CustomerReference, FormerReference

MOST_HOLDERS = 4
"""An id that belonged to more customers than this is nobody's identity: a till's account for all
who have none of their own."""

Reference = tuple[UUID, str]
"""A shop, and its id for a customer."""


async def find_holders(
    session: AsyncSession, brand_id: int, references: Collection[Reference]
) -> dict[Reference, set[UUID]]:
    """The customers of each of these ids: the present one, and those who had it before.

    Of an id with more than `MOST_HOLDERS` customers only the present one.
    """
    if not references:
        return {}
    rows = [{"shop_id": shop_id, "external_id": external_id} for shop_id, external_id in references]
    columns = [CustomerReference.shop_id, CustomerReference.external_id]
    holders: dict[Reference, set[UUID]] = {}
    present: dict[Reference, UUID] = {}
    for table in (CustomerReference, FormerReference):
        given = recordset(rows, columns)
        found = await session.execute(
            select(table.shop_id, table.external_id, table.customer_id).where(
                table.brand_id == brand_id,
                and_(table.shop_id == given.c.shop_id, table.external_id == given.c.external_id),
            )
        )
        for row in found:
            key = (row.shop_id, row.external_id)
            holders.setdefault(key, set()).add(row.customer_id)
            if table is CustomerReference:
                present[key] = row.customer_id
    return {
        key: ids if len(ids) <= MOST_HOLDERS else {present[key]} if key in present else set()
        for key, ids in holders.items()
    }


async def with_former(session: AsyncSession, brand_id: int, customer_ids: Collection[UUID]) -> set[UUID]:
    """These customers, and those whom a shop knew before by an id that is theirs now."""
    references = await references_of(session, brand_id, list(customer_ids))
    own = [(row_shop, row_id) for row_shop, row_id, _ in references]
    holders = await find_holders(session, brand_id, own)
    return {*customer_ids, *(holder for ids in holders.values() for holder in ids)}


async def references_of(
    session: AsyncSession, brand_id: int, customer_ids: Sequence[UUID], *, former: bool = False
) -> list[tuple[UUID, str, UUID]]:
    """Shop, id and customer of each id that these customers have; with `former`, or had."""
    tables: list[type[CustomerReference | FormerReference]] = [CustomerReference]
    if former:
        tables.append(FormerReference)
    queries = [
        select(table.shop_id, table.external_id, table.customer_id).where(
            table.brand_id == brand_id, in_ids(table.customer_id, list(customer_ids))
        )
        for table in tables
    ]
    found = await session.execute(union(*queries) if former else queries[0])
    return [(row.shop_id, row.external_id, row.customer_id) for row in found]


def account_of(
    brand_id: InstrumentedAttribute[int],
    shop_id: InstrumentedAttribute[UUID],
    customer_id: InstrumentedAttribute[UUID | None],
) -> ColumnElement[str | None]:
    """The platform's id of a customer's account in a shop, for statements over these columns.

    Somebody who changed their address there has the account that they had before, unless its id
    belonged to more than `MOST_HOLDERS` customers.
    """
    held, others = FormerReference, aliased(FormerReference)
    present = select(func.max(CustomerReference.external_id)).where(
        CustomerReference.brand_id == brand_id,
        CustomerReference.shop_id == shop_id,
        CustomerReference.customer_id == customer_id,
    )
    holders = select(func.count()).where(
        others.brand_id == held.brand_id,
        others.shop_id == held.shop_id,
        others.external_id == held.external_id,
    )
    former = select(func.max(held.external_id)).where(
        held.brand_id == brand_id,
        held.shop_id == shop_id,
        held.customer_id == customer_id,
        holders.scalar_subquery() < MOST_HOLDERS,
    )
    return func.coalesce(present.scalar_subquery(), former.scalar_subquery())


async def find_owners(
    session: AsyncSession,
    brand_id: int,
    emails: Collection[str],
    phones: Collection[str],
    references: Collection[Reference],
) -> dict[str | Reference, UUID]:
    """To whom each of these belongs; a number belongs to a customer without an e-mail address."""
    owners: dict[str | Reference, UUID] = {}
    rows = await session.execute(
        select(Customer.id, Customer.email, Customer.phone).where(
            Customer.brand_id == brand_id,
            Customer.email.in_(list(emails)) | (Customer.email.is_(None) & Customer.phone.in_(list(phones))),
        )
    )
    for row in rows:
        owners[row.email or row.phone] = row.id
    if references:
        given = recordset(
            [{"shop_id": shop_id, "external_id": external_id} for shop_id, external_id in references],
            [CustomerReference.shop_id, CustomerReference.external_id],
        )
        found = await session.execute(
            select(
                CustomerReference.shop_id, CustomerReference.external_id, CustomerReference.customer_id
            ).where(
                CustomerReference.brand_id == brand_id,
                CustomerReference.shop_id == given.c.shop_id,
                CustomerReference.external_id == given.c.external_id,
            )
        )
        owners |= {(row.shop_id, row.external_id): row.customer_id for row in found}
    return owners
