"""The demo's shop on a fake of WooCommerce."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from decimal import Decimal
from typing import Any

from app.base import clock
from app.base.errors import AppError
from app.brands.models import Shop
from app.demo.fakes.woocommerce.coupons import CartRefusal
from app.demo.fakes.woocommerce.orders import (
    FakeBuyer,
    FakeLine,
    change_order,
    place_order,
    refund_order,
)
from app.demo.fakes.woocommerce.server import FakeWooCommerce
from app.demo.fakes.woocommerce.state import FakeCoupon, FakeShop
from app.demo.scenario import buyer_number, order_number, shipping_of
from app.platforms.connection_types import Connection

SETTINGS: Mapping[str, str] = {
    "delivered_status": "delivered",
    "consent_meta_key": "_newsletter",
    "sms_consent_meta_key": "_texts",
    "locale_meta_key": "_language",
}
"""What the shop names of its plugins."""


@asynccontextmanager
async def open_woocommerce(shop: Shop) -> AsyncIterator[tuple[Connection, "WooCommerceStorefront"]]:
    """The fake while the block lasts, and what a connection to it needs."""
    remote = FakeShop(
        shop.slug, name=shop.name, url=shop.url or "", currency=shop.currency, time_zone=shop.time_zone
    )
    async with FakeWooCommerce(remote) as fake:
        key = remote.keys[0]
        credentials = {"consumer_key": key.consumer_key, "consumer_secret": key.consumer_secret}
        yield Connection(fake.account(remote), credentials), WooCommerceStorefront(fake, remote)


class WooCommerceStorefront:
    """A WordPress with WooCommerce: carts that know our coupons, and webhooks."""

    def __init__(self, fake: FakeWooCommerce, remote: FakeShop) -> None:
        self._fake = fake
        self._remote = remote
        self._seen: set[str] = set()
        self._uses = self._refused = 0

    async def deliver(self, deliveries: Sequence[tuple[str, Mapping[str, Any]]]) -> list[float]:
        """See `Storefront.deliver`: one by one, as an order's later states build on the first."""
        return [await self._deliver_one(delivery_id, body) for delivery_id, body in deliveries]

    async def _deliver_one(self, delivery_id: str, body: Mapping[str, Any]) -> float:
        data, at = body["data"], datetime.fromisoformat(body["timestamp"])
        number = order_number(data.get("order_id") or data["id"])
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
        buyer, shipping = _buyer(data), shipping_of(data)
        for codes in (data["discount_codes"], ()):
            try:
                order = place_order(
                    self._remote, buyer, lines, codes=codes, shipping=shipping, number=number, at=at
                )
            except CartRefusal:
                self._refused += 1
            else:
                self._uses += len(order["coupon_lines"])
                return

    def _refund(self, number: int, amount: Decimal, at: datetime) -> None:
        order = refund_order(self._remote, number, amount, at=at)
        if sum(Decimal(each["amount"]) for each in self._remote.refunds[number]) >= Decimal(order["total"]):
            change_order(self._remote, number, "refunded", at=at)

    def summary(self) -> dict[str, Any]:
        """See `Storefront.summary`."""
        rewards = [each for each in self._remote.coupons.values() if is_reward(each)]
        return {
            "shop_codes": len(self._remote.coupons),
            "shop_rewards": len(rewards),
            "shop_credit": str(
                sum((each.amount for each in rewards if each.given["email_restrictions"]), Decimal(0))
            ),
            "shop_code_uses": self._uses,
            "shop_codes_deleted": self._remote.coupons_deleted,
            "carts_refused": self._refused,
            "schema_violations": len(self._fake.violations),
        }


def is_reward(coupon: FakeCoupon) -> bool:
    """Whether it is the coupon of one reward, for its owner."""
    return any(each["key"] == "tenfold_reward" for each in coupon.given["meta_data"])


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
        buyer_number(given),
        {key: value for key, value in meta.items() if value},
    )
