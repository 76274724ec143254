"""Pings, and deliveries whose content must be fetched, with a platform for tests alone."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from fastapi import FastAPI
from httpx2 import ASGITransport, AsyncClient
from sqlalchemy import select, text

from app.base import due
from app.base.actor import cli_actor
from app.base.errors import Outcome, OutsideError
from app.base.web.problems import install_problems
from app.ingest import fetch, process
from app.ingest.erase import PersonToErase, erase_people
from app.ingest.fetch import NOT_CONNECTED, TOO_LARGE
from app.ingest.fetch_store import LEASE
from app.ingest.models import Delivery, DeliveryFetch
from app.ingest.parse import FETCHED_IN_VAIN
from app.ingest.routes import make_router
from app.ingest.rules import MAX_FETCH_ATTEMPTS, DeliveryStatus, fetch_delay
from app.ingest.store import NewDelivery, replay, store_deliveries
from app.orders.models import Order
from app.platforms import registry
from app.platforms.connection_types import Connection
from app.platforms.connections import save_connection
from tests.support.constants import NOW, SECRET
from tests.support.fake_platform import NAME, FakePlatform

CONNECTION = Connection("acme", {"access_token": "t"})
MINUTE = timedelta(minutes=1)


@pytest.fixture
def platform(monkeypatch) -> FakePlatform:
    fake = FakePlatform()
    monkeypatch.setitem(registry.PLATFORMS, NAME, fake)
    monkeypatch.setitem(registry.PARSERS, NAME, fake)
    return fake


@pytest.fixture
async def shop(context, shop):
    """A shop of this platform, since it has the endpoint of no other."""
    async with context.sessions.begin() as session:
        # The fake is no `Platform`, so the column's type would refuse it.
        await session.execute(
            text("UPDATE shops SET platform = :name WHERE id = :id"), {"name": NAME, "id": shop.id}
        )
    return shop


@pytest.fixture
async def connected(context, shop) -> None:
    async with context.sessions.begin() as session:
        await save_connection(
            session,
            context.tokens,
            shop.brand_id,
            shop.id,
            CONNECTION,
            now=NOW,
            actor=cli_actor(shop.brand_id),
        )


@pytest.fixture
async def client(context, platform) -> AsyncIterator[AsyncClient]:
    app = FastAPI()
    app.state.context = context
    app.include_router(make_router([NAME]))
    install_problems(app)
    async with AsyncClient(transport=ASGITransport(app=app), base_url="http://test") as client:
        yield client


def paid(order_id: str) -> bytes:
    data = {
        "id": order_id,
        "currency": "EUR",
        "total": "80.00",
        "customer": {"email": f"person{order_id}@example.com"},
    }
    return json.dumps({"type": "order.paid", "timestamp": NOW.isoformat(), "data": data}).encode()


async def deliver(context, shop, body: bytes, source: str = NAME, external_id: str | None = None) -> None:
    async with context.sessions.begin() as session:
        name = external_id or body.decode()[:40]
        delivery = NewDelivery(shop.brand_id, shop.id, source, "order", name, body, NOW)
        await store_deliveries(session, [delivery])


async def run(context, now=NOW) -> None:
    await due.run_until_idle([process.sweep(context), fetch.sweep(context)], now)


async def only_delivery(context) -> Delivery:
    async with context.sessions() as session:
        return (await session.scalars(select(Delivery).where(Delivery.source == NAME))).one()


async def only_fetch(context) -> DeliveryFetch:
    async with context.sessions() as session:
        return (await session.scalars(select(DeliveryFetch))).one()


async def orders(context) -> list[str]:
    async with context.sessions() as session:
        return list(await session.scalars(select(Order.external_id).order_by(Order.external_id)))


# Pings


async def test_unsigned_ping_gets_200_and_stores_nothing(client, context, shop):
    response = await client.post(f"/hooks/acme/{NAME}", content=b"webhook_id=7")
    assert (response.status_code, response.json()) == (200, {"received": True})
    async with context.sessions() as session:
        assert await session.scalar(select(Delivery.id)) is None


async def test_unsigned_request_that_is_no_ping_is_refused(client, context, shop):
    assert (await client.post(f"/hooks/acme/{NAME}", content=b"orders/1")).status_code == 401
    headers = {"signature": "wrong", "delivery-id": "d1"}
    response = await client.post(f"/hooks/acme/{NAME}", content=b"webhook_id=7", headers=headers)
    assert response.status_code == 401
    async with context.sessions() as session:
        assert await session.scalar(select(Delivery.id)) is None


async def test_ping_of_an_unknown_shop_is_404(client, shop):
    assert (await client.post(f"/hooks/nobody/{NAME}", content=b"webhook_id=7")).status_code == 404


# Fetches


async def test_delivery_is_fetched_with_the_shops_connection_and_processed(
    client, context, shop, platform, connected
):
    platform.contents["orders/1"] = paid("1")
    headers = {"signature": SECRET, "delivery-id": "d1"}
    response = await client.post(f"/hooks/acme/{NAME}", content=b"orders/1", headers=headers)
    assert response.status_code == 200
    await run(context)
    delivery = await only_delivery(context)
    assert (delivery.status, delivery.reason, delivery.body) == (DeliveryStatus.processed, None, b"orders/1")
    assert await orders(context) == ["1"]
    assert platform.calls == [("orders/1", CONNECTION)]
    fetched = await only_fetch(context)
    assert (fetched.body, fetched.due_at, fetched.attempts) == (paid("1"), None, 1)


async def test_fetch_holds_up_no_other_delivery_and_no_transaction(context, shop, platform, connected):
    platform.contents["orders/1"] = paid("1")
    platform.released.clear()
    await deliver(context, shop, b"orders/1")
    await deliver(context, shop, paid("2"), "checkout")
    await due.sweep_once(process.sweep(context), NOW)
    assert (await only_delivery(context)).status is DeliveryStatus.fetching
    assert await orders(context) == ["2"]
    fetching = asyncio.create_task(due.sweep_once(fetch.sweep(context), NOW))
    await platform.begun.get()
    async with context.sessions() as session:
        open_ones = await session.scalar(
            text(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
                " AND state LIKE 'idle in transaction%' AND pid <> pg_backend_pid()"
            )
        )
    assert open_ones == 0
    await deliver(context, shop, paid("3"), "checkout", "d3")
    await due.sweep_once(process.sweep(context), NOW)
    assert await orders(context) == ["2", "3"]
    platform.released.set()
    await fetching
    await run(context)
    assert await orders(context) == ["1", "2", "3"]


async def test_failed_fetch_is_retried_after_its_delay(context, shop, platform, connected):
    platform.contents["orders/1"] = OutsideError(Outcome.unknown, "the provider did not answer in time")
    await deliver(context, shop, b"orders/1")
    await run(context)
    delivery = await only_delivery(context)
    assert (delivery.status, delivery.reason) == (
        DeliveryStatus.fetching,
        "the provider did not answer in time",
    )
    assert (await only_fetch(context)).due_at == NOW + MINUTE
    platform.contents["orders/1"] = paid("1")
    await run(context, NOW + timedelta(seconds=59))
    assert len(platform.calls) == 1
    await run(context, NOW + MINUTE)
    delivery = await only_delivery(context)
    assert (delivery.status, delivery.reason) == (DeliveryStatus.processed, None)
    assert await orders(context) == ["1"]


async def test_retry_waits_as_long_as_the_platform_asks(context, shop, platform, connected):
    platform.contents["orders/1"] = OutsideError(Outcome.refused, "too many calls", retry_after=900)
    await deliver(context, shop, b"orders/1")
    await run(context)
    assert (await only_fetch(context)).due_at == NOW + timedelta(seconds=900)


async def test_fetch_is_given_up_in_the_end_and_a_replay_starts_anew(context, shop, platform, connected):
    platform.contents["orders/1"] = RuntimeError("person@example.com")
    await deliver(context, shop, b"orders/1")
    now = NOW
    for _ in range(MAX_FETCH_ATTEMPTS + 3):
        await run(context, now)
        now += timedelta(hours=6)
    delivery = await only_delivery(context)
    assert (delivery.status, delivery.reason) == (DeliveryStatus.failed, "The fetch broke (RuntimeError).")
    assert delivery.processed_at is not None
    assert len(platform.calls) == MAX_FETCH_ATTEMPTS
    platform.contents["orders/1"] = paid("1")
    async with context.sessions.begin() as session:
        await replay(session, shop.brand_id, delivery.id, actor=cli_actor(shop.brand_id))
    await run(context, now)
    assert (await only_delivery(context)).status is DeliveryStatus.processed
    assert (await only_fetch(context)).attempts == 1
    assert await orders(context) == ["1"]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (OutsideError(Outcome.refused, "no such order", permanent=True), "no such order"),
        (b"x" * (8 * 1024 * 1024 + 1), TOO_LARGE),
        (b"again", FETCHED_IN_VAIN),
        (b"{", "The body is no JSON that can be read."),
    ],
)
async def test_content_that_cannot_be_used_fails_at_once_and_a_replay_fetches_it_anew(
    context, shop, platform, connected, content, reason
):
    platform.contents["orders/1"] = content
    await deliver(context, shop, b"orders/1")
    await run(context)
    delivery = await only_delivery(context)
    assert (delivery.status, delivery.reason) == (DeliveryStatus.failed, reason)
    assert (await only_fetch(context)).due_at is None
    assert len(platform.calls) == 1
    platform.contents["orders/1"] = paid("1")
    async with context.sessions.begin() as session:
        await replay(session, shop.brand_id, delivery.id, actor=cli_actor(shop.brand_id))
    await run(context)
    assert (await only_delivery(context)).status is DeliveryStatus.processed


async def test_shop_without_a_connection_fails_with_a_reason(context, shop, platform):
    await deliver(context, shop, b"orders/1")
    await run(context)
    delivery = await only_delivery(context)
    assert (delivery.status, delivery.reason) == (DeliveryStatus.failed, NOT_CONNECTED)
    assert platform.calls == []


async def test_two_workers_fetch_each_delivery_once(context, shop, platform, connected):
    for number in range(30):
        platform.contents[f"orders/{number}"] = paid(str(number))
        await deliver(context, shop, f"orders/{number}".encode())
    await due.sweep_once(process.sweep(context), NOW)
    await asyncio.gather(*(due.sweep_once(fetch.sweep(context), NOW) for _ in range(4)))
    await run(context)
    assert len(platform.calls) == 30
    assert len(await orders(context)) == 30


async def test_attempt_that_outlived_its_lease_changes_nothing(context, shop, platform, connected):
    platform.contents["orders/1"] = OutsideError(Outcome.refused, "no such order", permanent=True)
    platform.released.clear()
    await deliver(context, shop, b"orders/1")
    await due.sweep_once(process.sweep(context), NOW)
    slow = asyncio.create_task(fetch.fetch_due(context, shop.brand_id, now=NOW))
    await platform.begun.get()
    assert await fetch.fetch_due(context, shop.brand_id, now=NOW) == 0
    newer = asyncio.create_task(fetch.fetch_due(context, shop.brand_id, now=NOW + LEASE))
    await platform.begun.get()
    async with context.sessions.begin() as session:
        await session.execute(text("UPDATE delivery_fetches SET attempts = attempts + 1"))
    platform.released.set()
    await asyncio.gather(slow, newer)
    assert (await only_delivery(context)).status is DeliveryStatus.fetching
    assert (await only_fetch(context)).due_at == NOW + 2 * LEASE


async def test_fetched_content_of_an_erased_person_is_emptied(context, brand, shop, platform, connected):
    for number in ("1", "2"):
        platform.contents[f"orders/{number}"] = paid(number)
        await deliver(context, shop, f"orders/{number}".encode())
    await run(context)
    async with context.sessions.begin() as session:
        customer_id = await session.scalar(select(Order.customer_id).where(Order.external_id == "1"))
        await erase_people(
            session,
            context.tokens,
            brand,
            {shop.id: shop},
            [PersonToErase(frozenset({customer_id}))],
            actor=cli_actor(brand.id),
            now=NOW,
        )
    async with context.sessions() as session:
        found = await session.execute(select(DeliveryFetch.resource, DeliveryFetch.body))
        assert {row.resource: row.body for row in found} == {"orders/1": b"", "orders/2": paid("2")}


@pytest.mark.parametrize(
    ("attempts", "retry_after", "delay"),
    [
        (1, None, MINUTE),
        (2, None, 2 * MINUTE),
        (3, 10, 4 * MINUTE),
        (1, 90, timedelta(seconds=90)),
        (9, None, 256 * MINUTE),
        (10, None, timedelta(hours=6)),
        (1000, None, timedelta(hours=6)),
    ],
)
def test_delay_doubles_up_to_six_hours(attempts, retry_after, delay):
    assert fetch_delay(attempts, retry_after) == delay
