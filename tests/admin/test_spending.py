"""Rewards are spent over HTTP: the referrer's own code, and credit."""

import pytest

from app.admin.api import guesses
from app.admin.rules import Scope
from app.base import clock
from app.base.due import sweep_once
from app.base.ids import new_id, public_id
from app.customers.models import Customer
from app.insight.invariants import check
from app.referrals.settle import sweep
from tests.support.factories.programme import set_terms
from tests.support.factories.referrals import friend_orders, make_referrer, owner_of
from tests.support.keys import api_of


@pytest.fixture
async def client(context, brand, shop):
    async with await api_of(context, brand, Scope.read, Scope.checkout) as client:
        yield client


async def referrer(context, brand, shop, kind: str) -> Customer:
    """A customer who has just been granted a reward of 10.00."""
    await set_terms(context, brand, {"reward": {"kind": kind}})
    now = clock.now()
    code = await make_referrer(context, brand, shop, now=now)
    await friend_orders(context, brand, shop, code.code, placed_at=now, delivered_at=now)
    await sweep_once(sweep(context), now.replace(year=now.year + 1, day=1))
    async with context.sessions() as session:
        return await session.get_one(Customer, (brand.id, await owner_of(context, code)))


def order(number: int, email: str | None, **more):
    return {
        "id": f"own{number}",
        "currency": "EUR",
        "subtotal": "80.00",
        "total": "70.00",
        "customer": {"email": email, "country": "FR"},
    } | more


async def test_own_code_is_validated_and_redeemed_by_its_owner_alone(context, client, brand, shop):
    owner = await referrer(context, brand, shop, "code")
    [reward] = (await client.get("/rewards")).json()["data"]
    assert (reward["kind"], reward["status"], reward["used_amount"]) == ("code", "granted", "0.00")
    code = reward["code"]
    [row] = [one for one in (await client.get("/codes")).json()["data"] if one["kind"] == "reward"]
    assert (row["code"], row["status"], row["discount"]["value"], row["max_uses"]) == (
        code,
        "active",
        "10.00",
        1,
    )
    basket = {"subtotal": "80.00", "currency": "EUR"}
    for email, reason, off in ((owner.email, None, "10.00"), ("x@example.org", "unknown_code", "0.00")):
        question = {"code": code, "customer": {"email": email}, "order": basket}
        found = (await client.post("/codes/validate", json=question)).json()
        assert (found["reason"], found["amount_off"]) == (reason, off)
    for email in ("x@example.org", None):
        lost = await client.post("/codes/redeem", json={"code": code, "order": order(1, email)})
        assert (lost.status_code, lost.json()["reason"]) == (409, "unknown_code")
    for _ in range(2):
        won = await client.post("/codes/redeem", json={"code": code, "order": order(2, owner.email)})
        assert won.status_code == 201, won.text
        used = won.json()
        assert (used["id"], used["status"], used["used_amount"]) == (reward["id"], "used", "10.00")
    again = await client.post("/codes/redeem", json={"code": code, "order": order(3, owner.email)})
    assert (again.status_code, again.json()["reason"]) == (409, "exhausted")
    assert len((await client.get("/redemptions")).json()["data"]) == 1
    async with context.sessions() as session:
        broken = {each.name for each in await check(session, context.tokens)}
    assert broken <= {"order_has_survey"}, "friends' orders are made without a survey"


async def test_credit_is_spent_over_http(context, client, brand, shop):
    owner = await referrer(context, brand, shop, "credit")
    customer = public_id("cus", owner.id)
    found = (await client.get("/credits/balance", params={"customer": customer})).json()
    assert (found["customer"], found["balance"], found["available"]) == (customer, "10.00", "10.00")
    body = {
        "customer": {"email": owner.email},
        "amount": 7,
        "currency": "EUR",
        "order_id": "o-1",
        "seconds": 60,
    }
    held = await client.post("/credits/reserve", json=body, headers={"Idempotency-Key": "k"})
    same = await client.post("/credits/reserve", json=body, headers={"Idempotency-Key": "k"})
    assert (held.status_code, held.json()) == (201, same.json()), held.text
    assert (held.json()["status"], held.json()["amount"]) == ("reserved", "7.00")
    assert held.json()["id"].startswith("crd_")
    short = await client.post("/credits/reserve", json=body | {"customer": customer})
    assert (short.status_code, short.json()["code"]) == (409, "insufficient_balance")
    found = (await client.get("/credits/balance", params={"email": owner.email})).json()
    assert (found["balance"], found["reserved"], found["available"]) == ("10.00", "7.00", "3.00")
    path = f"/credits/{held.json()['id']}"
    captured = await client.post(f"{path}/capture", json={"amount": "6.50"})
    assert (captured.status_code, captured.json()["captured"]) == (200, "6.50"), captured.text
    assert (await client.post(f"{path}/release")).status_code == 409
    refunded = (await client.post(f"{path}/refund", json={"amount": "1.50"})).json()
    assert (refunded["status"], refunded["refunded"]) == ("captured", "1.50")
    refunded = (await client.post(f"{path}/refund")).json()
    assert (refunded["status"], refunded["refunded"]) == ("refunded", "6.50")
    entries = (await client.get("/ledger")).json()["data"]
    assert {entry["cause"]["kind"] for entry in entries} == {"redemption", "credit"}


async def test_what_cannot_be_reserved_is_said(client, brand, shop):
    unknown = await client.get("/credits/balance", params={"email": "nobody@example.org"})
    assert unknown.json() == {
        "customer": None,
        "currency": "EUR",
        "balance": "0.00",
        "frozen": "0.00",
        "reserved": "0.00",
        "available": "0.00",
        "shop": None,
        "by_currency": [
            {
                "currency": "EUR",
                "balance": "0.00",
                "frozen": "0.00",
                "reserved": "0.00",
                "available": "0.00",
                "shop": None,
            }
        ],
    }
    assert (await client.get("/credits/balance")).status_code == 422
    stranger = {"customer": public_id("cus", new_id())}
    assert (await client.get("/credits/balance", params=stranger)).status_code == 404
    fine = {"customer": {"email": "a@example.org"}, "amount": "1", "currency": "EUR", "order_id": "o"}
    assert (await client.post("/credits/reserve", json=fine)).json()["code"] == "insufficient_balance"
    for wrong in (
        {"amount": "0"},
        {"amount": "1.005"},
        {"amount": None},
        {"currency": "EURO"},
        {"seconds": 0},
        {"seconds": 90_000},
        {"order_id": None},
        {"customer": None},
        {"customer": {"email": "a@example.org", "name": "A"}},
        {"shop": "acme"},
    ):
        refused = await client.post("/credits/reserve", json=fine | wrong)
        assert refused.status_code == 422, wrong
    for act in ("capture", "release", "refund"):
        assert (await client.post(f"/credits/{public_id('crd', new_id())}/{act}")).status_code == 404


@pytest.fixture
def few_guesses(monkeypatch):
    """Three unknown ids and three unknown addresses for a key, so that a test tries few."""
    for name in ("PER_KEY", "PER_BRAND", "ADDRESSES_PER_KEY", "ADDRESSES_PER_BRAND"):
        monkeypatch.setattr(guesses, name, 3)


async def test_guessing_whose_credit_there_is_is_limited_by_address(
    context, client, brand, shop, few_guesses
):
    owner = await referrer(context, brand, shop, "credit")

    async def balance(email):
        return (await client.get("/credits/balance", params={"email": email})).status_code

    async def reserved(email):
        body = {"customer": {"email": email}, "amount": "1.00", "currency": "EUR", "order_id": "1"}
        return (await client.post("/credits/reserve", json=body)).status_code

    assert [await balance(owner.email) for _ in range(9)] == [200] * 9, "a genuine one never counts"
    assert [await balance("one@x.example") for _ in range(4)] == [200] * 4, "the same again is no guess"
    assert [await balance("two@x.example"), await reserved("three@x.example")] == [200, 409]
    limited = await client.get("/credits/balance", params={"email": owner.email})
    assert (limited.status_code, limited.json()["code"]) == (429, "too_many_guesses")
    assert int(limited.headers["retry-after"]) > 0
    assert await reserved(owner.email) == 429


@pytest.mark.parametrize("step", ["capture", "release", "refund"])
async def test_guessing_ids_of_credit_is_limited(client, few_guesses, step):
    def url() -> str:
        return f"/credits/{public_id('crd', new_id())}/{step}"

    assert [(await client.post(url())).status_code for _ in range(4)] == [404, 404, 404, 429]
    unknown = {"customer": public_id("cus", new_id())}
    assert (await client.get("/credits/balance", params=unknown)).status_code == 429
