"""The demo's shop on a fake of Shopify."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from copy import deepcopy
from datetime import datetime
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit

from app.base import clock
from app.base.errors import AppError
from app.brands.models import Shop
from app.demo.fakes.shopify.buying import (
    FakeBuyer,
    FakeLine,
    cancel_order,
    deliver_parcel,
    pay_with_credit,
    place_order,
    refund_order,
    send_parcel,
)
from app.demo.fakes.shopify.carts import CartRefusal
from app.demo.fakes.shopify.server import FakeShopify
from app.demo.fakes.shopify.state import FakeDiscount, FakeShop
from app.demo.scenario import buyer_number, order_number, shipping_of
from app.platforms.connection_types import Connection
from app.platforms.shopify.adapter import ShopifyAdapter

_Report = tuple[str, Mapping[str, Any]]
"""A webhook's topic and body."""
_LOST = 6
"""Of every so many orders one arrives and no webhook says so."""


@asynccontextmanager
async def open_shopify(shop: Shop) -> AsyncIterator[tuple[Connection, "ShopifyStorefront"]]:
    """The fake while the block lasts, and what a connection to it needs."""
    remote = FakeShop(
        f"{shop.slug}.myshopify.com",
        name=shop.name,
        host=urlsplit(shop.url or "").hostname or "",
        currency=shop.currency,
        time_zone=shop.time_zone,
    )
    async with FakeShopify(remote) as fake:
        credentials = {"client_id": fake.app.client_id, "client_secret": fake.app.client_secret}
        yield Connection(fake.account(remote), credentials), ShopifyStorefront(fake, remote)


class ShopifyStorefront:
    """A shop whose carts know our codes, and which reports each thing by several webhooks.

    They arrive in no order that one could rely on, some of them twice, and some not at all: then
    the night's reading of the shop's orders finds what happened.
    """

    def __init__(self, fake: FakeShopify, remote: FakeShop) -> None:
        self._fake = fake
        self._remote = remote
        self._orders: dict[int, dict[str, Any]] = {}
        self._reports: dict[str, Sequence[_Report]] = {}
        self._uses = self._refused = self._lost = 0

    async def deliver(self, deliveries: Sequence[tuple[str, Mapping[str, Any]]]) -> list[float]:
        """See `Storefront.deliver`: one by one, as an order's later states build on the first."""
        return [await self._deliver_one(delivery_id, body) for delivery_id, body in deliveries]

    async def _deliver_one(self, delivery_id: str, body: Mapping[str, Any]) -> float:
        is_repeated = delivery_id in self._reports
        if not is_repeated:
            self._reports[delivery_id] = self._happen(body)
        if body["type"] == "order.delivered" and order_number(body["data"]["order_id"]) % _LOST == 0:
            self._lost += 1
            return 0.0
        began = clock.monotonic()
        for topic, report in self._reports[delivery_id]:
            times = 2 if is_repeated else 1
            if await self._fake.deliver(self._remote, topic, report, times=times) != 1:
                raise AppError("demo_failed", f"The demo stopped: the shop's {topic} was not accepted.")
        return clock.monotonic() - began

    def _happen(self, body: Mapping[str, Any]) -> Sequence[_Report]:
        """Let it happen in the shop; returns its reports, those of odd orders backwards."""
        data, at = body["data"], datetime.fromisoformat(body["timestamp"])
        number = order_number(data.get("order_id") or data["id"])
        reports = deepcopy(self._reports_of(body["type"], number, data, at))
        return reports[::-1] if number % 2 else reports

    def _reports_of(
        self, topic: str, number: int, data: Mapping[str, Any], at: datetime
    ) -> Sequence[_Report]:
        if topic == "order.paid":
            order = self._orders[number] = self._order(number, data, at)
            return [("orders/create", order), ("orders/paid", order)]
        order = self._orders[number]
        match topic:
            case "order.fulfilled":
                parcel = send_parcel(self._remote, order, at=at)
                return [("fulfillments/create", parcel), ("orders/fulfilled", order)]
            case "order.delivered":
                event = deliver_parcel(self._remote, order, at=at)
                return [("fulfillment_events/create", event), ("orders/updated", order)]
            case "order.cancelled":
                cancel_order(self._remote, order, at=at)
                return [("orders/cancelled", order), ("orders/updated", order)]
            case "order.refunded":
                refund = refund_order(self._remote, order, Decimal(data["amount"]), at=at)
                return [("refunds/create", refund), ("orders/updated", order)]
        raise AppError("demo_failed", f"The demo stopped: the shop does not know {topic}.")

    def _order(self, number: int, data: Mapping[str, Any], at: datetime) -> dict[str, Any]:
        """An order by its cart, with the code where the cart takes it."""
        lines = [
            FakeLine(each["title"], Decimal(each["unit_price"]), int(each["quantity"]), each["sku"])
            for each in data["items"]
        ]
        landing = _landing(data["discount_codes"], data.get("referral"))
        try:
            order = self._place(number, data, at, lines, data["discount_codes"], landing)
        except CartRefusal:
            self._refused += 1
            return self._place(number, data, at, lines, (), landing)
        self._uses += len(order["discount_codes"])
        if "store_credit" in data:
            pay_with_credit(self._remote, order, Decimal(data["store_credit"]), at=at)
        return order

    def _place(
        self,
        number: int,
        data: Mapping[str, Any],
        at: datetime,
        lines: Sequence[FakeLine],
        codes: Sequence[str],
        landing: str,
    ) -> dict[str, Any]:
        return place_order(
            self._remote,
            _buyer(data),
            lines,
            number=number,
            at=at,
            codes=codes,
            shipping=shipping_of(data),
            landing_site=landing,
        )

    def summary(self) -> dict[str, Any]:
        """See `Storefront.summary`."""
        codes = [code for each in self._remote.discounts.values() for code in each.codes.values()]
        return {
            "shop_codes": len(codes),
            "shop_rewards": sum(is_reward(each) for each in self._remote.discounts.values()),
            "shop_credit": str(
                sum((each.balance for each in self._remote.credit.accounts.values()), Decimal(0))
            ),
            "shop_code_uses": self._uses,
            "shop_codes_deleted": self._remote.codes_deleted,
            "carts_refused": self._refused,
            "webhooks_lost": self._lost,
            "schema_violations": len(self._fake.violations),
        }


def is_reward(discount: FakeDiscount) -> bool:
    """Whether it is the discount of one reward, for its owner."""
    return any(each.startswith("tenfold-reward-") for each in discount.given.get("tags") or [])


def _landing(codes: Sequence[str], slug: str | None) -> str:
    """The first address of a visit: by a friend's link the one that applies the code."""
    if slug is None:
        return "/"
    return ShopifyAdapter().shop_link("", codes[0], slug) if codes else f"/?ref={slug}"


def _buyer(data: Mapping[str, Any]) -> FakeBuyer:
    given, address = data["customer"], data["shipping_address"]
    return FakeBuyer(
        buyer_number(given),
        given["email"],
        given["first_name"],
        given["last_name"],
        given["country"],
        given["locale"],
        given["phone"],
        {"address1": address["line1"], "zip": address["postal_code"]},
        given["email_consent"],
        given["sms_consent"],
    )
