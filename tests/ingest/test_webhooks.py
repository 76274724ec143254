import asyncio
import base64
import hmac
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from fastapi import FastAPI
from httpx2 import ASGITransport, AsyncClient
from sqlalchemy import select, text, update
from standardwebhooks import Webhook

from app.base import clock
from app.base.actor import cli_actor
from app.base.context import AppContext
from app.base.db import WEB, make_engine, make_sessions
from app.base.errors import AppError, NotFound
from app.base.tokens import new_webhook_secret
from app.base.web.middleware import RequestMiddleware
from app.base.web.problems import install_problems
from app.brands.add import add_brand, add_shop
from app.brands.models import Shop
from app.brands.rules import Platform
from app.ingest import inbox as inbox_module
from app.ingest.inbox import Inbox, Unavailable
from app.ingest.models import Delivery
from app.ingest.routes import router
from app.ingest.rules import DeliveryStatus
from app.ingest.store import NewDelivery, replay, store_deliveries
from tests.support.constants import NOW, SECRET

RAW = b'{"type":"order.paid","data":{"id":"1","currency":"EUR","total":"1.00"}}'


@pytest.fixture
def app(context) -> FastAPI:
    app = FastAPI()
    app.state.context = context
    app.add_middleware(RequestMiddleware)
    app.include_router(router)
    install_problems(app)
    return app


@pytest.fixture
async def client(app: FastAPI) -> AsyncIterator[AsyncClient]:
    async with AsyncClient(transport=ASGITransport(app=app), base_url="http://test") as client:
        yield client


def signed(raw: bytes, message_id: str = "msg_1", secret: str = SECRET) -> dict[str, str]:
    at = datetime.now(UTC)
    key = base64.b64decode(secret.removeprefix("whsec_"))
    content = f"{message_id}.{int(at.timestamp())}.".encode() + raw
    signature = "v1," + base64.b64encode(hmac.digest(key, content, "sha256")).decode()
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": signature,
    }


async def post(
    client: AsyncClient,
    raw: bytes = RAW,
    message_id: str = "msg_1",
    *,
    shop: str = "acme",
    secret: str = SECRET,
):
    return await client.post(f"/hooks/{shop}/checkout", content=raw, headers=signed(raw, message_id, secret))


async def stored(context) -> list[Delivery]:
    async with context.sessions() as session:
        return list(await session.scalars(select(Delivery).order_by(Delivery.sequence)))


async def wake_ups(context) -> int:
    async with context.sessions() as session:
        return await session.scalar(text("SELECT count(*) FROM pgqueuer WHERE entrypoint = 'ingest'"))


async def test_signed_delivery_is_stored_raw_and_wakes_the_sweep(client, context, shop):
    response = await post(client)
    assert (response.status_code, response.json()) == (200, {"received": True})
    (delivery,) = await stored(context)
    assert (delivery.body, delivery.topic, delivery.external_id, delivery.source, delivery.status) == (
        RAW,
        "order.paid",
        "msg_1",
        "checkout",
        DeliveryStatus.new,
    )
    assert (delivery.brand_id, delivery.shop_id) == (shop.brand_id, shop.id)
    assert await wake_ups(context) == 1


async def test_signature_in_these_tests_is_the_one_of_the_library(client, shop):
    headers = signed(RAW)
    at = datetime.fromtimestamp(int(headers["webhook-timestamp"]), UTC)
    assert headers["webhook-signature"] == Webhook(SECRET).sign("msg_1", at, RAW.decode())


async def test_repeated_delivery_is_acknowledged_and_stored_once(client, context, shop):
    responses = await asyncio.gather(*(post(client) for _ in range(20)))
    assert {response.status_code for response in responses} == {200}
    assert len(await stored(context)) == 1


@pytest.mark.parametrize(
    "changed",
    [
        {"webhook-signature": "v1,AAAA"},
        {"webhook-signature": ""},
        {"webhook-id": "other"},
        {"webhook-timestamp": "1"},
    ],
)
async def test_wrong_signature_is_refused_and_nothing_is_stored(client, context, shop, changed):
    response = await client.post("/hooks/acme/checkout", content=RAW, headers=signed(RAW) | changed)
    assert (response.status_code, response.json()["code"]) == (401, "bad_signature")
    assert (await client.post("/hooks/acme/checkout", content=RAW)).status_code == 401
    assert await stored(context) == []


async def test_secret_of_another_shop_is_refused(client, context, brand, shop):
    async with context.sessions.begin() as session:
        _, other = await add_shop(
            session, context.tokens, brand, "other", name="Other", actor=cli_actor(brand.id)
        )
    assert (await post(client, secret=other)).status_code == 401
    assert (await post(client, secret=other, shop="other")).status_code == 200


@pytest.mark.parametrize("slug", ["nobody", "Acme", "a" * 500, "ac%ed%a0%80me"])
async def test_unknown_shop_is_404(client, shop, slug):
    response = await client.post(f"/hooks/{slug}/checkout", content=RAW, headers=signed(RAW))
    assert response.status_code == 404


async def test_body_over_the_limit_gets_413(client, context, shop):
    for size, status in (
        (1024 * 1024, 200),
        (1024 * 1024 + 1, 413),
        (2 * 1024 * 1024, 413),
        (9 * 1024 * 1024, 413),
    ):
        raw = b'"' + b"x" * (size - 2) + b'"'
        assert (await post(client, raw, f"msg_{size}")).status_code == status
    assert len(await stored(context)) == 1


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{",
        b"\xff\x00",
        b"[" * 50_000,
        b'{"type":"\\ud800"}',
        b'{"type":"a\\u0000"}',
        b'{"type":NaN}',
        "{'type':'🎉'}".encode(),
    ],
)
async def test_unparseable_body_is_stored_too(client, context, shop, raw):
    assert (await post(client, raw)).status_code == 200
    (delivery,) = await stored(context)
    assert (delivery.body, delivery.topic) == (raw, "unreadable")


async def test_unusual_delivery_id_is_stored(client, context, shop):
    for message_id in ("m" * 3000, "a.b", "a b"):
        assert (await post(client, message_id=message_id)).status_code == 200
    assert len(await stored(context)) == 3


async def test_shopify_has_its_own_endpoint(client, context, shop):
    async with context.sessions.begin() as session:
        await session.execute(update(Shop).values(platform=Platform.shopify))
    raw = b'{"id":1}'
    signature = base64.b64encode(hmac.digest(SECRET.encode(), raw, "sha256")).decode()
    for prefix in ("X-", ""):
        headers = {
            f"{prefix}Shopify-Hmac-Sha256": signature,
            f"{prefix}Shopify-Topic": "carts/update",
            f"{prefix}Shopify-Webhook-Id": f"w{prefix}",
        }
        response = await client.post("/hooks/acme/shopify", content=raw, headers=headers)
        assert (response.status_code, response.json()) == (200, {"received": True})
    assert [(delivery.source, delivery.topic) for delivery in await stored(context)] == [
        ("shopify", "carts/update")
    ] * 2


async def test_a_shop_has_the_endpoints_of_its_platform_and_of_a_checkout_alone(client, context, shop):
    refused = await client.post("/hooks/acme/shopify", content=RAW)
    assert (refused.status_code, refused.json()["code"]) == (404, "unknown_shop")
    assert (await post(client)).status_code == 200
    assert len(await stored(context)) == 1


async def test_deliveries_that_arrive_together_are_committed_together(client, context, shop):
    await post(client)
    responses = await asyncio.gather(*(post(client, message_id=f"m{n}") for n in range(300)))
    assert {response.status_code for response in responses} == {200}
    assert len(await stored(context)) == 301
    assert await wake_ups(context) < 100


async def test_failing_commit_gets_503_and_stores_nothing(client, context, shop):
    await post(client)
    async with context.sessions.begin() as session:
        await session.execute(text("ALTER TABLE deliveries RENAME TO gone"))
    response = await post(client, message_id="m2")
    assert (response.status_code, response.json()["code"]) == (503, "unavailable")
    assert int(response.headers["Retry-After"]) > 0
    async with context.sessions.begin() as session:
        await session.execute(text("ALTER TABLE gone RENAME TO deliveries"))
    assert (await post(client, message_id="m2")).status_code == 200
    assert len(await stored(context)) == 2


async def test_hanging_database_gets_503(client, context, shop, monkeypatch):
    await post(client)
    monkeypatch.setattr(inbox_module, "COMMIT_SECONDS", 0.3)
    async with context.sessions.begin() as session:
        await session.execute(text("LOCK TABLE deliveries IN ACCESS EXCLUSIVE MODE"))
        assert (await post(client, message_id="m2")).status_code == 503
    assert (await post(client, message_id="m2")).status_code == 200


async def test_lost_database_gets_503_until_it_is_back(client, context, shop):
    await post(client)
    async with context.sessions.begin() as session:
        await session.execute(
            text(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        )
    responses = [await post(client, message_id=f"m{n}") for n in range(3)]
    assert {response.status_code for response in responses} <= {200, 503}
    assert responses[-1].status_code == 200


async def test_full_inbox_gets_503(client, context, shop, monkeypatch):
    monkeypatch.setattr(inbox_module, "WAITING_ROWS", 2)
    responses = await asyncio.gather(*(post(client, message_id=f"m{n}") for n in range(40)))
    statuses = [response.status_code for response in responses]
    assert set(statuses) == {200, 503}
    assert len(await stored(context)) == statuses.count(200)


BREAK = """
    CREATE FUNCTION break() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF NEW.brand_id = {brand} THEN {what}; END IF;
        RETURN NEW;
    END $$;
"""
ON_DELIVERIES = "CREATE TRIGGER break BEFORE INSERT ON deliveries FOR EACH ROW EXECUTE FUNCTION break()"
REFUSED = "RAISE EXCEPTION 'refused' USING ERRCODE = '23514'"


async def test_delivery_that_cannot_be_stored_fails_alone(context, shop):
    inbox = Inbox(context)
    async with context.sessions.begin() as session:
        await session.execute(text(BREAK.format(brand=999, what=REFUSED)))
        await session.execute(text(ON_DELIVERIES))

    def named(name: str, brand_id: int) -> NewDelivery:
        return NewDelivery(brand_id, shop.id, "checkout", "order.paid", name, RAW, NOW)

    outcomes = await asyncio.gather(
        inbox.store(named("a", shop.brand_id)),
        inbox.store(named("b", 999)),
        inbox.store(named("c", shop.brand_id)),
        return_exceptions=True,
    )
    assert [type(outcome).__name__ for outcome in outcomes] == ["NoneType", "Unavailable", "NoneType"]
    assert {delivery.external_id for delivery in await stored(context)} == {"a", "c"}


async def test_exchanged_secret_is_in_force_within_a_second(client, context, shop, monkeypatch):
    assert (await post(client)).status_code == 200
    fresh = new_webhook_secret()
    async with context.sessions.begin() as session:
        await session.execute(
            update(Shop)
            .where(Shop.id == shop.id)
            .values(sealed_secrets=[context.tokens.seal(fresh), context.tokens.seal(SECRET)])
        )
    monkeypatch.setattr("app.ingest.verify.SECRETS_RECHECK_SECONDS", 0.0)
    assert (await post(client, message_id="m2", secret=fresh)).status_code == 200
    assert (await post(client, message_id="m3")).status_code == 200
    assert (await post(client, message_id="m4", secret=new_webhook_secret())).status_code == 401


async def test_two_processes_with_the_same_deliveries_do_not_deadlock(context, shop):
    def group(names):
        return [NewDelivery(shop.brand_id, shop.id, "checkout", "t", name, RAW, NOW) for name in names]

    async def keep(names) -> None:
        async with context.sessions.begin() as session:
            await store_deliveries(session, group(names))

    names = [f"n{number}" for number in range(200)]
    for turn in range(5):
        here = [f"{turn}{name}" for name in names]
        await asyncio.gather(keep(here), keep(here[::-1]), keep(here[100:] + here[:100]))
    assert len(await stored(context)) == 1000


# Replay


async def test_only_failed_and_ignored_deliveries_are_replayed(client, context, shop):
    await post(client)
    (delivery,) = await stored(context)
    for status, possible in (
        (DeliveryStatus.failed, True),
        (DeliveryStatus.ignored, True),
        (DeliveryStatus.processed, False),
        (DeliveryStatus.new, False),
    ):
        async with context.sessions.begin() as session:
            await session.execute(update(Delivery).values(status=status, reason="why"))
        if possible:
            async with context.sessions.begin() as session:
                await replay(session, shop.brand_id, delivery.id, actor=cli_actor(shop.brand_id))
            (replayed,) = await stored(context)
            assert (replayed.status, replayed.reason) == (DeliveryStatus.new, None)
        else:
            async with context.sessions() as session:
                with pytest.raises(AppError, match="can be replayed"):
                    await replay(session, shop.brand_id, delivery.id, actor=cli_actor(shop.brand_id))
    async with context.sessions() as session:
        for brand_id, event_id in ((shop.brand_id + 1, delivery.id), (shop.brand_id, shop.id)):
            with pytest.raises(NotFound):
                await replay(session, brand_id, event_id, actor=cli_actor(brand_id))
    assert await wake_ups(context) == 3
    assert clock.now() > delivery.received_at


@pytest.fixture
async def impatient(context) -> AsyncIterator[AppContext]:
    """The context with connections that wait a second for a lock."""
    engine = make_engine(context.database_url, pool_size=4, limits=replace(WEB, lock=1))
    yield replace(context, engine=engine, sessions=make_sessions(engine))
    await engine.dispose()


async def test_a_locked_row_of_a_brand_holds_up_no_other_brand(impatient, context, brand, shop):
    async with context.sessions.begin() as session:
        other = await add_brand(session, "other", name="Other")
        free, _ = await add_shop(
            session, context.tokens, other, "other", name="Other", actor=cli_actor(other.id)
        )
    inbox = Inbox(impatient)

    async def store(where: Shop, name: str) -> tuple[str, float]:
        began = clock.monotonic()
        try:
            await inbox.store(NewDelivery(where.brand_id, where.id, "checkout", "order.paid", name, RAW, NOW))
        except Unavailable:
            return "unavailable", clock.monotonic() - began
        return "stored", clock.monotonic() - began

    async with context.sessions() as session:
        # What another process stores at this moment: the same delivery waits for its end.
        for name in ("0", "held"):
            present = NewDelivery(shop.brand_id, shop.id, "checkout", "order.paid", name, RAW, NOW)
            await store_deliveries(session, [present])
        first = await asyncio.gather(*(store(each, f"{n}") for n in range(5) for each in (shop, free)))
        assert [outcome for outcome, _ in first] == ["unavailable", "stored"] * 5
        held = asyncio.create_task(store(shop, "held"))
        later = [await store(free, f"later {n}") for n in range(10)]
        assert {outcome for outcome, _ in later} == {"stored"}
        assert max(seconds for _, seconds in later) < 0.5, "only the first group waited for the lock"
        assert (await held)[0] == "unavailable"
    assert (await store(shop, "held"))[0] == "stored"
    assert len(await stored(context)) == 16


# As a coordinator reports that a brand's machine is away, or as it waits for one that is silent.
AWAY = "RAISE EXCEPTION 'connection to the remote node failed' USING ERRCODE = '08006'"
SILENT = "PERFORM pg_sleep(60)"


@pytest.mark.parametrize("what", [AWAY, pytest.param(SILENT, marks=pytest.mark.slow)], ids=["away", "silent"])
async def test_a_brand_that_cannot_be_stored_costs_no_other_brand(context, brand, shop, monkeypatch, what):
    monkeypatch.setattr(inbox_module, "COMMIT_SECONDS", 1.0)
    monkeypatch.setattr(inbox_module, "APART_COMMIT_SECONDS", 1.0)
    shops = [shop]
    async with context.sessions.begin() as session:
        for name in ("one", "two"):
            owner = await add_brand(session, name, name=name)
            actor = cli_actor(owner.id)
            shops.append((await add_shop(session, context.tokens, owner, name, name=name, actor=actor))[0])
        await session.execute(text(BREAK.format(brand=shop.brand_id, what=what)))
        await session.execute(text(ON_DELIVERIES))
    inbox = Inbox(context)

    async def store(where: Shop, name: str) -> bool:
        try:
            await inbox.store(NewDelivery(where.brand_id, where.id, "checkout", "order.paid", name, RAW, NOW))
        except Unavailable:
            return False
        return True

    first = await asyncio.gather(*(store(each, f"{n}") for n in range(3) for each in shops))
    assert first == [False, True, True] * 3
    assert {each.brand_id for each in await stored(context)} == {each.brand_id for each in shops[1:]}
    # From now on no other brand waits for it.
    broken = asyncio.create_task(store(shop, "again"))
    began = clock.monotonic()
    assert await asyncio.gather(*(store(each, "later") for each in shops[1:])) == [True, True]
    assert clock.monotonic() - began < 0.8
    assert not await broken
    async with context.sessions.begin() as session:
        await session.execute(text("DROP TRIGGER break ON deliveries"))
    assert await asyncio.gather(*(store(each, "all") for each in shops)) == [True] * 3
    assert len(await stored(context)) == 6 + 2 + 3
