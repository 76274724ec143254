"""The customer's own part in the export of a person's data."""

from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.base.ids import public_id
from app.base.tokens import Tokens
from app.brands.models import Shop
from app.customers.consent import suppressions_of
from app.customers.models import ConsentFact, Customer, CustomerReference
from app.customers.schemas import ConsentExport, CustomerExport, ReferenceExport, SuppressionExport


async def export_customer(
    session: AsyncSession, tokens: Tokens, brand_id: int, customer_id: UUID
) -> CustomerExport | None:
    """One customer's own data: names, addresses, the shops' ids, all consents and suppressions.

    None where the brand has no such customer.
    """
    customer = await session.scalar(
        select(Customer).where(Customer.brand_id == brand_id, Customer.id == customer_id)
    )
    if customer is None:
        return None
    suppressions = await suppressions_of(session, tokens, brand_id, customer.email, customer.phone)
    return CustomerExport(
        id=public_id("cus", customer.id),
        email=customer.email,
        phone=customer.phone,
        first_name=customer.first_name,
        last_name=customer.last_name,
        locale=customer.locale,
        time_zone=customer.time_zone,
        country=customer.country,
        created_at=customer.created_at,
        erased_at=customer.erased_at,
        references=await _references(session, brand_id, customer_id),
        consents=await _consents(session, brand_id, customer_id),
        suppressions=[
            SuppressionExport(channel=each.channel, reason=each.reason, at=each.at, lifted_at=each.lifted_at)
            for each in suppressions
        ],
    )


async def _references(session: AsyncSession, brand_id: int, customer_id: UUID) -> list[ReferenceExport]:
    rows = await session.execute(
        select(Shop.slug, CustomerReference.external_id)
        .join(Shop, (Shop.brand_id == CustomerReference.brand_id) & (Shop.id == CustomerReference.shop_id))
        .where(CustomerReference.brand_id == brand_id, CustomerReference.customer_id == customer_id)
        .order_by(Shop.slug, CustomerReference.external_id)
    )
    return [ReferenceExport(shop=row.slug, external_id=row.external_id) for row in rows]


async def _consents(session: AsyncSession, brand_id: int, customer_id: UUID) -> list[ConsentExport]:
    consents = await session.scalars(
        select(ConsentFact)
        .where(ConsentFact.brand_id == brand_id, ConsentFact.customer_id == customer_id)
        .order_by(ConsentFact.channel, ConsentFact.at, ConsentFact.given.desc())
    )
    return [
        ConsentExport(
            channel=consent.channel,
            given=consent.given,
            opt_in_level=consent.opt_in_level,
            source=consent.source,
            at=consent.at,
        )
        for consent in consents
    ]
