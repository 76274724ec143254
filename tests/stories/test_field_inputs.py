"""What shops report of orders in the field: each row of a table is what comes of one order, and
what a person would see of it."""

from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from typing import Any

import pytest

from app.base.context import AppContext
from app.brands.models import Brand, Shop
from tests.support.constants import NOW
from tests.support.shopify_buyer import Buyer, Report, at, open_shopify_story, send
from tests.support.story import Story


@pytest.fixture
async def story(context: AppContext, brand: Brand, shop: Shop) -> AsyncIterator[Story]:
    async with open_shopify_story(context, brand) as story:
        yield story


async def rows_by_order(story: Story, path: str) -> dict[int, Any]:
    """Rows that name an order, by the order's number in the shop."""
    numbers = {row["id"]: int(row["external_id"]) for row in await story.api("/orders", limit="100")}
    return {numbers[row["order"]]: row for row in await story.api(path, limit="100")}


def consent(state: str, days: float, level: str = "single_opt_in") -> dict[str, Any]:
    return {"state": state, "opt_in_level": level, "consent_updated_at": at(days)}


PLANNED = ("planned", None)
NO_CONSENT = ("skipped", "no_consent")
EXCLUDED = ("skipped", "excluded")
SURVEYS: list[tuple[str, Callable[[Buyer], list[Report]], tuple[str, str | None]]] = [
    (
        "an opt-out is not undone by the tick of an order that is told again",
        lambda buyer: [
            buyer.order(buyer_accepts_marketing=True),
            buyer.customer(email_marketing_consent=consent("unsubscribed", -2)),
            buyer.order("orders/fulfilled", buyer_accepts_marketing=True, updated_at=at(-1)),
        ],
        NO_CONSENT,
    ),
    (
        "an opt-out is not undone by an older order that comes later",
        lambda buyer: [
            buyer.customer(email_marketing_consent=consent("unsubscribed", -1)),
            buyer.order(buyer_accepts_marketing=True),
        ],
        NO_CONSENT,
    ),
    (
        "who agrees again after an opt-out is asked",
        lambda buyer: [
            buyer.order(),
            buyer.customer(email_marketing_consent=consent("subscribed", -1)),
            buyer.customer(email_marketing_consent=consent("unsubscribed", -2)),
        ],
        PLANNED,
    ),
    (
        "a tick that awaits its confirmation is no consent",
        lambda buyer: [
            buyer.order(
                buyer_accepts_marketing=True,
                billing_address={"country_code": "DE"},
                customer={"email_marketing_consent": consent("pending", -3, "confirmed_opt_in")},
            )
        ],
        NO_CONSENT,
    ),
    (
        "a confirmed tick is consent",
        lambda buyer: [
            buyer.order(
                buyer_accepts_marketing=True,
                billing_address={"country_code": "DE"},
                customer={"email_marketing_consent": consent("subscribed", -3, "confirmed_opt_in")},
            )
        ],
        PLANNED,
    ),
    (
        "an opt-out that names the customer ends a planned survey",
        lambda buyer: [
            buyer.order(),
            buyer.consent(customer_id=1000 + buyer.number, email_address=buyer.email),
        ],
        NO_CONSENT,
    ),
    (
        "an opt-out that names the address alone ends a planned survey",
        lambda buyer: [buyer.order(), buyer.consent(email_address=buyer.email.upper())],
        NO_CONSENT,
    ),
    (
        "a marketplace's buyer is not asked",
        lambda buyer: [buyer.order(email="k7w2qq@marketplace.amazon.co.uk", source_name="amazon")],
        EXCLUDED,
    ),
    (
        "an address that nobody reads is not asked",
        lambda buyer: [buyer.order(email="no-reply@shop.example", customer=None)],
        EXCLUDED,
    ),
    (
        "an order that the shop brought along from another system is not asked about",
        lambda buyer: [
            buyer.order("orders/create", processed_at=at(-400), created_at=at(-1), updated_at=at(-1), fulfillment_status="fulfilled", source_name="1354745"),
            buyer.order("orders/updated", processed_at=at(-400), created_at=at(-1), updated_at=at(0), source_name="1354745"),
        ],
        EXCLUDED,
    ),
    (
        "an order of Shopify's own checkout was not brought along, whatever its times",
        lambda buyer: [buyer.order("orders/paid", processed_at=at(-400), created_at=at(-1), updated_at=at(-1), source_name="web")],
        PLANNED,
    ),
    (
        "an order of a till that was offline for a week is",
        lambda buyer: [buyer.order("orders/create", processed_at=at(-8), created_at=at(-1), updated_at=at(-1))],
        PLANNED,
    ),
    (
        "a person's own relay is asked",
        lambda buyer: [buyer.order(email="dpd2x8@privaterelay.appleid.com", customer=None)],
        PLANNED,
    ),
    (
        "an order at the till is asked about once its buyer is known",
        lambda buyer: [
            buyer.order(email="", customer=None, billing_address=None, source_name="pos"),
            buyer.order("orders/updated", email=buyer.email, customer=None, source_name="pos", updated_at=at(-1)),
        ],
        PLANNED,
    ),
    (
        "an order at the till that stays without a buyer is not",
        lambda buyer: [buyer.order(email="", customer=None, billing_address=None, source_name="pos")],
        ("skipped", "no_address"),
    ),
    (
        "notes and tags of other shapes lose no order",
        lambda buyer: [buyer.order(note_attributes={"engraving": "M + F"}, tags=["wholesale", None])],
        PLANNED,
    ),
    (
        "details that cannot be read lose no order",
        lambda buyer: [
            buyer.order(
                discount_codes="none",
                shipping_address="pick-up",
                line_items=[{"title": 7, "quantity": "2 pcs", "price": "free"}, None],
                processed_at="yesterday",
            )
        ],
        PLANNED,
    ),
]  # fmt: skip


async def test_who_is_asked(story: Story) -> None:
    await send(story, {number: tell(Buyer(number)) for number, (_, tell, _) in enumerate(SURVEYS, 1)})
    surveys = await rows_by_order(story, "/surveys")
    found = {
        sentence: (surveys[number]["status"], surveys[number]["reason"])
        for number, (sentence, *_) in enumerate(SURVEYS, 1)
    }
    assert found == {sentence: wanted for sentence, _, wanted in SURVEYS}


def lines(*quantities: int) -> list[dict[str, Any]]:
    return [{"id": place, "quantity": quantity} for place, quantity in enumerate(quantities, 1)]


PARCELS: list[tuple[str, Callable[[Buyer], list[Report]], str]] = [
    (
        "one of two parcels arrived",
        lambda buyer: [
            buyer.order(fulfillment_status="partial"),
            buyer.parcel("fulfillments/update", id=11, shipment_status="delivered", line_items=lines(1)),
        ],
        "paid",
    ),
    (
        "a parcel that does not say what it holds arrived",
        lambda buyer: [
            buyer.order(fulfillment_status="partial"),
            buyer.parcel("fulfillments/update", shipment_status="delivered"),
        ],
        "paid",
    ),
    (
        "it arrived before the order was reported",
        lambda buyer: [
            buyer.parcel("fulfillments/update", shipment_status="delivered"),
            buyer.order(fulfillment_status="partial"),
        ],
        "paid",
    ),
    (
        "both parcels arrived",
        lambda buyer: [
            buyer.order(fulfillment_status="partial"),
            buyer.parcel("fulfillments/update", id=12, shipment_status="delivered", line_items=lines(1)),
            buyer.parcel("fulfillments/update", id=13, shipment_status="delivered", line_items=lines(1)),
        ],
        "delivered",
    ),
    (
        "it waits at the counter",
        lambda buyer: [
            buyer.order(fulfillment_status="partial"),
            buyer.parcel("fulfillments/update", id=16, shipment_status="ready_for_pickup", line_items=lines(1)),
        ],
        "paid",
    ),
    (
        "its buyer picked it up at the counter",
        lambda buyer: [
            buyer.order(fulfillment_status="fulfilled"),
            buyer.parcel("fulfillments/update", id=17, shipment_status="picked_up", line_items=lines(2)),
        ],
        "delivered",
    ),
    (
        "the parcel arrived, and the gift card that came by mail needs none",
        lambda buyer: [
            buyer.order(fulfillment_status="partial"),
            buyer.parcel("fulfillments/create", id=18, line_items=[{"quantity": 1, "requires_shipping": False}]),
            buyer.parcel("fulfillments/update", id=19, shipment_status="delivered", line_items=lines(1)),
        ],
        "delivered",
    ),
    (
        "all that is shipped arrived, and an insurance is never fulfilled",
        lambda buyer: [
            buyer.order(
                fulfillment_status="partial",
                line_items=[
                    {"id": 1, "title": "Lamp", "quantity": 2, "price": "39.00", "fulfillable_quantity": 0, "requires_shipping": True},
                    {"id": 2, "title": "Insurance", "quantity": 1, "price": "2.00", "fulfillable_quantity": 1, "requires_shipping": False},
                ],
                fulfillments=[{"id": 20, "status": "success", "shipment_status": "delivered", "created_at": at(-2), "updated_at": at(-1), "line_items": lines(2)}],
            ),
        ],
        "delivered",
    ),
    (
        "the only parcel was called back",
        lambda buyer: [
            buyer.order(),
            buyer.parcel("fulfillments/create", id=14),
            buyer.parcel("fulfillments/update", "cancelled", id=14),
        ],
        "paid",
    ),
    (
        "it was called back before it was told of",
        lambda buyer: [
            buyer.order(),
            buyer.parcel("fulfillments/update", "cancelled"),
            buyer.parcel("fulfillments/create"),
        ],
        "paid",
    ),
    (
        "a fulfilled order's parcel was called back",
        lambda buyer: [
            buyer.order(fulfillment_status="fulfilled", fulfillments=[{"id": 15, "status": "success", "created_at": at(-2)}]),
            buyer.parcel("fulfillments/update", "cancelled", id=15),
        ],
        "paid",
    ),
]  # fmt: skip


async def test_an_order_has_arrived_once_all_of_it_has(story: Story) -> None:
    await send(story, {number: tell(Buyer(number)) for number, (_, tell, _) in enumerate(PARCELS, 1)})
    states = {int(row["external_id"]): row["status"] for row in await story.api("/orders")}
    found = {sentence: states[number] for number, (sentence, *_) in enumerate(PARCELS, 1)}
    assert found == {sentence: wanted for sentence, _, wanted in PARCELS}
    await story.at(NOW + timedelta(days=4))
    asked = {
        sentence for number, (sentence, *_) in enumerate(PARCELS, 1) if await story.mails(Buyer(number).email)
    }
    assert asked == {sentence for sentence, _, wanted in PARCELS if wanted == "delivered"}
