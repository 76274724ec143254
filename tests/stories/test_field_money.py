"""Codes and money as they come in the field: odd spellings, unknown friends, refunds in two
currencies, edited orders, rollbacks under one key, disputes."""

from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from typing import Any

import pytest

from app.base.context import AppContext
from app.brands.models import Brand, Shop
from tests.support.constants import NOW
from tests.support.factories.programme import set_terms
from tests.support.factories.referrals import make_referrer
from tests.support.shopify_buyer import Buyer, Report, at, euros, open_shopify_story, send
from tests.support.story import Story

OWNER = "lena.f@pm.me"
OVER = NOW + timedelta(days=50)


@pytest.fixture
async def story(context: AppContext, brand: Brand, shop: Shop) -> AsyncIterator[Story]:
    async with open_shopify_story(context, brand) as story:
        yield story


@pytest.fixture
async def code(context: AppContext, brand: Brand, shop: Shop) -> str:
    """A code that Lena may share twenty times, since three weeks ago."""
    await set_terms(context, brand, {"offer": {"max_uses_per_code": 20, "valid_days": 3650}})
    since = NOW - timedelta(days=21)
    made = await make_referrer(context, brand, shop, email=OWNER, phone="+353861112233", now=since)
    return made.code


async def outcomes(story: Story) -> dict[str, tuple[str, str | None]]:
    """Status and reason of every redemption, by the order's number."""
    rows = await story.api("/redemptions", limit="100")
    return {row["order_number"]: (row["status"], row["reason"]) for row in rows}


def with_code(code: str, **changes: Any) -> dict[str, Any]:
    return {"discount_codes": [{"code": code}], **changes}


async def test_the_referrer_is_recognised_and_the_code_too_in_any_spelling(story: Story, code: str) -> None:
    guest = {"customer": None, "billing_address": None}
    orders = [
        ("own_order", {"email": "\ufeffLena.F@PM.me", **guest}),
        ("own_order", {"email": "l_e-naf@protonmail.com", **guest}),
        ("own_order", {"email": "lenaf+sister@proton.me", **guest}),
        ("own_order", {"phone": "+353 86 111 2233", **guest}),
        (None, {"email": "lena.f@gmail.example", **guest}),
    ]
    for number, (_, changes) in enumerate(orders, 1):
        entered = f"\u2060{code[:4].lower()}\u00ad-{code[4:]} "
        await story.shopify(*Buyer(number).order(**with_code(entered, **changes)))
    await story.at(NOW)
    found = await outcomes(story)
    assert [found[f"#{number}"] for number in range(1, 5)] == [("refused", "own_order")] * 4
    assert found["#5"] == ("pending", None)
    for entered in (
        f"\u200b{code}",
        f"\ufeff{code.lower()}\u200d",
        f" {code[:5]}\u2014{code[5:]}".replace("\u2014", "-"),
    ):
        basket = {"code": entered, "order": {"subtotal": "50.00", "currency": "EUR"}}
        checked = (await story.post_api("/codes/validate", basket)).json()
        assert (checked["valid"], checked["amount_off"]) == (True, "5.00"), entered


def line(amount: str, tax: str = "0.00", **fields: Any) -> dict[str, Any]:
    return {"subtotal_set": euros(amount), "total_tax_set": euros(tax), **fields}


REMOVED = {
    "id": 71,
    "transactions": [],
    "refund_line_items": [{"quantity": 1, "subtotal": "30.00", "restock_type": "cancel"}],
}
REFUNDS: list[tuple[str, Callable[[Buyer, str], list[Report]], tuple[str, str, str]]] = [
    (
        "a refund within the order, priced by its adjustment",
        lambda buyer, code: [
            buyer.order(
                **with_code(code),
                presentment_currency="CHF",
                financial_status="partially_refunded",
                refunds=[
                    buyer.refund(
                        "7.80", "CHF", order_adjustments=[{"amount_set": euros("-8.00")}], total_duties_set=euros("0.00")
                    )[1]
                ],
            )
        ],
        ("paid", "8.00", "9.00"),
    ),
    (
        "the same refund within the order and by itself",
        lambda buyer, code: [
            buyer.order(**with_code(code)),
            buyer.refund("3300", "JPY", refund_line_items=[line("20.00")]),
            buyer.order(
                "orders/updated",
                **with_code(code),
                updated_at=at(-1),
                financial_status="partially_refunded",
                refunds=[buyer.refund("3300", "JPY", refund_line_items=[line("20.00")])[1]],
            ),
        ],
        ("paid", "20.00", "7.50"),
    ),
    (
        "goods with their tax, in the buyer's currency",
        lambda buyer, code: [
            buyer.refund("47.10", "USD", refund_line_items=[line("33.61", "6.39")]),
            buyer.order(**with_code(code)),
        ],
        ("paid", "40.00", "5.00"),
    ),
    (
        "goods and shipping, in the buyer's currency",
        lambda buyer, code: [
            buyer.order(
                **with_code(code), subtotal_price="100.00", total_price="106.50", total_shipping_price_set=euros("6.50")
            ),
            buyer.refund(
                "101.20",
                "CHF",
                refund_line_items=[{"subtotal_set": euros("100.00")}],
                order_adjustments=[{"kind": "shipping_refund", "amount_set": euros("-6.50")}],
                total_duties_set=euros("0.00"),
            ),
        ],
        ("refunded", "106.50", "0.00"),
    ),
    (
        "what is left of an edited order",
        lambda buyer, code: [
            buyer.order(**with_code(code), total_price="120.00", current_total_price="90.00", refunds=[REMOVED]),
            buyer.order(
                "orders/updated",
                **with_code(code),
                updated_at=at(-1),
                total_price="120.00",
                current_total_price="0.00",
                financial_status="refunded",
                refunds=[REMOVED, buyer.refund("90.00")[1]],
            ),
        ],
        ("refunded", "90.00", "0.00"),
    ),
    (
        "what is left of an edited order, told by itself",
        lambda buyer, code: [
            buyer.order(**with_code(code), total_price="120.00", current_total_price="90.00", refunds=[REMOVED]),
            buyer.refund("90.00"),
        ],
        ("refunded", "90.00", "0.00"),
    ),
    (
        "half of what is left of an edited order",
        lambda buyer, code: [
            buyer.order(**with_code(code), total_price="120.00", current_total_price="90.00", refunds=[REMOVED]),
            buyer.refund("45.00"),
        ],
        ("paid", "45.00", "5.00"),
    ),
]  # fmt: skip


async def test_a_refund_takes_its_share_in_the_shops_currency(story: Story, code: str) -> None:
    reports = {number: tell(Buyer(number), code) for number, (_, tell, _) in enumerate(REFUNDS, 1)}
    await send(story, reports)
    await story.at(OVER)
    orders = {row["id"]: row for row in await story.api("/orders")}
    redemptions = {row["id"]: int(row["order_number"].strip("#")) for row in await story.api("/redemptions")}
    net = {redemptions[row["redemption"]]: row["net_amount"] for row in await story.api("/rewards")}
    by_number = {int(row["number"].strip("#")): row for row in orders.values()}
    found = {
        sentence: (by_number[number]["status"], by_number[number]["refunded"], net[number])
        for number, (sentence, *_) in enumerate(REFUNDS, 1)
    }
    assert found == {sentence: wanted for sentence, _, wanted in REFUNDS}


async def test_a_rollback_under_one_key_is_one_rollback_whoever_repeats_it(story: Story, code: str) -> None:
    for number in (1, 2):
        await story.shopify(*Buyer(number).order(**with_code(code)))
    await story.at(OVER)
    other = (await story.post_api("/keys", {"scopes": ["checkout", "read", "pii"]})).json()["key"]
    rows = {row["order_number"]: row["id"] for row in await story.api("/redemptions")}
    for order, amount in (("#1", "20.00"), ("#2", "60.00")):
        path, body = f"/redemptions/{rows[order]}/rollback", {"amount": amount}
        answers = [
            await story.post_api(path, body, key=key, once=f"back {order}") for key in (None, other, None)
        ]
        assert [answer.status_code for answer in answers] == [200] * 3, answers[1].text
    await story.at(OVER)
    net = {row["redemption"]: row["net_amount"] for row in await story.api("/rewards")}
    assert (net[rows["#1"]], net[rows["#2"]]) == ("7.50", "2.50")


async def test_friends_of_whom_nothing_is_known_are_held_for_review(story: Story, code: str) -> None:
    nobody = {"email": "", "phone": None, "customer": None, "billing_address": None, "source_name": "pos"}
    for number in (1, 2, 3, 4):
        await story.shopify(*Buyer(number).order(**with_code(code, **nobody)))
    await story.shopify(*Buyer(5).order(**with_code(code)))
    await story.at(OVER)
    held = {f"#{number}": ("in_review", "suspected_fraud") for number in (1, 2, 3, 4)}
    assert await outcomes(story) == {**held, "#5": ("approved", None)}
    assert [row["status"] for row in await story.api("/rewards") if row["granted_at"]] == ["granted"]


async def test_a_disputed_order_is_not_approved_by_itself(story: Story, code: str) -> None:
    for number in (1, 2, 3):
        await story.shopify(*Buyer(number).order(**with_code(code)))
    opened = {"status": "needs_response", "initiated_at": at(-1), "amount": "80.00"}
    await story.shopify("disputes/create", {"id": 51, "order_id": 1, **opened})
    await story.shopify("disputes/create", {"order_id": 2, "status": "under_review"})
    await story.at(OVER)
    found = await outcomes(story)
    assert found["#3"] == ("approved", None)
    assert {found["#1"][0], found["#2"][0]} & {"approved"} == set()
    granted = [row for row in await story.api("/rewards") if row["status"] == "granted"]
    assert len(granted) == 1
