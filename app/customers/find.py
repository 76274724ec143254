"""Find customers by their addresses and the shops' ids."""

from uuid import UUID

from sqlalchemy import or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.base.errors import AppError
from app.base.ids import parse_public_id, public_id
from app.brands.models import Shop
from app.customers.contact import email_identity, phone_e164
from app.customers.former import with_former
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


async def find_person(
    session: AsyncSession,
    brand_id: int,
    *,
    email: str | None = None,
    phone: str | None = None,
    reference: str | None = None,
    shop: str | None = None,
) -> set[UUID]:
    """The customers that one person is: named by an e-mail address, a number, or an id.

    `reference` is our own `cus_…` or the id that a shop has for them; `shop` is that shop's slug.
    Who had another e-mail address before, as far as a shop's id shows it, is included. Empty where
    nobody is found. Raises `AppError`: `bad_person` where not exactly one name is given,
    `bad_phone` for an unusable number, 409 `ambiguous_person` where several people have it.
    """
    if sum(bool(each) for each in (email, phone, reference)) != 1:
        raise AppError("bad_person", "Name the person by an e-mail address, a phone number or an id.")
    if reference:
        found = await _by_id(session, brand_id, reference, shop)
    else:
        if phone and phone_e164(phone, []) is None:
            raise AppError("bad_phone", "Give the number with its country's prefix, such as +49 170 1234567.")
        found = await find_customers(session, brand_id, email=email, phone=phone)
    if len(found) > 1:
        ids = ", ".join(public_id("cus", each) for each in found[:10])
        raise AppError(
            "ambiguous_person", f"Several people have it; name one by their id: {ids}.", status=409
        )
    return await with_former(session, brand_id, found) if found else set()


async def _by_id(session: AsyncSession, brand_id: int, reference: str, shop: str | None) -> list[UUID]:
    if reference.startswith("cus_"):
        wanted = parse_public_id("cus", reference)
        found = await session.scalars(
            select(Customer.id).where(Customer.brand_id == brand_id, Customer.id == wanted)
        )
        return list(found)
    query = (
        select(CustomerReference.customer_id)
        .join(Shop, (Shop.brand_id == CustomerReference.brand_id) & (Shop.id == CustomerReference.shop_id))
        .where(CustomerReference.brand_id == brand_id, CustomerReference.external_id == reference.strip())
    )
    if shop is not None:
        query = query.where(Shop.slug == shop)
    return sorted(set(await session.scalars(query)))
