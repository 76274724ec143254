"""Everything stored about one person, as they may ask to see it."""

from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from app.base.tokens import Tokens
from app.brands.models import Brand
from app.customers.export import export_customer
from app.customers.find import find_customers
from app.insight.schemas import PersonCustomer, PersonExport
from app.insight.timeline import timeline
from app.orders.export import export_orders


async def export_person(
    session: AsyncSession, tokens: Tokens, brand: Brand, email: str
) -> PersonExport | None:
    """Everything that the brand stores about the person with this address; None for nothing."""
    ids = await find_customers(session, brand.id, email=email)
    if not ids:
        return None
    customers = [await _customer(session, tokens, brand.id, customer_id) for customer_id in ids]
    return PersonExport(brand=brand.slug, customers=[each for each in customers if each is not None])


async def _customer(
    session: AsyncSession, tokens: Tokens, brand_id: int, customer_id: UUID
) -> PersonCustomer | None:
    customer = await export_customer(session, tokens, brand_id, customer_id)
    if customer is None:
        return None
    return PersonCustomer(
        **customer.__dict__,
        orders=await export_orders(session, brand_id, customer_id),
        timeline=await timeline(session, tokens, brand_id, customer_id, pii=True),
    )
