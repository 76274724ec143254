"""The customer's own part in the export of a person's data."""

from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.base.ids import public_id
from app.base.tokens import Tokens
from app.brands.models import Shop
from app.customers.consent import suppressions_of
from app.customers.models import Consent, Customer, CustomerReference


async def export_customer(
    session: AsyncSession, tokens: Tokens, brand_id: int, customer_id: UUID
) -> dict[str, Any]:
    """One customer's own data as JSON: name and addresses, the shops' ids, consents, suppressions.

    Empty where the brand has no such customer.
    """
    found = await session.execute(
        select(Customer).where(Customer.brand_id == brand_id, Customer.id == customer_id)
    )
    customer = found.scalar_one_or_none()
    if customer is None:
        return {}
    own = ("email", "phone", "first_name", "last_name", "locale", "time_zone", "country")
    times = {
        "created_at": customer.created_at.isoformat(),
        "erased_at": customer.erased_at and customer.erased_at.isoformat(),
    }
    return {
        "id": public_id("cus", customer.id),
        **{name: getattr(customer, name) for name in own},
        **times,
        "references": await _references(session, brand_id, customer_id),
        "consents": await _consents(session, brand_id, customer_id),
        "suppressions": [
            {"channel": channel, "reason": reason, "at": at.isoformat()}
            for channel, reason, at in await suppressions_of(
                session, tokens, brand_id, customer.email, customer.phone
            )
        ],
    }


async def _references(session: AsyncSession, brand_id: int, customer_id: UUID) -> list[dict[str, Any]]:
    found = await session.execute(
        select(Shop.slug, CustomerReference.external_id)
        .join(Shop, (Shop.brand_id == CustomerReference.brand_id) & (Shop.id == CustomerReference.shop_id))
        .where(CustomerReference.brand_id == brand_id, CustomerReference.customer_id == customer_id)
        .order_by(Shop.slug, CustomerReference.external_id)
    )
    return [{"shop": row.slug, "external_id": row.external_id} for row in found]


async def _consents(session: AsyncSession, brand_id: int, customer_id: UUID) -> list[dict[str, Any]]:
    found = await session.scalars(
        select(Consent)
        .where(Consent.brand_id == brand_id, Consent.customer_id == customer_id)
        .order_by(Consent.channel)
    )
    return [
        {
            "channel": consent.channel,
            "given": consent.given,
            "opt_in_level": consent.opt_in_level,
            "source": consent.source,
            "at": consent.at.isoformat(),
        }
        for consent in found
    ]
