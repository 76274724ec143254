"""Occasions and surveys, planned and sent."""

from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import select

from app.base.context import AppContext
from app.base.due import run_until_idle, sweep_once
from app.base.ids import new_id
from app.brands.models import Brand, Shop
from app.brands.programme import Channel
from app.messaging.models import Message
from app.surveys.gather import Occasion
from app.surveys.models import Response, Survey
from app.surveys.schedule import plan_survey
from app.surveys.sweep import sweep
from tests.support.constants import NOW
from tests.support.factories.customers import make_customer
from tests.support.factories.orders import make_delivered_order
from tests.support.fakes.scripted import Scripted, both


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
    order_id = await make_delivered_order(context, brand, shop, await make_customer(context, brand), **given)
    await deliver(context)
    survey = await survey_of(context, brand, order_id)
    assert (survey.status, survey.channel) == ("sent", Channel.email)
    return survey
