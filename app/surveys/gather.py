"""Load what decisions about surveys depend on, in a few queries per batch of any size."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple, Protocol
from uuid import UUID

from sqlalchemy import bindparam, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.base.batch import in_bound_ids
from app.base.frozen import quick
from app.base.money import to_decimal
from app.base.precedence import in_pieces
from app.base.prepared import Prepared
from app.base.tokens import Tokens
from app.brands.find import load_shops
from app.brands.models import Brand, Shop
from app.brands.programme import Channel
from app.brands.rules import country_quiet_hours, zone_or
from app.brands.setup import BrandSetup
from app.customers.consent import load_contact_options
from app.customers.rules import ContactOptions
from app.messaging.queue import NewMessage
from app.messaging.templates import TemplateSpec
from app.orders.models import Order, StoredItem
from app.orders.rules import OrderMoney
from app.surveys.claim import DueSurvey
from app.surveys.models import Survey
from app.surveys.rules import SurveyCause
from app.surveys.schedule_rules import SurveyInput
from app.surveys.templates import SurveyParams


class SurveyedOrder(NamedTuple):
    """What surveys read of an order: half of its columns, for a thousand orders in a batch."""

    id: UUID
    shop_id: UUID
    number: str
    customer_id: UUID | None
    currency: str
    total: int
    shipping_total: int
    source: str | None
    tags: list[str]
    items: list[StoredItem]
    country: str | None
    relayed: bool
    test: bool
    history: bool
    trial: bool
    placed_at: datetime
    paid_at: datetime
    fulfilled_at: datetime | None
    delivered_at: datetime | None
    cancelled_at: datetime | None
    refunded: int
    refunded_shipping: int

    @property
    def money(self) -> OrderMoney:
        """What the order is worth and what went back."""
        return OrderMoney(
            self.total,
            self.shipping_total,
            self.refunded,
            self.refunded_shipping,
            cancelled=self.cancelled_at is not None,
        )


_ORDERS = Prepared(
    select(*(getattr(Order, name) for name in SurveyedOrder._fields)).where(
        Order.brand_id == bindparam("of_brand"), in_bound_ids(Order.id, "ids")
    ),
    SurveyedOrder,
)


@dataclass(frozen=True, slots=True)
class Occasion:
    """A cause that is not an order; the caller gives it an `id` that stays the same."""

    id: UUID
    shop_id: UUID
    customer_id: UUID
    at: datetime
    """When it took place, UTC."""


@quick
@dataclass(frozen=True, slots=True)
class Gathered:
    """A survey's cause with its shop and customer, and what rules decide by."""

    order: SurveyedOrder | None
    """None for an occasion."""
    shop: Shop
    customer_id: UUID | None
    fact: SurveyInput


async def gather_orders(
    session: AsyncSession,
    tokens: Tokens,
    brand: Brand,
    order_ids: Collection[UUID],
    shops: Mapping[UUID, Shop] | None = None,
    *,
    sampled: bool = True,
) -> dict[UUID, Gathered]:
    """Inputs for these orders' surveys as the facts are now, by order id, without unknown ids.

    `shops` are all of the brand; without them they are read here. Where none is `sampled`, no place
    in the sample is computed.
    """
    orders = await _ORDERS.all(session, of_brand=brand.id, ids=list(order_ids))
    shops = await load_shops(session, brand.id) if shops is None else shops
    # History is never surveyed, so an import of years asks nothing about people.
    reached = [order.customer_id for order in orders if not order.history]
    contacts = await _contacts(session, tokens, brand, reached)
    return {
        order.id: Gathered(
            order,
            shops[order.shop_id],
            order.customer_id,
            _order_input(
                brand,
                order,
                shops[order.shop_id],
                contacts.get(order.customer_id),
                share=tokens.share("sample", order.id) if sampled else 0.0,
            ),
        )
        async for order in in_pieces(orders)
    }


async def gather_occasions(
    session: AsyncSession,
    tokens: Tokens,
    brand: Brand,
    occasions: Collection[Occasion],
    shops: Mapping[UUID, Shop] | None = None,
) -> dict[UUID, Gathered]:
    """Inputs for these occasions' surveys as their customers can be reached now, by occasion id.

    `shops` are all of the brand; without them they are read here. Raises `KeyError` for a shop that
    the brand does not have.
    """
    shops = await load_shops(session, brand.id) if shops is None else shops
    contacts = await _contacts(session, tokens, brand, [occasion.customer_id for occasion in occasions])
    return {
        occasion.id: Gathered(
            None,
            shops[occasion.shop_id],
            occasion.customer_id,
            _occasion_input(
                tokens, brand, occasion, shops[occasion.shop_id], contacts.get(occasion.customer_id)
            ),
        )
        for occasion in occasions
    }


async def gather_surveys(
    session: AsyncSession, tokens: Tokens, setup: BrandSetup, surveys: Collection[DueSurvey]
) -> dict[UUID, Gathered]:
    """Inputs for these surveys as the facts are now, by survey id; a few queries per batch."""
    brand, shops = setup.brand, setup.shops
    order_ids = [survey.order_id for survey in surveys if survey.order_id is not None]
    sampled = setup.in_force.programme.survey.sample_percent < 100
    orders = await gather_orders(session, tokens, brand, order_ids, shops, sampled=sampled)
    others = [occasion_of(survey) for survey in surveys if survey.order_id is None]
    occasions = await gather_occasions(session, tokens, brand, others, shops) if others else {}
    return {
        survey.id: occasions[survey.cause_id] if survey.order_id is None else orders[survey.order_id]
        for survey in surveys
    }


def occasion_of(survey: Survey | DueSurvey) -> Occasion:
    """The occasion of a survey. Raises `RuntimeError` for a row without customer or time."""
    if survey.customer_id is None or survey.triggered_at is None:
        raise RuntimeError("a survey about an occasion has a customer and a time")
    return Occasion(survey.cause_id, survey.shop_id, survey.customer_id, survey.triggered_at)


async def _contacts(
    session: AsyncSession, tokens: Tokens, brand: Brand, customer_ids: Collection[UUID | None]
) -> dict[UUID | None, ContactOptions]:
    """How each customer can be reached now; None, which stands for no customer, is not a key."""
    known = {customer_id for customer_id in customer_ids if customer_id is not None}
    return dict((await load_contact_options(session, tokens, brand, known)).items())


def _order_input(
    brand: Brand, order: SurveyedOrder, shop: Shop, contact: ContactOptions | None, *, share: float
) -> SurveyInput:
    country = (contact.country if contact else None) or order.country
    return SurveyInput(
        cause_id=order.id,
        happened_at=order.paid_at,
        fulfilled_at=order.fulfilled_at,
        delivered_at=order.delivered_at,
        cancelled=order.cancelled_at is not None,
        refunded=order.money.is_refunded,
        total=to_decimal(order.total, order.currency),
        currency=order.currency,
        source=order.source,
        tags=order.tags,
        test=order.test,
        history=order.history,
        trial=order.trial,
        relayed=order.relayed,
        share=share,
        contact=contact,
        zone=zone_or(contact.time_zone if contact else None, shop.time_zone),
        country_quiet_hours=country_quiet_hours(brand.countries, country),
    )


def _occasion_input(
    tokens: Tokens, brand: Brand, occasion: Occasion, shop: Shop, contact: ContactOptions | None
) -> SurveyInput:
    return SurveyInput(
        cause_id=occasion.id,
        cause_kind=SurveyCause.occasion,
        happened_at=occasion.at,
        total=None,
        share=tokens.share("sample", occasion.id),
        contact=contact,
        zone=zone_or(contact.time_zone if contact else None, shop.time_zone),
        country_quiet_hours=country_quiet_hours(brand.countries, contact.country if contact else None),
    )


def survey_message(
    survey: DueSurvey,
    gathered: Gathered,
    template: TemplateSpec,
    channel: Channel,
    *,
    now: datetime,
    step: int = 0,
) -> NewMessage:
    """The survey's message to its customer, due at `now`; `step` 1 … is a reminder's number.

    Raises `RuntimeError` for a survey without a customer who can be reached.
    """
    contact = gathered.fact.contact
    if contact is None or survey.customer_id is None:
        raise RuntimeError("only customers who can be reached are sent a survey")
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
        trial=survey.trial,
    )


def survey_params(gathered: Gathered) -> SurveyParams:
    """The template parameters of a survey's messages; those of the order are None without one."""
    order, shop, contact = gathered.order, gathered.shop, gathered.fact.contact
    ordered_on = order and order.placed_at.astimezone(zone_or(shop.time_zone, "UTC")).date()
    return SurveyParams(
        first_name=contact.first_name if contact else None,
        item_title=item_title(order) if order else None,
        order_number=order.number if order else None,
        ordered_on=ordered_on.isoformat() if ordered_on else None,
    )


class _HasItems(Protocol):
    @property
    def items(self) -> list[StoredItem]: ...


def item_title(order: _HasItems) -> str | None:
    """The title of the order's first item that has one; None where none has."""
    titles = (item.get("title") for item in order.items if isinstance(item, dict))
    return next((title for title in titles if title), None)
