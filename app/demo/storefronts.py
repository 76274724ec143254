"""The demo's shop: on a checkout of its own, or on a fake of a platform that it is connected to."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Any, Protocol

from app.base import clock
from app.base.actor import cli_actor
from app.base.context import AppContext
from app.base.errors import AppError
from app.brands.models import Shop
from app.brands.rules import Platform
from app.demo.client import DemoClient
from app.demo.fakes.woocommerce.coupons import CartRefusal
from app.demo.fakes.woocommerce.orders import (
    FakeBuyer,
    FakeLine,
    change_order,
    place_order,
    refund_order,
)
from app.demo.fakes.woocommerce.server import FakeWooCommerce
from app.demo.fakes.woocommerce.state import FakeShop
from app.demo.scenario import Scenario
from app.platforms.check import check_shop
from app.platforms.connect import connect_shop, try_connection

PLATFORMS = (Platform.checkout, Platform.woocommerce)
"""Those that the demo can play."""
SETTINGS: Mapping[Platform, Mapping[str, str]] = {
    Platform.woocommerce: {
        "delivered_status": "delivered",
        "consent_meta_key": "_newsletter",
        "sms_consent_meta_key": "_texts",
        "locale_meta_key": "_language",
    }
}
"""What the shop names of its plugins."""


class Storefront(Protocol):
    """Where people buy."""

    async def deliver(self, deliveries: Sequence[tuple[str, Mapping[str, Any]]]) -> list[float]:
        """Let these things happen, by their ids and a checkout's bodies, and tell Tenfold of them.

        Returns the seconds of each. Raises `AppError` where Tenfold does not take one.
        """

    def summary(self) -> dict[str, Any]:
        """What the shop says at the end."""


class CheckoutStorefront:
    """A shop that signs its own deliveries."""

    def __init__(self, client: DemoClient) -> None:
        self._client = client

    async def deliver(self, deliveries: Sequence[tuple[str, Mapping[str, Any]]]) -> list[float]:
        """See `Storefront.deliver`."""
        return await self._client.deliver(deliveries)

    def summary(self) -> dict[str, Any]:
        """Nothing beside Tenfold's own figures."""
        return {}


class WooCommerceStorefront:
    """A WordPress with WooCommerce: carts that know our coupons, and webhooks."""

    def __init__(self, fake: FakeWooCommerce, remote: FakeShop) -> None:
        self._fake = fake
        self._remote = remote
        self._seen: set[str] = set()
        self._refused = 0

    async def deliver(self, deliveries: Sequence[tuple[str, Mapping[str, Any]]]) -> list[float]:
        """See `Storefront.deliver`: one by one, as an order's later states build on the first."""
        return [await self._deliver_one(delivery_id, body) for delivery_id, body in deliveries]

    async def _deliver_one(self, delivery_id: str, body: Mapping[str, Any]) -> float:
        data, at = body["data"], datetime.fromisoformat(body["timestamp"])
        number = _number(data.get("order_id") or data["id"])
        if delivery_id not in self._seen:
            self._seen.add(delivery_id)
            self._apply(body["type"], number, data, at)
        order, began = self._remote.orders[number], clock.monotonic()
        topic = "order.created" if body["type"] == "order.paid" else "order.updated"
        if await self._fake.deliver(self._remote, topic, order) != 1:
            raise AppError("demo_failed", f"The demo stopped: the shop's {topic} was not accepted.")
        return clock.monotonic() - began

    def _apply(self, topic: str, number: int, data: Mapping[str, Any], at: datetime) -> None:
        match topic:
            case "order.paid":
                self._order(number, data, at)
            case "order.fulfilled":
                change_order(self._remote, number, "completed", at=at)
            case "order.delivered":
                change_order(self._remote, number, "delivered", at=at)
            case "order.cancelled":
                change_order(self._remote, number, "cancelled", at=at)
            case "order.refunded":
                self._refund(number, Decimal(data["amount"]), at)

    def _order(self, number: int, data: Mapping[str, Any], at: datetime) -> None:
        """An order by its cart, with the code where the cart takes it."""
        lines = [
            FakeLine(each["title"], Decimal(each["unit_price"]), int(each["quantity"]), each["sku"])
            for each in data["items"]
        ]
        shipping = Decimal(data["total"]) + Decimal(data["discount_total"]) - Decimal(data["subtotal"])
        buyer = _buyer(data)
        for codes in (data["discount_codes"], ()):
            try:
                place_order(self._remote, buyer, lines, codes=codes, shipping=shipping, number=number, at=at)
            except CartRefusal:
                self._refused += 1
            else:
                return

    def _refund(self, number: int, amount: Decimal, at: datetime) -> None:
        order = refund_order(self._remote, number, amount, at=at)
        if sum(Decimal(each["amount"]) for each in self._remote.refunds[number]) >= Decimal(order["total"]):
            change_order(self._remote, number, "refunded", at=at)

    def summary(self) -> dict[str, Any]:
        """The coupons that are there, how often they were used, and what did not fit the schema."""
        coupons = self._remote.coupons.values()
        return {
            "coupons": len(coupons),
            "coupon_uses": sum(len(each.used_by) for each in coupons),
            "coupons_refused": self._refused,
            "schema_violations": len(self._fake.violations),
        }


def _number(order_id: str) -> int:
    return int(order_id.removeprefix("order-"))


def _buyer(data: Mapping[str, Any]) -> FakeBuyer:
    given = data["customer"]
    meta = {"_language": given["locale"], "tenfold_ref": data.get("referral") or ""}
    for name, key in (("email_consent", "_newsletter"), ("sms_consent", "_texts")):
        meta[key] = {True: "1", False: "0"}.get(given[name], "")
    return FakeBuyer(
        given["email"] or "",
        given["first_name"],
        given["last_name"],
        given["country"],
        given["phone"] or "",
        int(given["id"].removeprefix("buyer-")),
        {key: value for key, value in meta.items() if value},
    )


def for_platform(scenario: Scenario, platform: Platform) -> Scenario:
    """The scenario with the order ids that the platform's orders have."""
    if platform is Platform.checkout:
        return scenario
    return replace(
        scenario,
        responses={str(_number(key)): value for key, value in scenario.responses.items()},
        note=f"{scenario.note} The shop is a fake of {platform.value} on this machine.",
    )


@asynccontextmanager
async def open_storefront(context: AppContext, shop: Shop, client: DemoClient) -> AsyncIterator[Storefront]:
    """The shop's own side, connected, until the block ends."""
    if shop.platform != Platform.woocommerce:
        yield CheckoutStorefront(client)
        return
    remote = FakeShop(
        shop.slug, name=shop.name, url=shop.url or "", currency=shop.currency, time_zone=shop.time_zone
    )
    async with FakeWooCommerce(remote) as fake:
        key = remote.keys[0]
        credentials = {"consumer_key": key.consumer_key, "consumer_secret": key.consumer_secret}
        connection = await try_connection(context.settings, shop, fake.account(remote), credentials)
        async with context.sessions.begin() as session:
            actor = cli_actor(shop.brand_id)
            await connect_shop(session, context.tokens, shop, connection, actor=actor, now=clock.now())
        report = await check_shop(context, shop.brand_id, shop.id, now=clock.now())
        if report.problems:
            raise AppError("demo_failed", f"The demo stopped: {' '.join(report.problems)}")
        yield WooCommerceStorefront(fake, remote)
