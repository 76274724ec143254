"""Find customers by their addresses and the shops' ids."""

from uuid import UUID

from sqlalchemy import or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.customers.contact import email_identity, phone_e164
from app.customers.models import Customer, CustomerReference


async def find_customers(
    session: AsyncSession,
    brand_id: int,
    *,
    email: str | None = None,
    phone: str | None = None,
    shop_id: UUID | None = None,
    external_id: str | None = None,
) -> list[UUID]:
    """The brand's customers with this e-mail address, number (E.164) or shop's id, oldest first.

    Several, where the address and the id belong to different rows; none for unusable values. Erased
    customers are not found.
    """
    identity, number = email_identity(email), phone_e164(phone, [])
    conditions = []
    if identity:
        conditions.append(Customer.email == identity)
    if number:
        conditions.append(Customer.phone == number)
    if shop_id and external_id:
        referred = select(CustomerReference.customer_id).where(
            CustomerReference.brand_id == brand_id,
            CustomerReference.shop_id == shop_id,
            CustomerReference.external_id == external_id.strip(),
        )
        conditions.append(Customer.id.in_(referred))
    if not conditions:
        return []
    found = await session.scalars(
        select(Customer.id).where(Customer.brand_id == brand_id, or_(*conditions)).order_by(Customer.id)
    )
    return list(found)
