"""People's rights over their data: exported whole, asked for by a platform, erased by any name."""

import json
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from httpx2 import AsyncClient
from sqlalchemy import select, update

from app.admin.keys import add_key
from app.admin.models import IdempotencyKey
from app.admin.rules import Scope
from app.base.actor import cli_actor
from app.base.audit import AuditAction, AuditEntry
from app.base.ids import new_id
from app.brands.add import add_shop
from app.brands.models import Shop
from app.brands.rules import Platform
from app.customers.models import Customer, CustomerReference, ErasedIdentity
from app.ingest.erase_sweep import BETWEEN_PASSES
from app.ingest.models import Delivery, Erasure
from app.ingest.store import NewDelivery, store_deliveries
from app.platforms.connection_types import Connection
from app.platforms.connections import save_connection
from app.platforms.models import ShopConnection
from tests.support.constants import NOW
from tests.support.samples import sample
from tests.support.story import Story, an_order, open_story, with_code

DUE = NOW + timedelta(hours=72)
ANA = "ana@example.com"


@pytest.fixture
async def story(context, brand, shop) -> AsyncIterator[Story]:
    async with open_story(context, brand) as story:
        yield story


async def with_scopes(story: Story, *scopes: Scope) -> AsyncClient:
    """A client with a key of these scopes alone."""
    async with story.context.sessions.begin() as session:
        key = await add_key(session, story.brand.id, scopes, actor=cli_actor(story.brand.id))
    story.client.headers["Authorization"] = f"Bearer {key}"
    return story.client


async def from_shopify(context, shop, topic: str, body: dict) -> None:
    raw = json.dumps(body).encode()
    delivery = NewDelivery(shop.brand_id, shop.id, "shopify", topic, new_id().hex, raw, NOW)
    async with context.sessions.begin() as session:
        await store_deliveries(session, [delivery])


async def customer_id(story: Story, email: str) -> str:
    (found,) = [each for each in await story.api("/customers") if each["email"] == email]
    return found["id"]


async def test_an_export_is_whole(story):
    code = await story.promoter(
        an_order(1, NOW - timedelta(days=4), tags=["vip"]), delivered_at=NOW, asked_at=DUE
    )
    friend = with_code(an_order(2, DUE, email="ben@example.com"), code)
    await story.deliver("order.paid", friend)
    await story.deliver("order.delivered", {"order_id": friend["id"], "at": DUE.isoformat()})
    await story.at(DUE + timedelta(days=20))
    (exported,) = (await story.api(f"/customers/{await customer_id(story, ANA)}/export"))["customers"]
    assert exported["email"] == ANA
    assert exported["references"] == [{"shop": "acme", "external_id": f"buyer-{ANA}"}]
    assert [each["tags"] for each in exported["orders"]] == [["vip"]]
    assert [each["score"] for each in exported["responses"]] == [9]
    assert [each["channel"] for each in exported["consents"]] == ["email"]
    assert {each["template"] for each in exported["messages"]} == {"survey", "offer", "reward"}
    assert {each["address"] for each in exported["messages"]} == {ANA}
    (offer,) = [each for each in exported["messages"] if each["template"] == "offer"]
    assert code in offer["text"]
    assert offer["subject"]
    assert offer["attempts"]
    (reward,) = [each for each in exported["messages"] if each["template"] == "reward"]
    share, own = exported["codes"]
    assert share["code"] == code
    assert own["code"] in reward["text"].replace("-", "")
    assert [each["status"] for each in exported["redemptions"]] == ["approved"]
    assert [each["status"] for each in exported["rewards"]] == ["granted"]
    assert {each["account"] for each in exported["ledger"]} >= {"reward_cost", "discount_cost"}
    bodies = [each["content"] for each in exported["deliveries"]]
    assert {body["type"] for body in bodies} == {"order.paid", "order.delivered"}
    assert bodies[0]["data"]["customer"]["email"] == ANA
    assert exported["timeline"]
    (his,) = (await story.api(f"/customers/{await customer_id(story, 'ben@example.com')}/export"))[
        "customers"
    ]
    assert [each["status"] for each in his["redemptions"]] == ["approved"]
    assert {each["account"] for each in his["ledger"]} >= {"discount_cost"}
    assert ANA not in json.dumps(his)


async def test_who_asks_for_their_data_is_listed_and_exported(story, context, shop):
    body = sample("shopify", "customers_data_request")
    person = {"id": "6001001", "email": "mara@example.com"}
    await story.deliver("order.paid", an_order(1, NOW, email=None, customer=person))
    for _ in range(2):
        await from_shopify(context, shop, "customers/data_request", body)
    stranger = body | {"customer": {"id": 9}, "data_request": {"id": 78}}
    await from_shopify(context, shop, "customers/data_request", stranger)
    await story.at(NOW)
    unknown, asked = await story.api("/data-requests", done="false")
    mara = await customer_id(story, "mara@example.com")
    assert (asked["shop"], asked["external_id"], asked["customers"], asked["done_at"]) == (
        "acme",
        "77",
        [mara],
        None,
    )
    assert unknown["customers"] == []
    (exported,) = (await story.api(f"/data-requests/{asked['id']}/export"))["customers"]
    assert (exported["id"], len(exported["orders"])) == (mara, 1)
    assert (await story.api(f"/data-requests/{unknown['id']}/export"))["customers"] == []
    done = await story.post_api(f"/data-requests/{asked['id']}/done", {})
    assert done.json()["done_at"]
    assert [each["id"] for each in await story.api("/data-requests", done="true")] == [asked["id"]]
    async with context.sessions() as session:
        actions = set(await session.scalars(select(AuditEntry.action)))
        assert {AuditAction.data_request_done, AuditAction.exported} <= actions


async def test_a_shop_that_leaves_takes_its_people_along(story, context, brand, shop):
    async with context.sessions.begin() as session:
        other, _ = await add_shop(
            session, context.tokens, brand, "acme-fr", name="Acme FR", actor=cli_actor(brand.id)
        )
    for number, email in ((1, "here@example.com"), (2, "both@example.com")):
        await story.deliver("order.paid", an_order(number, NOW, email=email))
    raw = json.dumps({"type": "order.paid", "data": an_order(3, NOW, email="both@example.com")}).encode()
    async with context.sessions.begin() as session:
        delivery = NewDelivery(brand.id, other.id, "checkout", "t", "d3", raw, NOW)
        await store_deliveries(session, [delivery])
    await from_shopify(context, shop, "shop/redact", sample("shopify", "shop_redact"))
    await story.at(NOW)
    await story.deliver("order.paid", an_order(4, NOW, email="later@example.com"))
    await story.at(NOW + BETWEEN_PASSES)
    async with context.sessions() as session:
        emails = set(await session.scalars(select(Customer.email)))
        assert emails == {None, "both@example.com", "later@example.com"}
        rows = await session.execute(select(Delivery.shop_id, Delivery.body).order_by(Delivery.sequence))
        assert [bool(row.body) for row in rows] == [False, False, True, True, True]
        assert set(await session.scalars(select(CustomerReference.shop_id))) == {other.id, shop.id}
        ids = set(await session.scalars(select(CustomerReference.external_id)))
        assert ids == {"buyer-both@example.com", "buyer-later@example.com"}


async def test_a_shop_that_is_another_or_is_back_takes_nobody_along_when_it_leaves(
    story, context, brand, shop
):
    """An app has one address for the end of each shop that it is installed in."""
    async with context.sessions.begin() as session:
        actor = cli_actor(brand.id)
        trial, _ = await add_shop(session, context.tokens, brand, "acme-trial", name="Trial", actor=actor)
        await session.execute(update(Shop).values(platform=Platform.shopify))
        for one, account in ((shop, "acme.myshopify.com"), (trial, "acme-trial.myshopify.com")):
            # Nobody listens there.
            given = Connection(f"http://127.0.0.1:9/{account}", {"access_token": "shpat_1"})
            await save_connection(session, context.tokens, brand.id, one.id, given, actor=actor, now=NOW)
    await story.deliver("order.paid", an_order(1, NOW, email="here@example.com"))
    for left in ("harbour-mugs.myshopify.com", "acme-trial.myshopify.com"):
        await from_shopify(
            context, shop, "shop/redact", sample("shopify", "shop_redact") | {"shop_domain": left}
        )
    await story.at(NOW)
    async with context.sessions() as session:
        assert list(await session.scalars(select(Customer.email))) == ["here@example.com"]
        [failed] = await session.scalars(select(Delivery.reason).where(Delivery.status == "failed"))
        assert failed.startswith("The shop harbour-mugs.myshopify.com has left its platform; this one is ")
        erased = select(Erasure.shop_id).where(Erasure.shop_id.is_not(None))
        assert list(await session.scalars(erased)) == [trial.id]
    own = sample("shopify", "shop_redact") | {"shop_domain": "acme.myshopify.com"}
    async with context.sessions.begin() as session:
        await session.execute(update(ShopConnection).values(webhooks=["orders/paid"], checked_at=NOW))
    again = NOW + timedelta(hours=20)
    await from_shopify(context, shop, "shop/redact", own)
    await story.at(again)
    async with context.sessions.begin() as session:
        assert list(await session.scalars(select(Customer.email))) == ["here@example.com"]
        reasons = list(await session.scalars(select(Delivery.reason).where(Delivery.status == "failed")))
        assert "is connected again" in reasons[-1]
        await session.execute(update(ShopConnection).values(webhooks=[], problems=["The app is gone."]))
    await from_shopify(context, shop, "shop/redact", own)
    await story.at(again)
    async with context.sessions() as session:
        assert list(await session.scalars(select(Customer.email))) == [None]


async def test_erasing_and_exporting_want_their_scopes(story):
    await story.deliver("order.paid", an_order(1, NOW))
    await story.at(NOW)
    path = f"/api/v1/customers/{await customer_id(story, ANA)}"
    client = await with_scopes(story, Scope.read, Scope.pii)
    for refused in (f"{path}/erase", "/api/v1/customers/erase"):
        assert (await client.post(refused, json={"email": ANA})).status_code == 403
    client = await with_scopes(story, Scope.read, Scope.write)
    assert (await client.get(f"{path}/export")).json()["code"] == "missing_scope"
    erased = await client.post(f"{path}/erase", headers={"Idempotency-Key": "k"})
    assert (erased.status_code, erased.json()["email"]) == (200, None)
    assert erased.json()["erased_at"]
    await story.at(NOW)
    again = await client.post(f"{path}/erase", headers={"Idempotency-Key": "k"})
    assert again.json() == erased.json()


async def test_repeated_write_about_somebody_who_was_erased_is_410_and_others_stay(story, context):
    """What the API remembers for an `Idempotency-Key` names nobody any more; the key stays used."""
    code = await story.promoter(an_order(1, NOW), delivered_at=NOW, asked_at=DUE)

    def redeemed(number: int, email: str) -> dict:
        order = an_order(number, DUE) | {"customer": {"email": email, "country": "NL"}}
        return {"code": code, "order": {**order, "discount_codes": []}}

    bodies = {"ben": redeemed(2, "ben@example.com"), "cleo": redeemed(3, "cleo@example.com")}
    first = {key: await story.post_api("/codes/redeem", body, once=key) for key, body in bodies.items()}
    assert [each.status_code for each in first.values()] == [201, 201]
    ben = await customer_id(story, "ben@example.com")
    assert (await story.post_api(f"/customers/{ben}/erase", {})).status_code == 200
    await story.at(DUE)
    again = await story.post_api("/codes/redeem", bodies["ben"], once="ben")
    assert (again.status_code, again.json()["code"]) == (410, "erased")
    changed = await story.post_api("/codes/redeem", redeemed(4, "ben@example.com"), once="ben")
    assert changed.json()["code"] == "idempotency_key_reused"
    assert len(await story.api("/redemptions")) == 2, "it was not done again"
    cleo = await story.post_api("/codes/redeem", bodies["cleo"], once="cleo")
    assert (cleo.status_code, cleo.json()) == (201, first["cleo"].json())
    async with context.sessions() as session:
        stored = {row.key: row.body for row in await session.scalars(select(IdempotencyKey))}
    assert stored["ben"] == {}


async def test_erasing_the_referrer_empties_responses_about_their_friends_too(story, context):
    code = await story.promoter(an_order(1, NOW), delivered_at=NOW, asked_at=DUE)
    body = {"code": code, "order": an_order(2, DUE) | {"customer": {"email": "ben@example.com"}}}
    assert (await story.post_api("/codes/redeem", body, once="ben")).status_code == 201
    ana = await customer_id(story, ANA)
    assert (await story.post_api(f"/customers/{ana}/erase", {})).status_code == 200
    await story.at(DUE)
    assert (await story.post_api("/codes/redeem", body, once="ben")).status_code == 410


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({}, 422, "bad_person"),
        ({"email": ANA, "phone": "+31612345678"}, 422, "bad_person"),
        ({"phone": "0612345678"}, 422, "bad_phone"),
        ({"phone": "+31612345678"}, 409, "ambiguous_person"),
        ({"id": "shared"}, 409, "ambiguous_person"),
        ({"email": "nobody@example.com"}, 404, "not_found"),
        ({"id": "nobody"}, 404, "not_found"),
        ({"id": "cus_nonsense"}, 404, "not_found"),
        ({"name": "Ana"}, 422, "invalid"),
    ],
)
async def test_who_cannot_be_told_for_sure_is_not_erased(story, context, brand, body, status, code):
    async with context.sessions.begin() as session:
        other, _ = await add_shop(
            session, context.tokens, brand, "acme-fr", name="Acme FR", actor=cli_actor(brand.id)
        )
    family = [{"id": "shared", "email": email, "phone": "+31612345678"} for email in (ANA, "ben@example.com")]
    await story.deliver("order.paid", an_order(1, NOW, customer=family[0]))
    raw = json.dumps({"type": "order.paid", "data": an_order(2, NOW, customer=family[1])}).encode()
    async with context.sessions.begin() as session:
        await store_deliveries(session, [NewDelivery(brand.id, other.id, "checkout", "t", "d", raw, NOW)])
    await story.at(NOW)
    refused = await story.post_api("/customers/erase", body)
    assert (refused.status_code, refused.json()["code"]) == (status, code)
    async with context.sessions() as session:
        assert (await session.scalars(select(ErasedIdentity))).all() == []
        assert set(await session.scalars(select(Customer.email))) == {ANA, "ben@example.com"}
