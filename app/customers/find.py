"""Look people up by what others call them."""

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
    """The brand's customers with this address, this number (in international form) or this id at this shop, oldest first.

    Several, where the address and the id belong to different rows; none for what is unusable. Erased customers are not found.
    """
    identity, number = email_identity(email), phone_e164(phone, [])
    ways = []
    if identity:
        ways.append(Customer.email == identity)
    if number:
        ways.append(Customer.phone == number)
    if shop_id and external_id:
        referred = select(CustomerReference.customer_id).where(
            CustomerReference.brand_id == brand_id,
            CustomerReference.shop_id == shop_id,
            CustomerReference.external_id == external_id.strip(),
        )
        ways.append(Customer.id.in_(referred))
    if not ways:
        return []
    found = await session.scalars(
        select(Customer.id).where(Customer.brand_id == brand_id, or_(*ways)).order_by(Customer.id)
    )
    return list(found)
