"""A checkout of one's own: validate, redeem, roll back, over HTTP."""

import asyncio

import pytest
from sqlalchemy import func, select, update

from app.admin.api import guesses
from app.admin.keys import add_key
from app.admin.rules import Scope
from app.base.actor import cli_actor
from app.brands.add import add_shop
from app.ingest.models import Delivery, DeliveryCustomer
from app.insight.invariants import check
from app.orders.models import Order
from app.referrals.models import Code, Redemption
from app.surveys.models import Survey
from tests.support.factories.programme import set_terms
from tests.support.factories.referrals import make_referrer
from tests.support.keys import api_of


@pytest.fixture
async def client(context, brand, shop):
    async with await api_of(context, brand, Scope.read, Scope.pii, Scope.write, Scope.checkout) as client:
        yield client


@pytest.fixture
async def code(context, brand, shop):
    """A live code: 10 % off, ten uses; issued long ago so that the wall clock finds it good."""
    made = await make_referrer(context, brand, shop)
    async with context.sessions.begin() as session:
        expiry = {"expires_at": func.now() + func.make_interval(0, 0, 0, 100)}
        await session.execute(update(Code).where(Code.id == made.id).values(**expiry))
    return made.display


def order(number=1, **said):
    return {
        "id": f"o{number}",
        "number": f"#{number}",
        "placed_at": "2026-03-10T12:00:00Z",
        "currency": "EUR",
        "subtotal": "80.00",
        "total": "72.00",
        "discount_total": "8.00",
        "customer": {"email": f"friend{number}@example.org", "country": "FR"},
        "items": [{"sku": "MUG", "title": "Mug", "quantity": 1, "unit_price": "80.00"}],
    } | said


async def test_a_good_code_is_valid_with_what_it_takes_off(client, code):
    question = {
        "code": code.lower(),
        "customer": {"email": "new@example.org"},
        "order": {"subtotal": "80.00", "currency": "EUR"},
    }
    answer = await client.post("/codes/validate", json=question)
    assert answer.status_code == 200, answer.text
    assert answer.json() == {
        "valid": True,
        "reason": None,
        "discount": {"kind": "percent", "value": "10.00", "currency": "EUR"},
        "amount_off": "8.00",
    }


async def test_an_unknown_code_is_named_as_the_reason(client, code):
    answer = await client.post(
        "/codes/validate", json={"code": "NOSUCH", "order": {"subtotal": 80, "currency": "EUR"}}
    )
    assert answer.json() == {"valid": False, "reason": "unknown_code", "discount": None, "amount_off": "0.00"}


@pytest.mark.parametrize(
    "question",
    [
        {"code": "X"},
        {"code": "", "order": {"subtotal": "1", "currency": "EUR"}},
        {"code": "X", "order": {"currency": "EUR"}},
        {"code": "X", "order": {"subtotal": "-1", "currency": "EUR"}},
        {"code": "X", "order": {"subtotal": "1", "currency": "EUR", "id": []}},
        {"code": "X", "order": {"subtotal": "1", "currency": "ZZZ"}},
        {"code": "X", "order": {"subtotal": "1", "currency": "EUR", "extra": 1}},
        {"code": "X", "order": {"subtotal": "1", "currency": "EUR"}, "customer": {"mail": "a@b.c"}},
        {"code": "X", "order": {"subtotal": "1", "currency": "EUR"}, "extra": 1},
        {"code": "X\u0000", "order": {"subtotal": "1", "currency": "EUR"}},
        {"code": "X", "order": []},
    ],
)
async def test_an_invalid_validation_request_is_a_422(client, question):
    answer = await client.post("/codes/validate", json=question)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid")


async def test_redeeming_records_the_order_with_its_survey_and_redemption(context, client, code):
    answer = await client.post("/codes/redeem", json={"code": code, "shop": "acme", "order": order()})
    assert answer.status_code == 201, answer.text
    redemption = answer.json()
    assert (
        redemption["status"],
        redemption["amount_off"],
        redemption["code"],
        redemption["order_number"],
    ) == (
        "pending",
        "8.00",
        code,
        "#1",
    )
    async with context.sessions() as session:
        assert await session.scalar(select(func.count()).select_from(Order)) == 1
        assert await session.scalar(select(func.count()).select_from(Survey)) == 1
        kept = (await session.scalars(select(Delivery))).one()
        assert (kept.source, kept.status, kept.topic) == ("api", "processed", "order.paid")
        link = (await session.scalars(select(DeliveryCustomer))).one()
        buyer = await session.scalar(select(Order.customer_id))
        assert (link.delivery_id, link.customer_id) == (kept.id, buyer)
        assert await check(session, context.tokens) == []


async def test_a_repeated_redeem_returns_the_same_redemption(client, code):
    first = await client.post("/codes/redeem", json={"code": code, "order": order()})
    again = await client.post("/codes/redeem", json={"code": code, "order": order()})
    assert (again.status_code, again.json()["id"]) == (201, first.json()["id"])


async def test_a_refused_code_is_a_409_with_its_reason_and_the_order_is_stored(context, client, code):
    await client.post("/codes/redeem", json={"code": code, "order": order(1)})
    same_friend = order(2, customer=order(1)["customer"])
    answer = await client.post("/codes/redeem", json={"code": code, "order": same_friend})
    assert (answer.status_code, answer.json()["code"], answer.json()["reason"]) == (
        409,
        "already_used_by_friend",
        "already_used_by_friend",
    )
    unknown = await client.post("/codes/redeem", json={"code": "NOSUCH", "order": order(3)})
    assert (unknown.status_code, unknown.json()["reason"], unknown.json()["redemption"]) == (
        409,
        "unknown_code",
        None,
    )
    async with context.sessions() as session:
        assert await session.scalar(select(func.count()).select_from(Order)) == 3


async def test_one_of_many_wins_the_last_use(context, client, code):
    async with context.sessions.begin() as session:
        await session.execute(update(Code).values(max_uses=3))
    asked = [
        client.post("/codes/redeem", json={"code": code, "order": order(number)}) for number in range(12)
    ]
    answers = await asyncio.gather(*asked)
    assert sorted(answer.status_code for answer in answers) == [201] * 3 + [409] * 9, [
        answer.text for answer in answers
    ]
    assert {answer.json()["reason"] for answer in answers if answer.status_code == 409} == {"exhausted"}
    async with context.sessions() as session:
        assert (await session.scalars(select(Code.uses))).one() == 3
        assert await check(session, context.tokens) == []


async def test_the_same_order_at_the_same_moment_has_one_redemption(context, client, code):
    asked = [client.post("/codes/redeem", json={"code": code, "order": order()}) for _ in range(6)]
    answers = await asyncio.gather(*asked)
    assert {answer.status_code for answer in answers} == {201}, [answer.text for answer in answers]
    assert len({answer.json()["id"] for answer in answers}) == 1


async def test_concurrent_repeats_with_one_key_happen_once(context, client, code):
    body = {"code": code, "order": order()}
    asked = [client.post("/codes/redeem", json=body, headers={"Idempotency-Key": "k"}) for _ in range(5)]
    answers = await asyncio.gather(*asked)
    assert {answer.status_code for answer in answers} == {201}
    assert all(answer.json() == answers[0].json() for answer in answers)


async def test_an_order_first_reported_by_webhook_still_gets_its_code(context, client, code):
    told_first = {"code": "NOSUCH", "order": order()}
    assert (await client.post("/codes/redeem", json=told_first)).status_code == 409
    assert (await client.post("/codes/redeem", json={"code": code, "order": order()})).status_code == 201


@pytest.mark.parametrize(
    "body",
    [
        {"code": "X"},
        {"code": "X", "order": {}},
        {"code": "X", "order": order(currency="ZZZ")},
        {"code": "X", "order": order(total="-1")},
        {"code": "X", "order": order(totl="1")},
        {"code": "X", "shop": "nobody", "order": order()},
        {"code": "X", "order": order(), "extra": 1},
        {"code": "X", "order": order(customer={"mail": "a@b.c"})},
        {"code": "X", "order": order(items=[{"title": "Mug"}, {"name": "Mug"}])},
        {"code": "X", "order": order(shipping_address={"zip": "10115"})},
        {"code": "X", "order": order(), "shop": 5},
    ],
)
async def test_a_purchase_that_cannot_be_understood_is_a_422_and_keeps_nothing(context, client, body):
    answer = await client.post("/codes/redeem", json=body)
    assert answer.status_code == 422, answer.text
    async with context.sessions() as session:
        assert await session.scalar(select(func.count()).select_from(Order)) == 0


async def test_a_brand_with_several_shops_must_name_one(context, brand, client, code):
    async with context.sessions.begin() as session:
        await add_shop(session, context.tokens, brand, "acme-fr", name="Acme FR", actor=cli_actor(brand.id))
    answer = await client.post("/codes/redeem", json={"code": code, "order": order()})
    assert (answer.status_code, answer.json()["code"]) == (422, "shop_required")
    assert (
        await client.post("/codes/redeem", json={"code": code, "shop": "acme", "order": order()})
    ).status_code == 201


async def test_a_whole_rollback_gives_the_use_back(context, client, code):
    redemption = (await client.post("/codes/redeem", json={"code": code, "order": order()})).json()
    path = f"/redemptions/{redemption['id']}/rollback"
    answer = await client.post(path, json={"amount": None, "reason": "changed their mind"})
    assert (answer.status_code, answer.json()["status"], answer.json()["reason"]) == (
        200,
        "reversed",
        "changed their mind",
    ), answer.text
    async with context.sessions() as session:
        assert (await session.scalars(select(Code.uses))).one() == 0
        assert await check(session, context.tokens) == []


async def test_a_partial_rollback_counts_like_a_refund_once_a_key(context, client, code):
    redemption = (await client.post("/codes/redeem", json={"code": code, "order": order()})).json()
    assert (await client.post(f"/redemptions/{redemption['id']}/approve", json={"reason": "fine"})).json()[
        "status"
    ] == "approved"
    path = f"/redemptions/{redemption['id']}/rollback"
    for _ in range(2):
        answer = await client.post(
            path, json={"amount": 36.00, "reason": "half"}, headers={"Idempotency-Key": "r1"}
        )
        assert answer.status_code == 200, answer.text
    (reward,) = (await client.get("/rewards")).json()["data"]
    assert (reward["amount"], reward["net_amount"]) == ("10.00", "5.00")
    for wrong in (
        {"amount": "x", "reason": "x"},
        {"amount": "0", "reason": "x"},
        {"amount": "-1", "reason": "x"},
        {"amount": True, "reason": "x"},
    ):
        assert (await client.post(path, json=wrong)).status_code == 422, wrong
    async with context.sessions() as session:
        assert await check(session, context.tokens) == []


async def test_a_key_counts_once_a_brand_whichever_api_key_repeats_it(context, brand, client, code):
    redemption = (
        await client.post("/codes/redeem", json={"code": code, "order": order(total="80.00")})
    ).json()
    await client.post(f"/redemptions/{redemption['id']}/approve", json={"reason": "fine"})
    async with context.sessions.begin() as session:
        scopes = ([Scope.checkout, Scope.pii], [Scope.checkout])
        other, blind = [await add_key(session, brand.id, each, actor=cli_actor(brand.id)) for each in scopes]
    path = f"/redemptions/{redemption['id']}/rollback"
    for key in (client.headers["Authorization"], f"Bearer {other}"):
        answer = await client.post(
            path,
            json={"amount": "20.00", "reason": "part"},
            headers={"Idempotency-Key": "k1", "Authorization": key},
        )
        assert answer.status_code == 200, answer.text
    answer = await client.post(
        path,
        json={"amount": "20.00", "reason": "part"},
        headers={"Idempotency-Key": "k1", "Authorization": f"Bearer {blind}"},
    )
    assert (answer.status_code, answer.json()["code"]) == (422, "idempotency_key_reused")
    (reward,) = (await client.get("/rewards")).json()["data"]
    assert reward["net_amount"] == "7.50"


async def test_a_rollback_never_exceeds_what_is_left_of_the_order(context, client, code):
    redemption = (await client.post("/codes/redeem", json={"code": code, "order": order()})).json()
    path = f"/redemptions/{redemption['id']}/rollback"
    assert (await client.post(path, json={"amount": "50.00", "reason": "part"})).status_code == 200
    refused = await client.post(path, json={"amount": "22.01", "reason": "part"})
    assert (refused.status_code, refused.json()["code"]) == (422, "bad_amount")
    assert "22.00 EUR" in refused.json()["detail"]
    assert (await client.post(path, json={"amount": 21.997, "reason": "rest"})).status_code == 200
    async with context.sessions() as session:
        assert await session.scalar(select(Order.refunded)) == 7200
        assert await check(session, context.tokens) == []


async def test_an_orders_own_use_never_counts_against_it(context, client, code):
    async with context.sessions.begin() as session:
        await session.execute(update(Code).values(max_uses=1))
    assert (await client.post("/codes/redeem", json={"code": code, "order": order()})).status_code == 201
    question = {
        "code": code,
        "customer": {"email": "friend1@example.org", "country": "FR"},
        "order": {"id": "o1", "subtotal": "80.00", "currency": "EUR"},
    }
    known = (await client.post("/codes/validate", json=question)).json()
    assert (known["valid"], known["reason"], known["amount_off"]) == (True, None, "8.00")
    for other in ({"id": "o2"}, {"id": None}):
        question["order"] |= other
        answer = (await client.post("/codes/validate", json=question)).json()
        assert (answer["valid"], answer["reason"]) == (False, "exhausted")


async def test_an_account_that_bought_before_is_no_new_customer_under_another_address(client, code):
    earlier = order(7, customer={"id": "77", "email": "first@example.org"}, discount_codes=[])
    assert (await client.post("/codes/redeem", json={"code": "NOSUCH", "order": earlier})).status_code == 409
    question = {
        "code": code,
        "customer": {"id": "77", "email": "second@example.org"},
        "order": {"subtotal": "80.00", "currency": "EUR"},
    }
    assert (await client.post("/codes/validate", json=question)).json()["reason"] == "existing_customer"
    later = order(8, customer=question["customer"], placed_at="2026-03-11T12:00:00Z")
    answer = await client.post("/codes/redeem", json={"code": code, "order": later})
    assert (answer.status_code, answer.json()["reason"]) == (409, "existing_customer")


@pytest.mark.parametrize("spelling", ["\u200b{}", "{}\u2060", "\uff0d{}", " {} "])
async def test_a_code_is_read_without_what_cannot_be_seen(client, code, spelling):
    question = {
        "code": spelling.format(code),
        "customer": {"email": "new@example.org"},
        "order": {"subtotal": "80.00", "currency": "EUR"},
    }
    answer = await client.post("/codes/validate", json=question)
    assert answer.json()["valid"] is True, answer.text


async def test_a_rollback_whose_body_cannot_be_read_is_a_422_and_changes_nothing(context, client, code):
    redemption = (await client.post("/codes/redeem", json={"code": code, "order": order()})).json()
    path = f"/redemptions/{redemption['id']}/rollback"
    bodies = [
        '{"amount": NaN}',
        '{"amount": -Infinity}',
        '{"amount": 1e999}',
        '{"amount": "5.00"}'.encode("utf-16"),
    ]
    for body in bodies:
        answer = await client.post(path, content=body, headers={"Content-Type": "application/json"})
        assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json"), (
            body,
            answer.text,
        )
    (row,) = (await client.get("/redemptions")).json()["data"]
    assert row["status"] == redemption["status"]


async def test_an_order_may_carry_every_documented_field(client, code):
    everything = order(
        customer={
            "id": "7",
            "email": "leo@example.org",
            "phone": None,
            "first_name": "Leo",
            "last_name": "Ito",
            "locale": "de",
        }
        | {"time_zone": "Europe/Berlin", "country": "DE", "email_consent": True, "sms_consent": None},
        shipping_address={
            "line1": "1 Main St",
            "line2": None,
            "city": "Berlin",
            "postal_code": "10115",
            "country": "DE",
        },
        payment_fingerprint=None,
    )
    answer = await client.post("/codes/redeem", json={"code": code, "order": everything})
    assert answer.status_code == 201, answer.text


async def test_redemptions_in_review_are_rejected_and_approved_afterwards(context, client, code):
    redemption = (await client.post("/codes/redeem", json={"code": code, "order": order()})).json()
    early = await client.post(f"/redemptions/{redemption['id']}/reject", json={"reason": "odd"})
    assert (early.json()["status"], early.json()["reason"]) == ("rejected", "odd")
    again = await client.post(f"/redemptions/{redemption['id']}/reject", json={"reason": "odd"})
    assert again.json()["code"] == "not_allowed"
    async with context.sessions.begin() as session:
        await session.execute(update(Redemption).values(status="in_review", reason="suspected_fraud"))
    assert (await client.post(f"/redemptions/{redemption['id']}/reject", json={})).status_code == 422
    rejected = (
        await client.post(f"/redemptions/{redemption['id']}/reject", json={"reason": "same household"})
    ).json()
    assert (rejected["status"], rejected["reason"]) == ("rejected", "same household")
    assert (await client.post(f"/redemptions/{redemption['id']}/approve")).json()["status"] == "approved"
    assert (await client.post("/redemptions/red_x/approve")).status_code == 404


async def test_terms_in_force_decide(context, brand, client, code):
    await set_terms(context, brand, {"redemptions_enabled": False})
    answer = await client.post(
        "/codes/validate", json={"code": code, "order": {"subtotal": "80.00", "currency": "EUR"}}
    )
    assert answer.json()["reason"] == "not_active"


@pytest.fixture
def few_guesses(monkeypatch):
    """Five unknown codes for a key and eight for a brand, so that a test tries few."""
    monkeypatch.setattr(guesses, "PER_KEY", 5)
    monkeypatch.setattr(guesses, "PER_BRAND", 8)


async def another_key(context, brand, client):
    async with context.sessions.begin() as session:
        return {
            "Authorization": f"Bearer {await add_key(session, brand.id, [Scope.checkout], actor=cli_actor(brand.id))}"
        }


async def test_guessing_codes_is_limited_for_a_key_and_not_for_another(
    context, brand, client, code, few_guesses
):
    def basket(tried):
        return {"code": tried, "order": {"subtotal": "80.00", "currency": "EUR"}}

    for number in range(5):
        answer = await client.post("/codes/validate", json=basket(f"GUESS{number}"))
        assert (answer.status_code, answer.json()["reason"]) == (200, "unknown_code")
    limited = await client.post("/codes/validate", json=basket(code))
    assert (limited.status_code, limited.json()["code"]) == (429, "too_many_guesses")
    assert int(limited.headers["retry-after"]) > 0
    redeemed = await client.post("/codes/redeem", json={"code": code, "order": order()})
    assert redeemed.status_code == 429
    assert (await client.get("/orders")).json()["data"] == []
    other = await another_key(context, brand, client)
    assert (await client.post("/codes/validate", json=basket(code), headers=other)).json()["valid"]


async def test_orders_with_unknown_codes_count_as_guesses_and_the_keys_of_a_brand_together(
    context, brand, client, code, few_guesses
):
    async def tries(first, last, headers=None):
        return [
            (
                await client.post(
                    "/codes/redeem", json={"code": f"GUESS{number}", "order": order(number)}, headers=headers
                )
            ).status_code
            for number in range(first, last)
        ]

    assert await tries(0, 4) == [409] * 4
    other = await another_key(context, brand, client)
    assert await tries(10, 15, other) == [409] * 4 + [429]
    assert await tries(20, 21) == [429], "the brand's keys have used up what they have together"
    third = await another_key(context, brand, client)
    redeemed = await client.post("/codes/redeem", json={"code": code, "order": order(30)}, headers=third)
    assert redeemed.status_code == 201


async def test_genuine_codes_and_the_same_unknown_one_never_count(client, code, few_guesses):
    """As an office behind one address, and a checkout that sends its own codes here too."""
    for tried, valid in ((code, True), ("SUMMER10", False)) * 20:
        basket = {"code": tried, "order": {"subtotal": "80.00", "currency": "EUR"}}
        answer = await client.post("/codes/validate", json=basket)
        assert (answer.status_code, answer.json()["valid"]) == (200, valid)
    await client.post(f"/codes/{code}/disable")
    basket = {"code": code, "order": {"subtotal": "80.00", "currency": "EUR"}}
    for _ in range(20):
        assert (await client.post("/codes/validate", json=basket)).json()["reason"] == "disabled"
