"""A shop at the fake of WooCommerce and the whole application: pinged, delivering, refunding,
mended."""

import json
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

import pytest
from aiohttp import web
from sqlalchemy import select

from app.base.actor import cli_actor
from app.base.context import AppContext
from app.base.due import run_until_idle
from app.base.http import open_session
from app.brands.models import Shop
from app.brands.rules import Platform
from app.demo.fakes.woocommerce.coupons import CartRefusal, delete_coupon, show_coupon
from app.demo.fakes.woocommerce.orders import FakeBuyer, change_order, place_order, refund_order
from app.demo.fakes.woocommerce.schema import violations
from app.demo.fakes.woocommerce.server import FakeWooCommerce
from app.demo.fakes.woocommerce.state import FakeShop
from app.ingest.fetch import OPTIONAL_ATTEMPTS
from app.ingest.models import Delivery
from app.ingest.rules import DeliveryStatus
from app.ingest.sync import sync_now
from app.ingest.sync_rows import claim_now
from app.messaging.models import Message
from app.orders.models import Order
from app.platforms.check import check_shop
from app.platforms.connect import connect_shop, try_connection
from app.platforms.connection_types import ConnectionReport
from app.platforms.woocommerce.fetch import fetch_resource
from app.platforms.woocommerce.webhooks import TOPICS
from app.referrals.disable import disable_code
from app.referrals.models import Redemption
from app.referrals.publishing import pool
from app.referrals.publishing.models import CodePublication
from app.referrals.rules import PublicationState, RedemptionStatus
from app.referrals.templates import OFFER
from app.wiring import Parts
from app.worker import sweeps_of
from tests.support.apps import whole_app
from tests.support.constants import NOW
from tests.support.factories.referrals import make_referrer
from tests.support.factories.shops import calling_fakes, make_shop
from tests.support.fake_woocommerce import connection_of
from tests.support.served import served


async def orders(context: AppContext) -> dict[str, tuple[int, int]]:
    """What was refunded of each order, and the part for shipping."""
    async with context.sessions() as session:
        rows = await session.execute(select(Order.external_id, Order.refunded, Order.refunded_shipping))
        return {row.external_id: (row.refunded, row.refunded_shipping) for row in rows}


async def statuses(context: AppContext) -> set[DeliveryStatus]:
    async with context.sessions() as session:
        return set(await session.scalars(select(Delivery.status)))


@dataclass(frozen=True)
class Woo:
    """The application, which is served, and the shop at both ends."""

    context: AppContext
    shop: Shop
    fake: FakeWooCommerce
    remote: FakeShop
    server: AsyncExitStack
    """Ends the application."""

    async def run(self, after: timedelta = timedelta()) -> None:
        """All that workers have to do, so long after `NOW`."""
        await run_until_idle(sweeps_of(Parts(self.context, {})), NOW + after)

    async def check(self) -> ConnectionReport:
        return await check_shop(self.context, self.shop.brand_id, self.shop.id, now=NOW)


@pytest.fixture
async def woo(context: AppContext, brand, monkeypatch) -> AsyncIterator[Woo]:
    """A shop that was connected, and whose webhooks are registered; its pool is small."""
    monkeypatch.setattr(pool, "POOL_SIZE", 3)
    monkeypatch.setattr(pool, "REFILLED_BELOW", 2)
    shop = await make_shop(
        context,
        brand,
        Platform.woocommerce,
        webhook_secret="a shop's &quot;own&quot; secret",
        platform_settings={"consent_meta_key": "_newsletter"},
    )
    remote = FakeShop("fern", url="https://fern.example")
    async with FakeWooCommerce(remote) as fake, AsyncExitStack() as server:
        address = await server.enter_async_context(served(whole_app(context)))
        context = calling_fakes(context, public_url=address)
        given = connection_of(fake, remote)
        connection = await try_connection(context.settings, shop, given.account, given.credentials)
        async with context.sessions.begin() as session:
            actor = cli_actor(brand.id)
            await connect_shop(session, context.tokens, shop, connection, actor=actor, now=NOW)
        woo = Woo(context, shop, fake, remote, server)
        assert (await woo.check()).problems == ()
        assert remote.pings == [200] * len(TOPICS)
        yield woo
        assert fake.violations == []


async def redemption(context: AppContext) -> tuple[RedemptionStatus, str | None]:
    async with context.sessions() as session:
        row = (await session.execute(select(Redemption.status, Redemption.reason))).one()
        return row.status, row.reason


async def test_a_code_works_in_the_shop_until_a_refund_undoes_what_it_earned(woo, brand):
    code = await make_referrer(woo.context, brand, woo.shop, email="ana@example.com")
    assert woo.remote.coupons == {}
    await woo.run()
    coupon = woo.remote.find_coupon(code.display)
    assert coupon is not None
    assert violations("coupon", show_coupon(woo.remote, coupon)) == []

    dropped, changed, *_ = (each for each in list(woo.remote.coupons.values()) if each is not coupon)
    delete_coupon(woo.remote, dropped.id, force=True)
    changed.amount, coupon.amount = Decimal(90), Decimal(50)
    await woo.run(timedelta(days=2))
    assert woo.remote.find_coupon(dropped.code) is not None
    assert changed.amount == coupon.amount == Decimal(10)

    order = place_order(woo.remote, FakeBuyer("ben@example.com"), Decimal(80), codes=[code.display], at=NOW)
    assert await woo.fake.deliver(woo.remote, "order.created", order, times=2) == 1
    await woo.run()
    assert await redemption(woo.context) == (RedemptionStatus.pending, None)
    await woo.run(timedelta(days=60))
    assert await redemption(woo.context) == (RedemptionStatus.approved, None)

    refund_order(woo.remote, order["id"], Decimal(order["total"]), at=NOW)
    refunded = change_order(woo.remote, order["id"], "refunded", at=NOW)
    assert await woo.fake.deliver(woo.remote, "order.updated", refunded) == 1
    await woo.run(timedelta(days=60))
    assert (await redemption(woo.context))[0] is RedemptionStatus.reversed

    async with woo.context.sessions.begin() as session:
        await disable_code(session, brand, code.display, actor=cli_actor(brand.id), now=NOW)
    await woo.run(timedelta(days=60))
    with pytest.raises(CartRefusal, match="does not exist"):
        place_order(woo.remote, FakeBuyer("cleo@example.com"), Decimal(80), codes=[code.display], at=NOW)
    pooled = len(woo.remote.coupons)
    assert pooled > 0
    await woo.run(timedelta(days=300))
    assert coupon.id not in woo.remote.coupons
    assert len(woo.remote.coupons) == pooled, "expired ones of the pool were exchanged"
    assert violations("coupon", show_coupon(woo.remote, next(iter(woo.remote.coupons.values())))) == []


async def live_codes(context: AppContext) -> Counter[str]:
    async with context.sessions() as session:
        live = select(CodePublication.code).where(CodePublication.state == PublicationState.live)
        return Counter(code.lower() for code in await session.scalars(live))


class BreaksOff:
    """The request about coupons with this number gets no response, done by the shop or not."""

    def __init__(self, fake: FakeWooCommerce, number: int, *, is_done: bool) -> None:
        self._fake, self._left, self._is_done = fake, number, is_done

    @property
    def was_reached(self) -> bool:
        """Whether there were that many."""
        return self._left < 0

    async def __call__(self, request: web.Request) -> web.StreamResponse | None:
        if "/coupons" not in request.path:
            return None
        self._left -= 1
        if not self.was_reached or self._left < -1:
            return None
        if self._is_done:
            self._fake.intercept = None
            await self._fake._respond(request)
        return web.Response(status=504)


@pytest.mark.slow
async def test_wherever_a_call_about_codes_breaks_off_the_shop_has_what_counts_once(woo, brand):
    await woo.run()
    days = 0
    for number in range(5):
        for is_done in (True, False):
            for place in range(3):
                email = f"p{number}{is_done}{place}@example.com"
                await make_referrer(woo.context, brand, woo.shop, email=email)
            changed = woo.remote.find_coupon(next(iter(await live_codes(woo.context))))
            assert changed is not None
            changed.amount = Decimal(1)
            woo.fake.intercept = broken = BreaksOff(woo.fake, number, is_done=is_done)
            for hours in (0, 1, 24, 25):
                await woo.run(timedelta(days=days, hours=hours))
            assert broken.was_reached, number
            woo.fake.intercept = None
            days += 3
            await woo.run(timedelta(days=days))
            there = Counter(each.code for each in woo.remote.coupons.values())
            assert there == await live_codes(woo.context), (number, is_done)
            assert set(there.values()) == {1}
            assert {each.amount for each in woo.remote.coupons.values()} == {Decimal(10)}
    async with woo.context.sessions() as session:
        sent = await session.scalars(select(Message.customer_id).where(Message.template == OFFER.name))
        assert set(Counter(sent.all()).values()) == {1}


async def test_a_connected_shop_delivers_refunds_and_is_mended(woo):
    context, fake, remote = woo.context, woo.fake, woo.remote
    bought_at = NOW - timedelta(days=1)
    first, second = (
        place_order(
            remote, FakeBuyer(f"{name}@example.com"), Decimal(80), shipping=Decimal("4.90"), at=bought_at
        )
        for name in ("ana", "ben")
    )
    for order in (first, second):
        assert violations("order", order) == []
        assert await fake.deliver(remote, "order.created", order, times=2) == 1
    await woo.run()
    assert await statuses(context) == {DeliveryStatus.processed}

    # What is asked where a copy of the WordPress has delivered an order.
    async with open_session(connections=1, total_seconds=10, loopback=True) as http:
        for number, shown in ((first["id"], first), (99_999, None)):
            found = await fetch_resource(http, connection_of(fake, remote), f"orders/{number}")
            assert json.loads(found) == {"order": shown}

    refund_order(remote, first["id"], Decimal("14.90"), shipping=Decimal("4.90"), at=NOW)
    assert violations("order_refund", remote.refunds[first["id"]][0]) == []
    assert await fake.deliver(remote, "order.updated", first) == 1
    await woo.run()
    assert (await orders(context))[str(first["id"])] == (1490, 490)

    fake.intercept = out_of_order
    refund_order(remote, second["id"], Decimal("14.90"), shipping=Decimal("4.90"), at=NOW)
    assert await fake.deliver(remote, "order.updated", second) == 1
    await woo.run()
    assert (await orders(context))[str(second["id"])] == (0, 0)
    assert DeliveryStatus.fetching in await statuses(context)
    for minutes in (1, 3, 7, 15)[: OPTIONAL_ATTEMPTS - 1]:
        await woo.run(timedelta(minutes=minutes))
    assert (await orders(context))[str(second["id"])] == (1490, 0)
    assert DeliveryStatus.fetching not in await statuses(context)
    fake.intercept = None

    await woo.server.aclose()
    for _ in range(7):
        assert await fake.deliver(remote, "order.updated", second) == 0
    updated = next(each for each in remote.webhooks.values() if each.topic == "order.updated")
    assert updated.status == "disabled"
    third = place_order(remote, FakeBuyer("cleo@example.com"), Decimal(80), shipping=Decimal("4.90"), at=NOW)
    refund_order(remote, third["id"], Decimal("14.90"), shipping=Decimal("4.90"), at=NOW)
    async with context.sessions.begin() as session:
        claimed, _ = await claim_now(session, woo.shop, since=bought_at, history=False, now=NOW)
    done = await sync_now(context, claimed, now=lambda: NOW)
    assert (done.counts.orders, done.counts.new, done.counts.failed) == (3, 1, 0)
    for order in (first, second, third):
        assert (await orders(context))[str(order["id"])] == (1490, 490), "webhooks and lists say the same"

    report = await woo.check()
    assert (report.webhooks, updated.status) == (TOPICS, "active")
    assert any("Active again: order.updated" in each for each in report.notes)


async def out_of_order(_: web.Request) -> web.StreamResponse:
    return web.Response(status=500)
