"""One person's data as a whole: what they may ask to see."""

from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from app.base.tokens import Tokens
from app.brands.models import Brand
from app.customers.export import export_customer
from app.customers.find import find_customers
from app.insight.timeline import timeline
from app.orders.export import export_orders


async def export_person(
    session: AsyncSession, tokens: Tokens, brand: Brand, email: str
) -> dict[str, Any] | None:
    """All that the brand holds of the person with this address, ready for JSON; None where it holds nothing."""
    ids = await find_customers(session, brand.id, email=email)
    if not ids:
        return None
    return {
        "brand": brand.slug,
        "customers": [
            await export_customer(session, tokens, brand.id, customer_id)
            | {
                "orders": await export_orders(session, brand.id, customer_id),
                "timeline": [
                    {"at": one.at.isoformat(), "kind": one.kind, "text": one.text, **one.facts}
                    for one in await timeline(session, tokens, brand.id, customer_id, pii=True)
                ],
            }
            for customer_id in ids
        ],
    }
