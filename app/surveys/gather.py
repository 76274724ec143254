"""Gather what decisions about a batch of orders' surveys depend on, in a few queries whatever the batch's size."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.base.batch import in_ids
from app.base.money import to_decimal
from app.base.tokens import Tokens
from app.brands.find import load_shops
from app.brands.models import Brand, Shop
from app.brands.programme import Channel
from app.brands.rules import country_quiet_hours, zone_or
from app.customers.consent import load_contact_options
from app.customers.rules import ContactOptions
from app.messaging.queue import NewMessage
from app.messaging.templates import TemplateSpec
from app.orders.models import Order
from app.orders.rules import remaining_total
from app.surveys.models import Survey
from app.surveys.rules import SurveyInput
from app.surveys.templates import SurveyParams


@dataclass(frozen=True, slots=True)
class Gathered:
    """An order with its shop, and the fact that rules decide by."""

    order: Order
    shop: Shop
    fact: SurveyInput


async def gather_inputs(
    session: AsyncSession, tokens: Tokens, brand: Brand, order_ids: Collection[UUID]
) -> dict[UUID, Gathered]:
    """What is known of these orders and of how their customers may be reached now, by order id; unknown ids are left out."""
    orders = (
        await session.scalars(
            select(Order)
            .where(Order.brand_id == brand.id, in_ids(Order.id, list(order_ids)))
            # Facts may have come by statements that go past the session's own memory.
            .execution_options(populate_existing=True)
        )
    ).all()
    shops = await load_shops(session, brand.id)
    customers = await load_contact_options(
        session, tokens, brand, {order.customer_id for order in orders if order.customer_id is not None}
    )
    return {
        order.id: Gathered(
            order,
            shops[order.shop_id],
            _fact(
                tokens,
                brand,
                order,
                shops[order.shop_id],
                customers.get(order.customer_id) if order.customer_id else None,
            ),
        )
        for order in orders
    }


def _fact(
    tokens: Tokens, brand: Brand, order: Order, shop: Shop, customer: ContactOptions | None
) -> SurveyInput:
    country = (customer.country if customer else None) or order.country
    return SurveyInput(
        order_id=order.id,
        paid_at=order.paid_at,
        fulfilled_at=order.fulfilled_at,
        delivered_at=order.delivered_at,
        cancelled=order.cancelled_at is not None,
        refunded=order.refunded > 0 and remaining_total(order.total, order.refunded, cancelled=False) == 0,
        total=to_decimal(order.total, order.currency),
        source=order.source,
        tags=order.tags,
        test=order.test,
        history=order.history,
        share=tokens.share("sample", order.id),
        contact=customer,
        zone=zone_or(customer.time_zone if customer else None, shop.time_zone),
        country_quiet_hours=country_quiet_hours(brand.countries, country),
    )


def survey_message(
    survey: Survey,
    gathered: Gathered,
    template: TemplateSpec,
    channel: Channel,
    *,
    now: datetime,
    step: int = 0,
) -> NewMessage:
    """The message that asks the survey's customer, due at `now`; `step` 1 … is a reminder's number.

    Raises `RuntimeError` for a survey without a customer who can be reached.
    """
    contact = gathered.fact.contact
    if contact is None or survey.customer_id is None:
        raise RuntimeError("rules send to nobody who cannot be reached")
    return NewMessage(
        template=template,
        subject_id=survey.id,
        customer_id=survey.customer_id,
        shop_id=survey.shop_id,
        channel=channel,
        address=contact.addresses[channel],
        locale=contact.locale or gathered.shop.locale,
        template_params=survey_params(gathered),
        due_at=now,
        step=step,
    )


def survey_params(gathered: Gathered) -> SurveyParams:
    """The template parameters of a survey's messages."""
    order, shop, customer = gathered.order, gathered.shop, gathered.fact.contact
    return SurveyParams(
        first_name=customer.first_name if customer else None,
        item_title=item_title(order),
        order_number=order.number,
        ordered_on=order.placed_at.astimezone(zone_or(shop.time_zone, "UTC")).date().isoformat(),
    )


def item_title(order: Order) -> str | None:
    """One thing of the order, to remind of it: the first that has a title."""
    titles = (item.get("title") for item in order.items if isinstance(item, dict))
    return next((title for title in titles if title), None)
