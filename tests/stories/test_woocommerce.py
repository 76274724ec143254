"""A shop on WooCommerce: it is added, pings, and reports its orders over HTTP, as a WordPress does:
unordered, often, and never again."""

import asyncio
import base64
import hmac
import json
import socket
from collections.abc import AsyncIterator
from datetime import timedelta
from decimal import Decimal
from itertools import permutations
from typing import Any, Self

import pytest
import uvicorn
from httpx2 import AsyncClient
from sqlalchemy import func, select

from app.admin.keys import add_key
from app.admin.rules import Scope
from app.base import clock
from app.base.actor import cli_actor
from app.brands.add import add_shop
from app.brands.rules import Platform
from app.ingest.models import Delivery
from app.insight.invariants import check
from app.platforms.shop_settings import new_settings
from tests.support.apps import whole_app
from tests.support.constants import NOW
from tests.support.samples import sample
from tests.support.story import Story, an_order, open_story

STORED = "a shop&#039;s &quot;own&quot; secret"
"""As WordPress has it in its tables."""
KEY = 'a shop\'s "own" secret'
"""What it signs with."""
SETTINGS = {
    "delivered_status": "delivered",
    "consent_meta_key": "_newsletter",
    "locale_meta_key": "wpml_language",
}


def gmt(days: float) -> str:
    """So many days after `NOW`, as WooCommerce writes a time in UTC."""
    return (NOW + timedelta(days=days)).strftime("%Y-%m-%dT%H:%M:%S")


def order(number: int, days: float, status: str, **changes: Any) -> dict[str, Any]:
    """Order `number` as it is so many days after `NOW`; it was placed five days before."""
    body = sample("woocommerce", "order")
    body["billing"] |= {"email": f"buyer{number}@example.com"}
    times = {"date_created_gmt": gmt(-5), "date_paid_gmt": gmt(-5), "date_modified_gmt": gmt(days)}
    return body | {"id": number, "number": f"W{number}", "customer_id": 0, "status": status} | times | changes


def refund(number: int, amount: str) -> dict[str, Any]:
    return {"id": number, "reason": "", "total": f"-{amount}"}


@pytest.fixture
async def woo_shop(context, brand):
    async with context.sessions.begin() as session:
        made, _ = await add_shop(
            session,
            context.tokens,
            brand,
            "woo",
            name="Woo",
            platform=Platform.woocommerce,
            webhook_secret=STORED,
            actor=cli_actor(brand.id),
            platform_settings=new_settings("woocommerce", SETTINGS),
        )
        return made


@pytest.fixture
async def story(context, brand, shop, woo_shop) -> AsyncIterator[Story]:
    async with open_story(context, brand) as story:
        yield story


async def deliver(
    client: AsyncClient, body: dict[str, Any] | bytes, topic: str = "order.updated", delivery: str = "same"
) -> int:
    """WooCommerce makes one delivery; deliveries of one second have one id. Returns the status."""
    raw = body if isinstance(body, bytes) else json.dumps(body, separators=(",", ":")).encode()
    signature = base64.b64encode(hmac.digest(KEY.encode(), raw, "sha256")).decode()
    headers = {
        "Content-Type": "application/json",
        "X-WC-Webhook-Signature": signature,
        "X-WC-Webhook-Topic": topic,
        "X-WC-Webhook-ID": "8",
        "X-WC-Webhook-Delivery-ID": delivery,
    }
    return (await client.post("/hooks/woo/woocommerce", content=raw, headers=headers)).status_code


async def send(story: Story, *bodies: dict[str, Any], topic: str = "order.updated") -> None:
    """Deliver these, each processed before the next."""
    for body in bodies:
        assert await deliver(story.client, body, topic) == 200
        await story.at(NOW)


async def stored(context) -> int:
    async with context.sessions() as session:
        return await session.scalar(select(func.count()).select_from(Delivery))


async def test_ping_gets_200_and_is_not_kept(story, context):
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    response = await story.client.post("/hooks/woo/woocommerce", content=b"webhook_id=8", headers=form)
    assert response.status_code == 200
    for slug, body, status in (
        ("woo", b'{"id":1}', 401),
        ("acme", b"webhook_id=8", 404),
        ("none", b"webhook_id=8", 404),
    ):
        address = f"/hooks/{slug}/woocommerce"
        assert (await story.client.post(address, content=body, headers=form)).status_code == status
    assert await stored(context) == 0


async def test_two_orders_of_one_second_are_both_kept_and_a_repetition_once(story, context):
    for _ in range(2):
        for number in (1, 2):
            assert await deliver(story.client, order(number, -5, "processing"), "order.created") == 200
    assert await stored(context) == 2
    await story.at(NOW)
    assert {each["number"] for each in await story.api("/orders")} == {"W1", "W2"}


async def test_what_cannot_be_read_is_kept_and_explained(story):
    html = b"<html><body>Briefly unavailable for scheduled maintenance.</body></html>"
    bodies = [html, order(1, -5, "processing", total="-1.00"), order(2, -5, "processing", currency="XYZ")]
    for body in bodies:
        assert await deliver(story.client, body) == 200
    assert await deliver(story.client, order(3, -5, "checkout-draft")) == 200
    assert await deliver(story.client, {"id": 4}, "order.deleted") == 200
    await story.at(NOW)
    found = {each["reason"]: each["status"] for each in await story.api("/deliveries")}
    assert sorted(found.values()) == ["failed", "failed", "failed", "ignored"]
    assert any("JSON" in reason for reason in found)
    assert any("total must not be negative" in reason for reason in found)
    assert any("currency cannot be used" in reason for reason in found)
    assert await story.api("/orders") == []


async def test_odd_orders_are_processed_and_show_what_can_be_known(story):
    late = {f"date_{each}_gmt": "2199-12-31T23:59:59" for each in ("created", "modified", "paid")}
    yen = {"line_items": [], "coupon_lines": [], "shipping_total": "0", "discount_total": "0"}
    two_phones = order(6, -5, "processing")
    two_phones["billing"] |= {"phone": "040 1234567"}
    two_phones["shipping"] |= {"phone": "01 23 45 67 89", "country": "FR"}
    bodies = [
        order(9007199254740993, -5, "processing"),
        order(2, -5, "processing", coupon_lines=[{"id": 1, "code": " ", "discount": "1.00"}]),
        order(3, -5, "processing", currency="JPY", total="3300", **yen),
        order(4, -5, "processing", currency="KWD", total="12.345", **yen),
        order(5, -5, "completed", **late, date_completed_gmt="2199-12-31T23:59:59"),
        two_phones,
        order(7, -5, "processing", billing={}, shipping={}, meta_data=[]),
        order(8, -5, "processing", total="0.00", refunds=[refund(1, "99999999.99")]),
    ]
    for body in bodies:
        assert await deliver(story.client, body) == 200
    await story.at(NOW)
    assert {each["status"] for each in await story.api("/deliveries")} == {"processed"}
    orders = {each["number"]: each for each in await story.api("/orders")}
    assert orders["W9007199254740993"]["external_id"] == "9007199254740993"
    assert [(orders[name]["total"], orders[name]["currency"]) for name in ("W3", "W4")] == [
        ("3300", "JPY"),
        ("12.345", "KWD"),
    ]
    phones = {each["email"]: each["phone"] for each in await story.api("/customers")}
    assert phones["buyer6@example.com"] == "+49401234567"
    surveys = {each["order"]: each["reason"] for each in await story.api("/surveys")}
    assert (surveys[orders["W7"]["id"]], len(surveys)) == ("no_address", len(bodies))


async def test_whatever_order_reports_come_in_the_order_is_the_same(story):
    done = {"date_completed_gmt": gmt(-2)}
    states = [
        (-5, "processing", {}),
        (-2, "completed", {**done, "refunds": [refund(1, "10.00")]}),
        (-1, "completed", {**done, "refunds": [refund(1, "10.00"), refund(2, "5.50")], "total": "80.00"}),
    ]
    ways = list(permutations(states))
    for turn in range(len(states)):
        for number, way in enumerate(ways, start=1):
            days, status, changes = way[turn]
            for topic in ("order.updated", "order.created"):
                assert await deliver(story.client, order(number, days, status, **changes), topic) == 200
        await story.at(NOW)
    orders = await story.api("/orders")
    assert len(orders) == len(ways)
    own = {"id", "external_id", "number", "customer", "created_at"}
    assert len({json.dumps({k: v for k, v in each.items() if k not in own}) for each in orders}) == 1
    assert (orders[0]["status"], orders[0]["total"], orders[0]["refunded"]) == ("fulfilled", "80.00", "15.50")


async def test_status_that_the_shop_names_delivers_and_a_larger_refund_undoes(story):
    await send(story, order(1, -1, "delivered"))
    (found,) = await story.api("/orders")
    (survey,) = await story.api("/surveys")
    assert (found["status"], survey["status"]) == ("delivered", "planned")
    await send(story, order(1, -0.5, "delivered", refunds=[refund(1, "500.00")]))
    (found,) = await story.api("/orders")
    (survey,) = await story.api("/surveys")
    assert (found["status"], survey["status"], survey["reason"]) == ("refunded", "skipped", "refunded")


async def test_refund_that_was_deleted_counts_no_more(story):
    both = [refund(1, "20.00"), refund(2, "56.90")]
    reports: list[tuple[float, list[dict[str, Any]], str, str]] = [
        (-4, both, "refunded", "76.90"),
        # The second failed at the bank, and its gateway deleted it.
        (-3, both[:1], "paid", "20.00"),
        (-3.5, both, "paid", "20.00"),
        (-3, both[:1], "paid", "20.00"),
        (-2, [], "paid", "0.00"),
        (-1, both[1:], "paid", "56.90"),
    ]
    for days, refunds, status, refunded in reports:
        await send(story, order(1, days, "processing", refunds=refunds))
        (found,) = await story.api("/orders")
        assert (found["status"], found["refunded"]) == (status, refunded), days
        async with story.context.sessions() as session:
            assert await check(session, story.context.tokens) == []
    (survey,) = await story.api("/surveys")
    assert survey["status"] == "planned"


async def test_order_that_is_first_heard_of_as_on_hold_or_failed_is_nothing_yet(story):
    await send(story, order(1, -4, "failed"), order(2, -4, "on-hold"))
    assert [each["status"] for each in await story.api("/deliveries")] == ["ignored"] * 2
    assert await story.api("/orders") == []
    # The second card was taken within the second.
    await send(story, order(1, -4, "processing"))
    (found,) = await story.api("/orders")
    assert (found["number"], found["status"]) == ("W1", "paid")


async def test_order_to_be_paid_on_delivery_is_cancelled_though_that_is_heard_of_first(story):
    unpaid = {"date_paid_gmt": None, "payment_method": "cod"}
    await send(story, order(1, -4, "cancelled", **unpaid))
    assert await story.api("/orders") == []
    await send(story, order(1, -5, "processing", **unpaid))
    (found,) = await story.api("/orders")
    assert found["status"] == "cancelled"


@pytest.mark.parametrize("status", ["cancelled", "refunded"])
async def test_order_that_is_called_off_is_not_surveyed(story, status):
    await send(story, order(1, -4, "processing"), order(1, -2, status), order(1, -3, "completed"))
    (found,) = await story.api("/orders")
    (survey,) = await story.api("/surveys")
    assert (found["status"], survey["reason"]) == (status, status)


@pytest.mark.parametrize("last", ["processing", "cancelled"])
async def test_order_that_is_taken_up_again_stands_whatever_order_the_reports_come_in(story, last):
    # The first was cancelled since nobody paid in time, which is mended by a payment after all.
    states = [
        (-4, "cancelled", {"date_paid_gmt": None}),
        (-3, "processing", {}),
        (-2.5, "cancelled", {}),
        (-2, last, {}),
    ]
    ways = list(permutations(states))
    for turn in range(len(states)):
        for number, way in enumerate(ways, start=1):
            days, status, changes = way[turn]
            assert await deliver(story.client, order(number, days, status, **changes)) == 200
        await story.at(NOW)
    ends = {"processing": ("paid", "planned"), "cancelled": ("cancelled", "skipped")}
    found = [(each["status"], each["cancelled_at"]) for each in await story.api("/orders")]
    assert len(found) == len(ways)
    assert len(set(found)) == 1
    assert found[0][0] == ends[last][0]
    assert {each["status"] for each in await story.api("/surveys")} == {ends[last][1]}
    async with story.context.sessions() as session:
        assert await check(session, story.context.tokens) == []


async def test_order_whose_personal_data_was_removed_stays_its_buyers_own(story):
    removed = {"billing": {"first_name": "[deleted]", "email": "deleted@site.invalid"}, "shipping": {}}
    for number in (1, 2):
        await send(
            story,
            order(number, -4, "processing"),
            order(number, -3, "processing", meta_data=[{"key": "_anonymized", "value": "yes"}], **removed),
        )
    emails = {each["email"] for each in await story.api("/customers")}
    assert emails == {"buyer1@example.com", "buyer2@example.com"}
    assert len({each["customer"] for each in await story.api("/orders")}) == 2


async def test_guest_is_known_by_address_and_number_and_language(story):
    guest = order(1, -5, "processing")
    guest["billing"] |= {"phone": "040 1234567"}
    guest["meta_data"] = [
        {"id": 1, "key": "_newsletter", "value": "yes"},
        {"id": 2, "key": "wpml_language", "value": "de_DE"},
    ]
    await send(story, guest)
    (customer,) = await story.api("/customers")
    assert (customer["email"], customer["phone"]) == ("buyer1@example.com", "+49401234567")
    whole = await story.api(f"/customers/{customer['id']}")
    assert (whole["locale"], whole["country"]) == ("de-DE", "DE")


async def test_deleted_account_is_erased(story):
    await send(story, order(1, -5, "processing", customer_id=31))
    await send(story, {"id": 31}, topic="customer.deleted")
    assert [each["email"] for each in await story.api("/customers")] == [None]


class Server:
    """The application behind a real port, which takes connections before it is served."""

    def __init__(self, app: Any) -> None:
        self.socket = socket.socket()
        self.socket.bind(("127.0.0.1", 0))
        self.socket.listen()
        self.port = self.socket.getsockname()[1]
        self._server = uvicorn.Server(uvicorn.Config(app, log_level="error", lifespan="off"))
        self._running: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._running = asyncio.create_task(self._server.serve(sockets=[self.socket]))
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.should_exit = True
        assert self._running is not None
        await self._running

    async def old_post(self, path: str, body: bytes) -> bytes:
        """The status line of a request in HTTP/1.0, which WordPress speaks."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        head = f"POST {path} HTTP/1.0\r\nHost: tenfold\r\nContent-Length: {len(body)}\r\n\r\n"
        writer.write(head.encode() + body)
        line = await reader.readline()
        writer.close()
        await writer.wait_closed()
        return line


async def test_code_of_a_promoter_is_redeemed_and_reversed(context, brand, shop, woo_shop):
    async with context.sessions.begin() as session:
        key = await add_key(session, brand.id, list(Scope), actor=cli_actor(brand.id))
    async with (
        Server(whole_app(context)) as server,
        AsyncClient(base_url=f"http://127.0.0.1:{server.port}") as client,
    ):
        context.settings.public_url = str(client.base_url)
        story = Story(context, brand, client, key)
        status = await server.old_post("/hooks/woo/woocommerce", b"webhook_id=8")
        assert status.split(b" ")[1] == b"200"
        code = await story.promoter(
            an_order(1, NOW - timedelta(days=4)), delivered_at=NOW, asked_at=NOW + timedelta(days=4)
        )
        coupon = {"id": 1, "code": code.lower(), "discount": "6.72", "discount_tax": "1.28"}
        friend = {"coupon_lines": [coupon], "date_created_gmt": gmt(5), "date_paid_gmt": gmt(5)}
        at = NOW + timedelta(days=6)
        assert await deliver(client, order(9, 5, "checkout-draft", **friend), "order.created") == 200
        assert await deliver(client, order(9, 5.1, "processing", **friend), "order.created") == 200
        await story.at(at)
        (redemption,) = await story.api("/redemptions")
        assert (redemption["status"], redemption["code"], redemption["amount_off"]) == (
            "pending",
            code,
            "8.00",
        )
        done = friend | {"date_completed_gmt": gmt(6)}
        assert await deliver(client, order(9, 6, "completed", **done)) == 200
        await story.at(at)
        assert {each["number"]: each["status"] for each in await story.api("/orders")}["W9"] == "fulfilled"
        await story.at(NOW + timedelta(days=50))
        assert [each["status"] for each in await story.api("/redemptions")] == ["approved"]
        (reward,) = await story.api("/rewards")
        assert (reward["status"], reward["amount"], reward["net_amount"]) == ("granted", "10.00", "10.00")
        part = done | {"refunds": [refund(5, "36.00")]}
        for _ in range(2):
            assert await deliver(client, order(9, 51, "completed", **part)) == 200
            assert await deliver(client, order(9, 51, "completed", **part), "order.restored") == 200
        await story.at(NOW + timedelta(days=52))
        assert [each["net_amount"] for each in await story.api("/rewards")] == ["5.00"]
        whole = done | {"refunds": [refund(5, "36.00"), refund(6, "40.90")]}
        assert await deliver(client, order(9, 53, "refunded", **whole)) == 200
        await story.at(NOW + timedelta(days=54))
        assert [each["status"] for each in await story.api("/redemptions")] == ["reversed"]
        assert [each["net_amount"] for each in await story.api("/rewards")] == ["0.00"]
    async with context.sessions() as session:
        assert await check(session, context.tokens) == []


def friends_order(number: int, days: float, status: str, code: str, friend: int) -> dict[str, Any]:
    """An order with a promoter's code, by a friend of this number."""
    coupon = {"id": 1, "code": code.lower(), "discount": "6.72", "discount_tax": "1.28"}
    body = order(number, days, status, coupon_lines=[coupon], date_created_gmt=gmt(5), date_paid_gmt=gmt(5))
    body["billing"] |= {"email": f"friend{friend}@example.com"}
    body["shipping"] = {}
    return body


async def promoters_code(story: Story, **offer: Any) -> str:
    await story.terms(offer=offer)
    return await story.promoter(
        an_order(1, NOW - timedelta(days=4)), delivered_at=NOW, asked_at=NOW + timedelta(days=4)
    )


async def happened(story: Story, days: float, *bodies: dict[str, Any]) -> dict[str, tuple[str, str | None]]:
    """What redemptions are after these deliveries, by the orders' numbers; all invariants hold."""
    for body in bodies:
        assert await deliver(story.client, body) == 200
        await story.at(NOW + timedelta(days=days))
    await story.at(NOW + timedelta(days=days))
    async with story.context.sessions() as session:
        assert await check(session, story.context.tokens) == []
    return {
        each["order_number"]: (each["status"], each["reason"]) for each in await story.api("/redemptions")
    }


async def discounts(story: Story) -> dict[str, Decimal]:
    """What the ledger has of friends' discounts, by account."""
    found: dict[str, Decimal] = {}
    for each in await story.api("/ledger"):
        if each["account"].endswith(("discount_cost", "leaked_discount")):
            found[each["account"]] = found.get(each["account"], Decimal(0)) + Decimal(each["amount"])
    return {account: amount for account, amount in found.items() if amount}


async def test_redemption_comes_back_with_the_order_that_is_taken_up_again(story):
    code = await promoters_code(story)
    assert await happened(story, 6, friends_order(9, 5, "processing", code, 1)) == {"W9": ("pending", None)}
    assert await happened(story, 50) == {"W9": ("approved", None)}
    for days in (51, 53):
        found = await happened(story, days, friends_order(9, days, "cancelled", code, 1))
        assert found == {"W9": ("reversed", "cancelled")}
        assert await discounts(story) == {}
        found = await happened(story, days + 1, friends_order(9, days + 1, "processing", code, 1))
        assert found == {"W9": ("approved", None)}
        assert await discounts(story) == {"discount_cost": Decimal("8.00")}
        (reward,) = await story.api("/rewards")
        assert (reward["status"], reward["net_amount"]) == ("granted", "10.00")
        (found,) = await story.api("/codes", kind="share")
        assert found["uses"] == 1


async def test_payment_that_is_doubted_holds_the_reward_and_one_that_was_taken_back_reverses_it(story):
    code = await promoters_code(story)
    reports: list[tuple[float, str, str, str | None, str, bool]] = [
        (5, "processing", "pending", None, "pending", False),
        # What gateways do of a disputed payment, and once it was won.
        (6, "on-hold", "in_review", "disputed", "pending", True),
        (8, "refunded", "reversed", "refunded", "cancelled", False),
        # The bank did not take the refund, and the gateway deleted it.
        (10, "processing", "pending", None, "pending", False),
        (50, "processing", "approved", None, "granted", False),
        (51, "on-hold", "approved", None, "granted", True),
        (53, "failed", "reversed", "cancelled", "reversed", True),
    ]
    for days, status, redemption, reason, reward, frozen in reports:
        refunds = [refund(1, "76.90")] if status == "refunded" else []
        await happened(story, days + 0.5, friends_order(9, days, status, code, 1) | {"refunds": refunds})
        assert await happened(story, days + 1) == {"W9": (redemption, reason)}
        (found,) = await story.api("/rewards")
        assert (found["status"], found["frozen"]) == (reward, frozen)


async def test_refund_that_was_rolled_back_here_is_none_that_the_shop_has_deleted(story):
    code = await promoters_code(story)
    await happened(story, 6, friends_order(9, 5.5, "processing", code, 1))
    (redemption,) = await story.api("/redemptions")
    address = f"/redemptions/{redemption['id']}/rollback"
    response = await story.post_api(address, {"amount": "8.00", "reason": "It was torn."})
    assert response.status_code == 200, response.text
    tomorrow = (clock.now() - NOW) / timedelta(days=1) + 1
    await happened(story, 6, friends_order(9, tomorrow, "completed", code, 1))
    refunded = {each["number"]: each["refunded"] for each in await story.api("/orders")}
    assert refunded["W9"] == "8.00"


async def test_friend_whose_parcel_came_back_may_use_the_code_again(story):
    code = await promoters_code(story)
    unpaid = {"date_paid_gmt": None, "payment_method": "cod"}
    found = await happened(
        story,
        6,
        friends_order(9, 5, "processing", code, 1) | unpaid,
        friends_order(9, 5.1, "failed", code, 1) | unpaid,
        friends_order(10, 5.2, "processing", code, 1) | unpaid | {"date_created_gmt": gmt(5.2)},
    )
    assert found == {"W9": ("reversed", "cancelled"), "W10": ("pending", None)}


async def test_use_that_somebody_else_has_taken_meanwhile_is_not_taken_twice(story):
    code = await promoters_code(story, max_uses_per_code=1)
    await happened(
        story, 6, friends_order(9, 5, "processing", code, 1), friends_order(9, 5.1, "cancelled", code, 1)
    )
    found = await happened(
        story, 6, friends_order(10, 5.2, "processing", code, 2), friends_order(9, 5.3, "processing", code, 1)
    )
    assert found == {"W9": ("reversed", "cancelled"), "W10": ("pending", None)}
    found = await happened(
        story, 6, friends_order(10, 5.4, "cancelled", code, 2), friends_order(9, 5.5, "completed", code, 1)
    )
    # Decided with the next report that changes it.
    assert found == {"W9": ("pending", None), "W10": ("reversed", "cancelled")}


async def test_friend_who_has_used_another_code_meanwhile_holds_one_use(story):
    code = await promoters_code(story)
    found = await happened(
        story,
        6,
        friends_order(9, 5, "processing", code, 1),
        friends_order(9, 5.1, "cancelled", code, 1),
        friends_order(10, 5.2, "processing", code, 1),
        friends_order(9, 5.3, "processing", code, 1),
    )
    # The second order has had the friend's one use since.
    assert found == {"W9": ("reversed", "cancelled"), "W10": ("pending", None)}


async def test_refused_code_leaks_again_with_its_order(story):
    code = await promoters_code(story)
    await happened(
        story, 6, friends_order(9, 5, "processing", code, 1), friends_order(10, 5.1, "processing", code, 1)
    )
    both = {"discount_cost": Decimal("8.00"), "leaked_discount": Decimal("8.00")}
    assert await discounts(story) == both
    found = await happened(story, 6, friends_order(10, 5.2, "cancelled", code, 1))
    assert found["W10"] == ("refused", "already_used_by_friend")
    assert await discounts(story) == {"discount_cost": Decimal("8.00")}
    await happened(story, 6, friends_order(10, 5.3, "processing", code, 1))
    assert await discounts(story) == both
