"""Everything stored about one person, as they may ask to see it."""

from collections.abc import Collection
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from app.base.context import AppContext
from app.brands.models import Brand
from app.customers.export import export_customer
from app.insight import person_rows
from app.insight.schemas import PersonCustomer, PersonExport
from app.insight.timeline import timeline
from app.orders.export import export_orders


async def export_people(
    session: AsyncSession, context: AppContext, brand: Brand, customer_ids: Collection[UUID]
) -> PersonExport:
    """All that the brand holds of these customers, who are one person.

    Messages as they were sent (links masked), responses, codes, rewards, the ledger, consents, what
    shops delivered, and every decision as a sentence.
    """
    customers = [
        await _customer(session, context, brand.id, customer_id) for customer_id in sorted(customer_ids)
    ]
    return PersonExport(brand=brand.slug, customers=[each for each in customers if each is not None])


async def _customer(
    session: AsyncSession, context: AppContext, brand_id: int, customer_id: UUID
) -> PersonCustomer | None:
    customer = await export_customer(session, context.tokens, brand_id, customer_id)
    if customer is None:
        return None
    key = (session, brand_id, customer_id)
    return PersonCustomer(
        **customer.__dict__,
        orders=await export_orders(*key),
        surveys=await person_rows.surveys(*key),
        responses=await person_rows.responses(*key),
        messages=await person_rows.messages(session, context, brand_id, customer_id),
        codes=await person_rows.codes(*key),
        redemptions=await person_rows.redemptions(*key),
        rewards=await person_rows.rewards(*key),
        ledger=await person_rows.ledger(*key),
        deliveries=await person_rows.deliveries(*key),
        timeline=await timeline(session, context.tokens, brand_id, customer_id, pii=True),
    )
