"""Whom deliveries of Shopify are about and what they allow, whatever arrives first or again."""

import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import permutations
from typing import Any

import pytest
from sqlalchemy import func, select

from app.base import due
from app.base.context import AppContext
from app.brands.models import Brand, Shop
from app.brands.programme import Channel
from app.customers.consent import latest_consent
from app.customers.models import ConsentFact, Customer
from app.ingest import process
from app.ingest.store import NewDelivery, store_deliveries
from app.orders.models import Order
from app.surveys.models import Survey
from tests.support.constants import NOW
from tests.support.factories.programme import set_terms

DAY = timedelta(days=1)
BILLING = {"first_name": "Uma", "last_name": "Berg", "country_code": "IE", "phone": None}


def at(days: float) -> str:
    return (NOW + timedelta(days=days)).isoformat()


def order(number: int, **changes: Any) -> dict[str, Any]:
    return {
        "id": number,
        "name": f"#{number}",
        "currency": "EUR",
        "financial_status": "paid",
        "subtotal_price": "80.00",
        "total_price": "80.00",
        "processed_at": at(-3),
        "created_at": at(-3),
        "email": "uma@example.com",
        "customer": {"id": 7, "email": "uma@example.com"},
        "billing_address": BILLING,
        "line_items": [],
    } | changes


async def arrive(
    context: AppContext, shop: Shop, *deliveries: tuple[str, dict[str, Any]], now: datetime = NOW
) -> None:
    """Deliveries that are processed one after the other."""
    for number, (topic, body) in enumerate(deliveries):
        raw = json.dumps(body).encode()
        arrive.turn += 1
        delivery = NewDelivery(shop.brand_id, shop.id, "shopify", topic, f"w{arrive.turn}.{number}", raw, now)
        async with context.sessions.begin() as session:
            await store_deliveries(session, [delivery])
        await due.sweep_once(process.sweep(context), now)


arrive.turn = 0  # type: ignore[attr-defined]


async def customers(context: AppContext) -> Sequence[Customer]:
    async with context.sessions() as session:
        return (await session.scalars(select(Customer).order_by(Customer.id))).all()


async def reasons(context: AppContext) -> list[tuple[str, str | None]]:
    async with context.sessions() as session:
        found = await session.execute(
            select(Survey.status, Survey.reason)
            .join(Order, (Order.brand_id == Survey.brand_id) & (Order.id == Survey.order_id))
            .order_by(Order.external_id)
        )
        return [(row.status, row.reason) for row in found]


def consent_of(state: str, days: float | None, level: str = "single_opt_in") -> dict[str, Any]:
    updated_at = None if days is None else at(days)
    return {"state": state, "opt_in_level": level, "consent_updated_at": updated_at}


async def test_an_order_told_again_does_not_undo_an_opt_out(
    context: AppContext, brand: Brand, shop: Shop
) -> None:
    ticked = order(1, buyer_accepts_marketing=True)
    refusal = {"id": 7, "email": "uma@example.com", "email_marketing_consent": consent_of("unsubscribed", -1)}
    for body in [("orders/paid", ticked), ("customers/update", refusal), ("orders/fulfilled", ticked)]:
        await arrive(context, shop, body)
    assert await reasons(context) == [("skipped", "no_consent")]
    async with context.sessions() as session:
        facts = await session.execute(select(ConsentFact.given, ConsentFact.at).order_by(ConsentFact.at))
        assert [tuple(fact) for fact in facts] == [(True, NOW - 3 * DAY), (False, NOW - DAY)]


async def test_an_older_order_that_arrives_later_does_not_undo_an_opt_out(
    context: AppContext, brand: Brand, shop: Shop
) -> None:
    refusal = {"id": 7, "email": "uma@example.com", "email_marketing_consent": consent_of("unsubscribed", -1)}
    await arrive(context, shop, ("customers/update", refusal), ("orders/paid", order(1)))
    old = order(2, buyer_accepts_marketing=True, processed_at=at(-40), created_at=at(-40))
    await arrive(context, shop, ("orders/paid", old))
    assert [reason for _, reason in await reasons(context)] == ["no_consent", "no_consent"]


@pytest.mark.parametrize(
    ("statement", "skipped"),
    [
        (consent_of("pending", -3, "confirmed_opt_in"), True),
        (consent_of("pending", None), True),
        (consent_of("redacted", None), True),
        (consent_of("not_subscribed", None, "confirmed_opt_in"), True),
        (consent_of("unsubscribed", -9), True),
        (consent_of("not_subscribed", None), False),
        (None, False),
    ],
)
async def test_a_tick_counts_only_where_no_confirmation_is_awaited(
    context: AppContext, brand: Brand, shop: Shop, statement: dict[str, Any] | None, skipped: bool
) -> None:
    customer = {"id": 7, "email": "uma@example.com", "email_marketing_consent": statement}
    german = {"billing_address": BILLING | {"country_code": "DE"}}
    await arrive(
        context, shop, ("orders/paid", order(1, buyer_accepts_marketing=True, customer=customer, **german))
    )
    assert await reasons(context) == [("skipped", "no_consent") if skipped else ("planned", None)]


@pytest.mark.parametrize("is_first", [False, True])
async def test_a_skip_does_not_depend_on_when_the_shop_reports_the_customer(
    context: AppContext, brand: Brand, shop: Shop, is_first: bool
) -> None:
    german = {"billing_address": BILLING | {"country_code": "DE"}}
    unasked = order(1, **german)
    nameless = order(2, email=None, contact_email=None, customer={"id": 8})
    told = [
        ("customers/update", {"id": 8, "email": "ida@example.com"}),
        (
            "customers_email_marketing_consent/update",
            {
                "customer_id": 7,
                "email_address": "uma@example.com",
                "email_marketing_consent": consent_of("subscribed", 0),
            },
        ),
    ]
    ordered = [("orders/paid", unasked), ("orders/paid", nameless)]
    if not is_first:
        await arrive(context, shop, *ordered)
        assert await reasons(context) == [("skipped", "no_consent"), ("skipped", "no_address")]
    await arrive(context, shop, *told)
    if is_first:
        await arrive(context, shop, *ordered)
    assert await reasons(context) == [("planned", None), ("planned", None)]


async def test_the_topics_about_consent_are_read(context: AppContext, brand: Brand, shop: Shop) -> None:
    await arrive(context, shop, ("orders/paid", order(1)))
    assert await reasons(context) == [("planned", None)]
    mail = {
        "customer_id": 7,
        "email_address": "uma@example.com",
        "email_marketing_consent": consent_of("unsubscribed", 0),
    }
    texts = {
        "id": 7,
        "phone": "+353851234567",
        "sms_marketing_consent": consent_of("subscribed", -2) | {"consent_collected_from": "OTHER"},
    }
    await arrive(
        context,
        shop,
        ("customers_email_marketing_consent/update", mail),
        ("customers_marketing_consent/update", texts),
    )
    assert await reasons(context) == [("skipped", "no_consent")]
    async with context.sessions() as session:
        counting = await session.execute(
            select(*(latest_consent(channel) for channel in Channel)).select_from(Customer)
        )
        assert tuple(counting.one()) == (False, True)
        rows = await session.execute(
            select(ConsentFact.channel, func.max(ConsentFact.at))
            .group_by(ConsentFact.channel)
            .order_by(ConsentFact.channel)
        )
        assert [tuple(row) for row in rows] == [(Channel.email, NOW), (Channel.sms, NOW - 2 * DAY)]
    [uma] = await customers(context)
    assert uma.phone == "+353851234567"


async def test_the_buyer_is_not_the_recipient(context: AppContext, brand: Brand, shop: Shop) -> None:
    gift = {"first_name": "Grandma", "country_code": "FR", "phone": "+33612345678"}
    await arrive(context, shop, ("orders/paid", order(1, customer=None, shipping_address=gift)))
    [uma] = await customers(context)
    assert (uma.first_name, uma.phone, uma.country, uma.time_zone) == ("Uma", None, "IE", "Europe/Dublin")


async def test_a_parcel_to_the_buyer_themselves_tells_their_number(
    context: AppContext, brand: Brand, shop: Shop
) -> None:
    parcel = {"first_name": "UMA ", "last_name": "Berg", "country_code": "IE", "phone": "085 123 4567"}
    await arrive(context, shop, ("orders/paid", order(1, customer=None, shipping_address=parcel)))
    [uma] = await customers(context)
    assert uma.phone == "+353851234567"


async def test_the_newest_name_counts_in_any_order_of_arrival(
    context: AppContext, brand: Brand, shop: Shop
) -> None:
    for number, given in enumerate(permutations([(-30, "Oldname"), (-2, "Newname"), (-9, "Between")])):
        updates = [
            ("customers/update", {"id": number + 100, "first_name": name, "updated_at": at(days)})
            for days, name in given
        ]
        await arrive(context, shop, *updates)
    assert {each.first_name for each in await customers(context)} == {"Newname"}


async def test_a_statement_from_the_future_is_of_its_receipt(
    context: AppContext, brand: Brand, shop: Shop
) -> None:
    wrong_clock = {"id": 7, "email_marketing_consent": consent_of("subscribed", 9000), "updated_at": at(9000)}
    refusal = {"id": 7, "email_marketing_consent": consent_of("unsubscribed", 1), "updated_at": at(1)}
    await arrive(context, shop, ("customers/update", wrong_clock))
    await arrive(context, shop, ("customers/update", refusal), now=NOW + 2 * DAY)
    async with context.sessions() as session:
        assert await session.scalar(select(latest_consent(Channel.email)).select_from(Customer)) is False


@pytest.mark.parametrize("customer", [{"id": 7, "email": "x1y2@marketplace.amazon.de"}, None])
async def test_orders_through_a_marketplace_are_excluded_unless_the_programme_says_otherwise(
    context: AppContext, brand: Brand, shop: Shop, customer: dict[str, Any] | None
) -> None:
    relayed = {"email": "x1y2@marketplace.amazon.de", "customer": customer, "source_name": "amazon"}
    await arrive(context, shop, ("orders/paid", order(1, **relayed)))
    await set_terms(context, brand, {"survey": {"exclude": {"relays": False}}})
    await arrive(context, shop, ("orders/paid", order(2, **relayed)))
    assert await reasons(context) == [("skipped", "excluded"), ("skipped", "no_address")]
