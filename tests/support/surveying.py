"""Orders, occasions and surveys for tests; surveys are planned, sent and answered by the steps."""

from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import select

from app.base.actor import cli_actor
from app.base.context import AppContext
from app.base.due import run_until_idle, sweep_once
from app.base.ids import new_id
from app.brands.add import change_programme
from app.brands.models import Brand, Shop
from app.brands.programme import Channel, Programme
from app.customers.models import Consent, Customer
from app.messaging.models import Message
from app.orders.models import Order
from app.surveys.gather import Occasion
from app.surveys.models import Response, Survey
from app.surveys.schedule import plan_survey, schedule_surveys
from app.surveys.sweep import sweep
from tests.support.constants import NOW
from tests.support.sending import Scripted, both


async def make_customer(context: AppContext, brand: Brand, **given: Any) -> UUID:
    """A customer `Ana` with an address of her own."""
    customer_id = new_id()
    consents = given.pop("consents", {})
    values = {
        "email": f"ana.{customer_id.hex}@example.com",
        "first_name": "Ana",
        "time_zone": "Europe/Berlin",
        "country": "FR",
    }
    async with context.sessions.begin() as session:
        session.add(Customer(brand_id=brand.id, id=customer_id, **(values | given)))
        await session.flush()
        for channel, is_given in consents.items():
            session.add(
                Consent(brand_id=brand.id, customer_id=customer_id, channel=channel, given=is_given, at=NOW)
            )
    return customer_id


async def make_order(
    context: AppContext,
    brand: Brand,
    shop: Shop,
    customer_id: UUID | None,
    *,
    plan: bool = True,
    **given: Any,
) -> UUID:
    """A paid order of 80.00, delivered four days ago, so that its survey is due; planned at
    once."""
    order_id = new_id()
    values: dict[str, Any] = {
        "external_id": order_id.hex,
        "number": "1042",
        "currency": "EUR",
        "subtotal": 8000,
        "total": 8000,
        "discount_total": 0,
        "discount_codes": [],
        "tags": [],
        "items": [{"title": "Linen shirt", "quantity": 1}],
        "test": False,
        "placed_at": NOW - timedelta(days=7),
        "paid_at": NOW - timedelta(days=7),
        "delivered_at": NOW - timedelta(days=4),
    }
    async with context.sessions.begin() as session:
        session.add(
            Order(
                brand_id=brand.id, id=order_id, shop_id=shop.id, customer_id=customer_id, **(values | given)
            )
        )
        await session.flush()
        if plan:
            await schedule_surveys(session, context.tokens, brand, [order_id], now=NOW)
    return order_id


async def set_terms(context: AppContext, brand: Brand, terms: dict[str, Any]) -> None:
    """Put terms in force; what is left out takes its default."""
    async with context.sessions.begin() as session:
        await change_programme(session, brand.id, Programme.model_validate(terms), actor=cli_actor(brand.id))


async def change_order(context: AppContext, brand: Brand, order_id: UUID, *, now=NOW, **values: Any) -> None:
    """A fact comes: the order changes and its survey is planned anew."""
    async with context.sessions.begin() as session:
        order = (
            await session.scalars(select(Order).where(Order.brand_id == brand.id, Order.id == order_id))
        ).one()
        for name, value in values.items():
            setattr(order, name, value)
        await session.flush()
        await schedule_surveys(session, context.tokens, brand, [order_id], now=now)


async def survey_of(context: AppContext, brand: Brand, cause_id: UUID) -> Survey:
    """The one survey about an order or another cause."""
    async with context.sessions() as session:
        return (
            await session.scalars(
                select(Survey).where(Survey.brand_id == brand.id, Survey.cause_id == cause_id)
            )
        ).one()


async def responses_of(context: AppContext, brand: Brand) -> list[Response]:
    """All responses."""
    async with context.sessions() as session:
        return list(await session.scalars(select(Response).where(Response.brand_id == brand.id)))


async def messages_of(context: AppContext, brand: Brand) -> list[Message]:
    """All messages, the oldest first."""
    async with context.sessions() as session:
        return list(
            await session.scalars(select(Message).where(Message.brand_id == brand.id).order_by(Message.id))
        )


async def advance(context: AppContext, now=NOW) -> int:
    """Sweep surveys alone as if it were `now`; messages stay queued."""
    return await sweep_once(sweep(context), now)


async def deliver(context: AppContext, now=NOW) -> None:
    """Sweep surveys and messages until nothing is due at `now`; every message is accepted."""
    await run_until_idle([sweep(context), both(context, Scripted())], now)


async def plan_occasion(
    context: AppContext, brand: Brand, shop: Shop, customer_id: UUID, *, at=NOW - timedelta(days=4)
) -> UUID:
    """An occasion that took place at `at`, its survey planned at once; returns its id."""
    occasion = Occasion(id=new_id(), shop_id=shop.id, customer_id=customer_id, at=at)
    async with context.sessions.begin() as session:
        await plan_survey(session, context.tokens, brand, occasion, now=NOW)
    return occasion.id


async def sent_survey(context: AppContext, brand: Brand, shop: Shop, **given: Any) -> Survey:
    """A survey about an order that its customer has received."""
    order_id = await make_order(context, brand, shop, await make_customer(context, brand), **given)
    await deliver(context)
    survey = await survey_of(context, brand, order_id)
    assert (survey.status, survey.channel) == ("sent", Channel.email)
    return survey
