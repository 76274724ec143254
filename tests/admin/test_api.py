import asyncio
import csv
import io
import json
from datetime import timedelta

import httpx2
import pytest
from fastapi.routing import APIRoute
from sqlalchemy import select, update

from app.admin.api import PARTS
from app.admin.export_formats import cell
from app.admin.export_rules import ExportName
from app.admin.keys import add_key, find_key
from app.admin.models import ApiKey
from app.admin.rules import Scope
from app.admin.views.overview import overview_values
from app.base import clock
from app.base.actor import cli_actor
from app.base.ids import new_id, public_id
from app.brands.add import add_brand, add_shop
from app.brands.change import change_domains
from app.brands.programme import Channel, Programme
from app.customers.models import ConsentFact
from app.ingest.models import Delivery
from app.ingest.rules import DeliveryStatus
from app.insight.overview import overview
from app.insight.periods import Period
from app.insight.roll import roll
from app.messaging.rules import MessageStatus
from app.referrals.rules import RedemptionStatus
from app.surveys.rules import SurveyStatus
from app.surveys.templates import SURVEY
from tests.support.apps import api_app
from tests.support.factories.rows import START, Rows

EVERYTHING = (Scope.read, Scope.pii, Scope.write, Scope.checkout)


@pytest.fixture
def app(context):
    return api_app(context)


@pytest.fixture
async def client(open_client, brand, shop):
    return await open_client(brand, *EVERYTHING)


def _scopes(dependant):
    found = [getattr(dependant.call, "wants", None)]
    for inner in dependant.dependencies:
        found += _scopes(inner)
    return [scope for scope in found if scope]


def test_every_route_names_the_one_scope_it_wants():
    routes = [route for part in PARTS for route in part.router.routes]
    assert len(routes) >= 28
    for route in routes:
        assert isinstance(route, APIRoute)
        (scope,) = set(_scopes(route.dependant))
        if scope not in (Scope.admin, Scope.checkout):
            assert (scope is Scope.read) == (route.methods == {"GET"}), route.path


@pytest.mark.parametrize(
    "header",
    [None, "", "Bearer", "Bearer tf_", "Bearer tf_" + "A" * 70, "Bearer tf_ü", "Basic YTpi", "Bearer x"],
)
async def test_a_missing_or_wrong_key_is_a_401_problem(app, brand, header):
    headers = {} if header is None else {"Authorization": header.encode()}
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app=app), base_url="http://test") as client:
        answer = await client.get("/api/v1/brand", headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (401, "unauthorized")
    assert answer.headers["www-authenticate"] == "Bearer"
    assert answer.headers["content-type"] == "application/problem+json"


async def test_a_key_is_stored_as_a_hash_and_found_by_its_full_text(session, brand):
    key = await add_key(session, brand.id, [Scope.read], actor=cli_actor(brand.id))
    row = await find_key(session, key)
    assert row is not None
    assert key.encode() not in row.secret_hash
    assert await find_key(session, key[:-1] + ("A" if key[-1] != "A" else "B")) is None
    assert await find_key(session, key + "A") is None
    await session.execute(update(ApiKey).values(revoked_at=START))
    session.expire_all()
    assert await find_key(session, key) is None


async def test_a_key_may_do_only_what_its_scopes_allow(open_client, brand, shop):
    reader = await open_client(brand, Scope.read)
    for method, path, body in (
        ("PATCH", "/brand", {}),
        ("PUT", "/programme", {}),
        ("POST", "/codes/validate", {"code": "X", "order": {}}),
    ):
        answer = await reader.request(method, path, json=body)
        assert (answer.status_code, answer.json()["code"]) == (403, "missing_scope")
    checkout = await open_client(brand, Scope.checkout)
    assert (await checkout.get("/orders")).status_code == 403
    admin = await open_client(brand, Scope.admin)
    assert (await admin.get("/orders")).status_code == 200
    assert (await admin.patch("/brand", json={"name": "New"})).status_code == 200


LISTS = (
    "customers",
    "orders",
    "surveys",
    "responses",
    "messages",
    "codes",
    "redemptions",
    "rewards",
    "ledger",
    "deliveries",
    "shops",
)


async def fill_every_list(rows):
    """Rows for each list of the API; returns a customer's id."""
    happy = await rows.answer(9)
    await rows.redemption(await rows.code(happy.customer_id, happy.survey_id))
    rows.session.add(
        Delivery(
            brand_id=rows.brand.id,
            shop_id=rows.shop.id,
            source="checkout",
            topic="order.paid",
            external_id="d-1",
            body=b"{}",
            status=DeliveryStatus.processed,
            received_at=START,
        )
    )
    return happy.customer_id


async def test_another_brands_rows_cannot_be_reached(context, session, rows, brand, open_client):
    async with context.sessions.begin() as other:
        rival = await add_brand(other, "rival", name="Rival")
        shop, _ = await add_shop(
            other, context.tokens, rival, "rival", name="Rival", actor=cli_actor(rival.id)
        )
    ours = await fill_every_list(rows)
    theirs = await fill_every_list(Rows(session, rival, shop))
    await session.commit()
    mine, foreign = await open_client(brand, *EVERYTHING), await open_client(rival, *EVERYTHING)
    for path in LISTS:
        pages = [(await client.get(f"/{path}")).json()["data"] for client in (mine, foreign)]
        own, other = ({row["id"] for row in page} for page in pages)
        assert own, path
        assert other, path
        assert not own & other, path
    for client, own, other in ((mine, ours, theirs), (foreign, theirs, ours)):
        assert (await client.get(f"/customers/{public_id('cus', own)}")).status_code == 200
        assert (await client.get(f"/customers/{public_id('cus', other)}")).status_code == 404
        assert (await client.get("/nps")).json()["responses"] == 1


async def test_brand_fields_change_and_stay(client):
    answer = await client.patch(
        "/brand",
        json={
            "name": "Acme & Co",
            "branding": {"accent": "#0F5FA8"},
            "countries": {"DE": {"email_basis": "consent"}},
        },
    )
    assert answer.status_code == 200, answer.text
    found = (await client.get("/brand")).json()
    assert (found["name"], found["branding"], found["slug"]) == ("Acme & Co", {"accent": "#0f5fa8"}, "acme")
    assert found["countries"] == {"DE": {"email_basis": "consent"}}
    assert found["postal_address"] == "1 Main St, Berlin"


@pytest.mark.parametrize(
    ("path", "body", "code"),
    [
        ("/brand", {"slug": "x"}, "invalid"),
        ("/brand", {"name": None}, "invalid"),
        ("/brand", {"name": "a\u0000b"}, "invalid"),
        ("/brand", {"time_zone": "Mars/Olympus"}, "invalid"),
        ("/brand", {"email_from": "a@b.c\r\nBcc: x@y.z"}, "invalid"),
        ("/brand", {"countries": {"Germany": {}}}, "invalid"),
        ("/brand", {"branding": {"accent": "red"}}, "bad_colour"),
        ("/brand", {"branding": {"heading": "comic"}}, "invalid"),
        ("/brand", {"branding": {"greeting": ""}}, "invalid"),
        ("/brand", {"branding": {"pitch": {"German": "x" * 241}}}, "invalid"),
        ("/brand", {"branding": {"pitch": {"fr": "Des capes."}}}, "invalid"),
        ("/brand", {"branding": {"logo": {"file": "x.png", "width": 1, "height": 1}}}, "invalid"),
        ("/brand", {"branding": {"logo_url": "https://acme.example/logo.png"}}, "invalid"),
        ("/shops/acme", {"currency": "USD"}, "invalid"),
        ("/shops/acme", {"url": "ftp://x"}, "invalid"),
    ],
)
async def test_a_change_that_cannot_be_is_refused(client, path, body, code):
    answer = await client.patch(path, json=body)
    assert (answer.status_code, answer.json()["code"]) == (422, code)


async def test_a_brand_may_have_any_colour_and_texts_of_its_own(client):
    wanted = {"accent": "#ffe000", "heading": "serif", "pitch": {"en": "Capes.", "de": "Capes aus Leipzig."}}
    await client.patch("/brand", json={"branding": wanted | {"noun": "your first cape"}})
    await client.patch("/brand", json={"branding": {"noun": None}})
    assert (await client.get("/brand")).json()["branding"] == wanted | {"noun": None}
    long = await client.patch("/brand", json={"branding": {"noun": {"de-AT": "x" * 241}}})
    assert "body.branding.noun.by_language.de-AT: String should have at most 240" in long.json()["detail"]


async def test_shops_are_listed_and_changed(client):
    assert (await client.patch("/shops/acme", json={"name": "Acme DE"})).json()["name"] == "Acme DE"
    (shop,) = (await client.get("/shops")).json()["data"]
    assert (shop["slug"], shop["name"], shop["currency"]) == ("acme", "Acme DE", "EUR")
    assert "secret" not in json.dumps(shop)
    for unknown in ("nobody", "%00", "a" * 300):
        assert (await client.patch(f"/shops/{unknown}", json={})).status_code in (404, 422)


async def test_sender_and_shop_address_need_an_administrator_and_the_brands_domains(
    context, client, open_client, brand
):
    changes = (
        ("/brand", "email_from", "hello@acme.example", "hello@evil.example"),
        ("/shops/acme", "url", "https://www.acme.example/de", "https://acme.example.evil.example"),
    )
    admin = await open_client(brand, Scope.admin)
    for path, field, own, foreign in changes:
        refused = await client.patch(path, json={field: own})
        assert (refused.status_code, refused.json()["code"]) == (403, "missing_scope")
        assert (await admin.patch(path, json={field: own})).json()[field] == own
        refused = await admin.patch(path, json={field: foreign, "name": "Evil"})
        assert (refused.status_code, refused.json()["code"]) == (422, "domain_not_allowed")
        assert (await admin.get("/brand")).json()["name"] == "Acme Goods"
    async with context.sessions.begin() as session:
        added = ["Shop.Example", "Grün.example"]
        await change_domains(session, brand.id, add=added, actor=cli_actor(brand.id))
    allowed = ["acme.example", "shop.example", "xn--grn-ioa.example"]
    assert (await admin.get("/brand")).json()["domains"] == allowed
    umlaut = await admin.patch("/brand", json={"email_from": "hallo@grün.example"})
    assert umlaut.json()["email_from"] == "hallo@grün.example"
    nobody = await admin.patch("/brand", json={"email_from": "jörg@acme.example"})
    assert (nobody.status_code, nobody.json()["code"]) == (422, "bad_email")
    taken = await admin.patch("/shops/acme", json={"url": "https://de.shop.example"})
    assert taken.json()["url"] == "https://de.shop.example"
    assert (await admin.patch("/shops/acme", json={"url": None})).json()["url"] is None
    assert (await admin.patch("/brand", json={"domains": ["evil.example"]})).status_code == 422


async def test_a_brands_legal_pages_are_web_addresses(client):
    urls = {f"{name}_url": f"https://acme.example/{name}" for name in ("privacy", "terms", "imprint")}
    assert (await client.patch("/brand", json=urls)).status_code == 200
    assert urls.items() <= (await client.get("/brand")).json().items()
    assert (await client.patch("/brand", json={"terms_url": None})).json()["terms_url"] is None
    assert (await client.get("/brand")).json()["address_form"] == "formal"
    informal = await client.patch("/brand", json={"address_form": "informal"})
    assert informal.json()["address_form"] == "informal"
    assert (await client.patch("/brand", json={"address_form": None})).status_code == 422
    for wrong in ("javascript:alert(1)", "/terms", "https://a b"):
        assert (await client.patch("/brand", json={"terms_url": wrong})).status_code == 422


async def test_a_patch_keeps_what_it_leaves_out(client):
    await client.put("/programme", json={"survey": {"delay_hours": 5}, "offers_enabled": False})
    patched = await client.patch(
        "/programme", json={"survey": {"recontact_days": 7, "fallback_days": {"paid": None}}}
    )
    assert (patched.status_code, patched.headers["etag"]) == (200, '"3"'), patched.text
    survey = patched.json()["survey"]
    assert (survey["delay_hours"], survey["recontact_days"]) == (5, 7)
    assert survey["fallback_days"] == {"fulfilled": 7, "paid": None}
    assert patched.json()["offers_enabled"] is False
    back = await client.patch("/programme", json={"survey": {"delay_hours": None, "quiet_hours": None}})
    survey = back.json()["survey"]
    assert (survey["delay_hours"], survey["quiet_hours"], survey["recontact_days"]) == (72, None, 7)
    assert (await client.patch("/programme", json={})).headers["etag"] == '"4"'
    assert (await client.patch("/programme", json={"reward": None})).json()["reward"] == (
        Programme().as_json()["reward"]
    )


@pytest.mark.parametrize(
    "patch",
    [
        [],
        "x",
        None,
        {"surveys": None},
        {"survey": {"delay": 1}},
        {"survey": {"delay_hours": -1}},
        {"survey": 3},
        {"survey": {"quiet_hours": {"from": "09:00"}}},
        {"starts_at": "2026-05-01T00:00:00"},
    ],
)
async def test_a_patch_that_cannot_be_changes_nothing(client, patch):
    answer = await client.patch("/programme", json=patch)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid"), answer.text
    assert (await client.get("/programme")).headers["etag"] == '"1"'


async def test_a_put_keeps_the_switches_and_dates_it_leaves_out(client):
    await client.put(
        "/programme",
        json={"survey": {"delay_hours": 5}, "surveys_enabled": False, "ends_at": "2026-05-01T00:00:00Z"},
    )
    kept = (await client.put("/programme", json={})).json()
    assert (kept["surveys_enabled"], kept["ends_at"]) == (False, "2026-05-01T00:00:00Z")
    assert kept["survey"] == Programme().as_json()["survey"]
    late = await client.put("/programme", json={"starts_at": "2026-06-01T00:00:00Z"})
    assert (late.status_code, late.json()["code"]) == (422, "invalid"), "it would end before it starts"
    on = (await client.put("/programme", json={"surveys_enabled": True, "ends_at": None})).json()
    assert (on["surveys_enabled"], on["ends_at"]) == (True, None)


async def test_a_change_based_on_a_former_version_is_refused(client):
    first = (await client.get("/programme")).headers["etag"]
    changed = await client.patch(
        "/programme", json={"reward": {"value": "5.00"}}, headers={"If-Match": first}
    )
    assert changed.status_code == 200
    for method in ("PUT", "PATCH"):
        for tag in (first, f"W/{changed.headers['etag']}", '"x"', "3"):
            late = await client.request(method, "/programme", json={}, headers={"If-Match": tag})
            assert (late.status_code, late.json()["code"]) == (412, "precondition_failed")
    for tag in ("*", changed.headers["etag"], f'"99", {changed.headers["etag"]}'):
        assert (await client.patch("/programme", json={}, headers={"If-Match": tag})).status_code == 200


async def test_of_many_changes_based_on_one_version_one_wins(client):
    headers = {"If-Match": (await client.get("/programme")).headers["etag"]}
    answers = await asyncio.gather(
        *(
            client.patch("/programme", json={"survey": {"delay_hours": hours}}, headers=headers)
            for hours in range(8)
        )
    )
    assert sorted(answer.status_code for answer in answers) == [200, *[412] * 7]
    (won,) = [answer.json()["survey"]["delay_hours"] for answer in answers if answer.status_code == 200]
    assert (await client.get("/programme")).json()["survey"]["delay_hours"] == won


async def test_every_version_of_the_programme_is_listed(client):
    for hours in (1, 2, 3):
        await client.patch("/programme", json={"survey": {"delay_hours": hours}})
    page = (await client.get("/programme/versions", params={"limit": 3})).json()
    assert [row["version"] for row in page["data"]] == [4, 3, 2]
    assert page["data"][0]["programme"] == (await client.get("/programme")).json()
    assert page["data"][0]["author"].startswith("key_")
    rest = await client.get("/programme/versions", params={"limit": 3, "cursor": page["next_cursor"]})
    assert [(row["version"], row["author"]) for row in rest.json()["data"]] == [(1, "defaults")]
    assert rest.json()["next_cursor"] is None


async def test_put_terms_take_defaults_for_what_is_left_out_and_come_back_as_put(client):
    assert (await client.get("/programme")).json() == Programme().as_json()
    await client.put("/programme", json={"survey": {"delay_hours": 5}, "reward": {"value": "12.50"}})
    shown_terms = (await client.get("/programme")).json()
    assert (shown_terms["survey"]["delay_hours"], shown_terms["reward"]["value"]) == (5, "12.50")
    assert (await client.put("/programme", json=shown_terms)).json() == shown_terms
    assert (await client.get("/programme")).headers["etag"] == '"2"'
    await client.put("/programme", json={})
    assert (await client.get("/programme")).json() == Programme().as_json()
    for wrong in (
        {"surveys": {}},
        {"survey": {"delay": 1}},
        {"reward": {"value": 1.5}},
        {"survey": {"quiet_hours": {"from": "9"}}},
        [],
    ):
        assert (await client.put("/programme", json=wrong)).status_code == 422


async def test_lists_page_through_all_rows_once(session, rows, client):
    for _ in range(7):
        await rows.order(await rows.customer())
    await session.commit()
    found, cursor, pages = [], None, 0
    while True:
        page = (
            await client.get("/orders", params={"limit": 3} | ({"cursor": cursor} if cursor else {}))
        ).json()
        found += [row["id"] for row in page["data"]]
        pages += 1
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert (len(found), len(set(found)), pages) == (7, 7, 3)
    assert found == sorted(found, reverse=True)


@pytest.mark.parametrize(
    "params",
    [{"cursor": "x"}, {"cursor": "A" * 44}, {"limit": 0}, {"limit": 101}, {"limit": "x"}, {"status": "odd"}],
)
async def test_a_page_that_cannot_be_is_a_422(client, params):
    assert (await client.get("/orders", params=params)).status_code == 422


async def test_a_cursor_of_another_brand_is_refused(context, client, open_client):
    foreign = context.tokens.link("cursor", 999, new_id())
    assert (await client.get("/orders", params={"cursor": foreign})).json()["code"] == "bad_cursor"


async def test_rows_carry_the_contracts_fields(session, rows, client):
    happy = await rows.answer(10, comment="=cmd()")
    code = await rows.code(happy.customer_id, happy.survey_id)
    await rows.redemption(code)
    await rows.redemption(code, RedemptionStatus.refused)
    session.add(
        Delivery(
            brand_id=rows.brand.id,
            shop_id=rows.shop.id,
            source="checkout",
            topic="order.paid",
            external_id="m1",
            body=b"{}",
            status=DeliveryStatus.failed,
            reason="No.",
            received_at=START,
            processed_at=START,
        )
    )
    await session.commit()
    wanted = {
        "deliveries": "shop source topic external_id status reason",
        "orders": "shop external_id number customer total currency placed_at status",
        "surveys": "order customer status reason due_at channel",
        "customers": "email phone name",
        "responses": "survey customer score band comment channel",
        "messages": "customer template channel status due_at sent_at attempts",
        "codes": "code kind referrer uses max_uses expires_at status",
        "redemptions": "code referrer order_number amount_off status reason",
        "rewards": "redemption referrer kind amount net_amount currency status",
        "ledger": "transaction account amount currency cause occurred_at posted_on",
    }
    prefixes = {
        "rewards": "rwd",
        "deliveries": "dlv",
        "customers": "cus",
        "responses": "rsp",
        "messages": "msg",
        "ledger": "led",
    }
    for path, names in wanted.items():
        answer = await client.get(f"/{path}")
        assert answer.status_code == 200, answer.text
        row = answer.json()["data"][0]
        assert {"id", "created_at", *names.split()} <= set(row), path
        assert row["id"].startswith(prefixes.get(path, path[:3]) + "_")
    refused, won = (await client.get("/redemptions")).json()["data"]
    assert (won["amount_off"], won["status"], won["reason"]) == ("8.00", "approved", None)
    assert (refused["status"], refused["reason"]) == ("refused", "minimum_not_met")
    (reward,) = (await client.get("/rewards")).json()["data"]
    assert (reward["id"][:4], reward["amount"], reward["net_amount"], reward["redemption"]) == (
        "rwd_",
        "10.00",
        "10.00",
        won["id"],
    )
    (shown_code,) = (await client.get("/codes")).json()["data"]
    assert (shown_code["uses"], shown_code["status"]) == (1, "active")
    amounts = {
        row["account"]: row["amount"]
        for row in (await client.get("/ledger", params={"redemption": won["id"]})).json()["data"]
    }
    assert amounts == {
        "reward_cost": "10.00",
        "referrers": "-10.00",
        "discount_cost": "8.00",
        "friends": "-8.00",
    }


async def test_filters_find_their_rows(session, rows, client):
    await rows.answer(10, comment="100% good")
    await rows.answer(8, comment="fine")
    await rows.answer(1)
    await rows.survey(await rows.order(await rows.customer()), SurveyStatus.skipped)
    await session.commit()

    async def count(path, **params):
        answer = await client.get(path, params=params)
        assert answer.status_code == 200, answer.text
        return len(answer.json()["data"])

    assert [await count("/responses", band=band) for band in ("promoter", "passive", "detractor")] == [
        1,
        1,
        1,
    ]
    assert [await count("/responses", q=q) for q in ("GOOD", "%", "_", "nothing")] == [1, 0, 0, 0]
    assert await count("/responses", **{"from": "2026-03-02", "to": "2026-03-03"}) == 3
    assert await count("/responses", **{"from": "2026-03-03"}) == 0
    assert await count("/surveys", status="skipped") == 1
    assert await count("/messages", template="survey", status="delivered") == 3
    assert await count("/messages", template="offer") == 0
    assert (await client.get("/responses", params={"q": "\x00"})).status_code == 422
    assert (await client.get("/orders", params={"customer": "cus_wrong"})).status_code == 404


async def test_personal_fields_are_masked_without_pii(session, rows, open_client, brand):
    person = await rows.customer(
        email="ana@example.com", phone="+4915112345678", first_name="Ana", last_name="Ito"
    )
    survey = await rows.survey(await rows.order(person))
    message = await rows.message(SURVEY, person.id, survey.id)
    await session.commit()
    reader = await open_client(brand, Scope.read)
    path = f"/customers/{public_id('cus', person.id)}"
    masked = (await reader.get(path)).json()
    assert (masked["email"], masked["phone"], masked["name"]) == ("a***@***", "***78", "A***")
    letter = (await reader.get(f"/messages/{public_id('msg', message.id)}")).json()
    assert (letter["subject"], letter["html"], letter["text"]) == (None, None, None)
    listed = (
        (await reader.get("/customers")).text
        + (await reader.get("/exports/referrers.csv")).text
        + json.dumps(masked)
    )
    assert "ana@" not in listed
    assert "Ito" not in listed
    assert (await reader.get("/customers", params={"email": "ana@example.com"})).status_code == 403
    full = await open_client(brand, Scope.read, Scope.pii)
    assert (await full.get(path)).json()["email"] == "ana@example.com"
    assert len((await full.get("/customers", params={"email": "ANA@example.com"})).json()["data"]) == 1


async def test_names_in_codes_consents_and_free_reasons_are_masked_without_pii(
    session, rows, open_client, brand
):
    happy = await rows.answer(10)
    code = await rows.code(happy.customer_id, happy.survey_id, code="ANAITO7K4QX", display="ANAITO-7K4QX")
    redemption = await rows.redemption(code, RedemptionStatus.pending)
    redemption.status, redemption.reason = RedemptionStatus.rejected, "Ana Ito is her own friend"
    moment = {"brand_id": brand.id, "customer_id": happy.customer_id, "channel": Channel.sms, "at": START}
    source = "call with Ana Ito, 0170 123 45 67"
    session.add(ConsentFact(**moment, given=True, source=source))
    await rows.message(
        SURVEY,
        happy.customer_id,
        happy.survey_id,
        step=1,
        status=MessageStatus.failed,
        reason="550 +49 170 123 45 67 is unknown",
    )
    await session.commit()
    reader = await open_client(brand, Scope.read)
    full = await open_client(brand, Scope.read, Scope.pii)
    paths = [
        *("/codes", "/redemptions", "/orders", "/messages", "/deliveries", "/rewards"),
        *(f"/exports/{name}.csv" for name in ExportName),
        f"/customers/{public_id('cus', happy.customer_id)}",
    ]
    masked = {path: (await reader.get(path)).text.casefold() for path in paths}
    shown = {path: (await full.get(path)).text.casefold() for path in paths}
    for secret in ("anaito", "ana ito", "123 45 67"):
        assert [path for path in paths if secret in masked[path]] == []
        assert any(secret in shown[path] for path in paths)
    assert "***-7k4qx" in masked["/codes"]


async def test_comments_come_without_addresses_and_cannot_be_searched_without_pii(
    session, rows, open_client, brand
):
    happy = await rows.answer(10, comment="Great! Write to ana.ito@example.com or +4915112345678")
    await rows.answer(9)
    await session.commit()
    paths = ("/responses", "/exports/responses.csv", f"/customers/{public_id('cus', happy.customer_id)}")
    reader = await open_client(brand, Scope.read)
    full = await open_client(brand, Scope.read, Scope.pii)
    for path in paths:
        masked, whole = (await reader.get(path)).text, (await full.get(path)).text
        assert "Great! Write to … or …" in masked, path
        assert "ana.ito@example.com or +4915112345678" in whole, path
    refused = await reader.get("/responses", params={"q": "ana.i"})
    assert (refused.status_code, refused.json()["code"]) == (403, "missing_scope")
    assert len((await full.get("/responses", params={"q": "ana.i"})).json()["data"]) == 1


async def test_the_overviews_comments_come_without_addresses_unless_people_are_seen(session, rows, brand):
    await rows.answer(10, comment="Write to ana.ito@example.com")
    await rows.answer(9)
    found = await overview(session, brand, Period())
    said = {
        pii: {row.comment or "" for row in overview_values(found, brand, pii=pii)["latest"]}
        for pii in (False, True)
    }
    assert said == {False: {"Write to …", ""}, True: {"Write to ana.ito@example.com", ""}}


async def test_numbers_are_of_one_shop_where_it_is_named_and_say_as_of_when(session, rows, brand, client):
    await rows.answer(10)
    await session.commit()
    for path, name in (("/nps", "promoters"), ("/funnel", "promoters"), ("/overview", "events")):
        whole, of_shop = (
            (await client.get(path)).json(),
            (await client.get(path, params={"shop": "acme"})).json(),
        )
        assert whole == of_shop, path
        assert whole[name] in (1, {**whole["events"], "promoters": 1} if name == "events" else 1)
        assert whole["as_of"] is None, "a small brand's numbers are of this moment"
        unknown = await client.get(path, params={"shop": "elsewhere"})
        assert (unknown.status_code, unknown.json()["code"]) == (404, "not_found")
    await roll(session, brand.id, now=START, rolled_from=0)
    await roll(session, brand.id, now=START, rolled_from=0)
    await session.commit()
    assert (await client.get("/nps")).json()["as_of"] == "2026-03-02T09:00:00Z"
    inside_of_a_day = (await client.get("/nps", params={"from": "2026-03-02T10:00:00"})).json()
    assert (inside_of_a_day["as_of"], inside_of_a_day["promoters"]) == (None, 1)


async def test_a_message_is_shown_as_sent_with_its_attempts(session, rows, client):
    person = await rows.customer()
    survey = await rows.survey(await rows.order(person))
    message = await rows.message(SURVEY, person.id, survey.id, status=MessageStatus.accepted)
    await session.commit()
    letter = (await client.get(f"/messages/{public_id('msg', message.id)}")).json()
    assert letter["subject"]
    assert "Mug" in letter["text"] + letter["html"]
    assert [attempt["status"] for attempt in letter["attempts"]] == ["accepted"]
    assert letter["provider_events"] == []


async def test_what_the_dashboards_screens_show_is_in_the_api(session, rows, brand, client, open_client):
    happy = await rows.answer(10, answered_at=clock.now(), order={"placed_at": clock.now()})
    code = await rows.code(happy.customer_id, happy.survey_id)
    await rows.redemption(code, RedemptionStatus.in_review, placed_at=clock.now())
    await session.commit()
    today = clock.now().date()
    period = {"from": str(today - timedelta(days=6)), "to": str(today + timedelta(days=1))}
    shown = (await client.get("/overview", params=period)).json()
    assert (shown["score"]["responses"], shown["score_before"]["responses"]) == (1, 0)
    assert shown["events"]["redemptions"] == 1
    assert shown["chances"]["promoters"] == 1
    assert (await client.get("/overview")).json()["events_before"] is None
    waiting = (await client.get("/waiting")).json()
    assert waiting["redemptions_in_review"]["count"] == 1
    assert waiting["first_steps"] == {
        "shop_added": True,
        "delivery_received": False,
        "provider_set": False,
        "programme_saved": False,
        "trial_sent": False,
        "survey_sent": True,
    }
    person = (await client.get(f"/customers/{public_id('cus', happy.customer_id)}/summary")).json()
    assert [each["code"] for each in person["codes"]] == [code.display]
    assert person["friends"] == [{"currency": "EUR", "orders": 1, "amount": "72.00"}]
    assert {each["channel"]: each["allowed"] for each in person["reach"]} == {"email": True, "sms": False}
    assert (await client.get("/system")).status_code == 403
    admin = await open_client(brand, Scope.admin)
    system = (await admin.get("/system")).json()
    assert (system["deliveries_waiting"], system["shops"][0]["last_delivery_at"]) == (0, None)


async def test_a_person_comes_with_their_time_line(session, rows, client):
    happy = await rows.answer(10, comment="Lovely")
    await session.commit()
    person = (await client.get(f"/customers/{public_id('cus', happy.customer_id)}")).json()
    assert {"order", "survey_answered", "message_delivered", "response"} <= {
        each["kind"] for each in person["timeline"]
    }
    assert all({"at", "kind", "text"} <= set(each) for each in person["timeline"])


@pytest.mark.parametrize(
    "path", ["/customers/x", "/customers/cus_00000000000000000000000000", "/messages/msg_x", "/customers/%00"]
)
async def test_an_unknown_id_is_a_404(client, path):
    assert (await client.get(path)).status_code in (404, 422)


async def test_a_failed_delivery_is_replayed_and_a_processed_one_is_not(context, session, rows, client):
    events = [
        Delivery(
            brand_id=rows.brand.id,
            shop_id=rows.shop.id,
            source="checkout",
            topic="order.paid",
            external_id=status,
            body=b"{}",
            status=status,
            reason="No." if status == "failed" else None,
            received_at=START,
            processed_at=START,
        )
        for status in (DeliveryStatus.failed, DeliveryStatus.processed)
    ]
    session.add_all(events)
    await session.commit()
    failed, processed = (public_id("dlv", event.id) for event in events)
    assert [
        row["id"] for row in (await client.get("/deliveries", params={"status": "failed"})).json()["data"]
    ] == [failed]
    replayed = await client.post(f"/deliveries/{failed}/replay")
    assert (replayed.status_code, replayed.json()["status"], replayed.json()["reason"]) == (200, "new", None)
    assert (await client.post(f"/deliveries/{processed}/replay")).status_code == 409
    assert (await client.post(f"/deliveries/{public_id('evt', new_id())}/replay")).status_code == 404


async def test_a_repeated_write_gets_the_first_response_and_a_different_body_is_refused(client):
    first = await client.patch("/brand", json={"name": "One"}, headers={"Idempotency-Key": "k1"})
    await client.patch("/brand", json={"name": "Two"})
    again = await client.patch("/brand", json={"name": "One"}, headers={"Idempotency-Key": "k1"})
    assert again.json() == first.json()
    assert (await client.get("/brand")).json()["name"] == "Two"
    other = await client.patch("/brand", json={"name": "Three"}, headers={"Idempotency-Key": "k1"})
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")


async def test_a_failed_write_is_not_stored_under_its_idempotency_key(client):
    headers = {"Idempotency-Key": "k2"}
    path = "/codes/ABC/disable"
    assert (await client.post(path, headers=headers)).status_code == 404
    assert (await client.post(path, headers=headers)).status_code == 404


async def test_a_code_is_disabled_once_and_for_all(session, rows, client):
    happy = await rows.answer(10)
    code = await rows.code(happy.customer_id, happy.survey_id)
    await session.commit()
    for _ in range(2):
        answer = await client.post(f"/codes/{code.display.lower()}/disable")
        assert (answer.status_code, answer.json()["status"]) == (200, "disabled")
    assert (await client.post("/codes/NOSUCH/disable")).status_code == 404


async def test_scores_and_funnels_are_served_over_http(session, rows, client):
    await rows.answer(10)
    await rows.answer(2)
    await session.commit()
    facts = (await client.get("/nps", params={"from": "2026-03-01", "to": "2026-04-01", "by": "week"})).json()
    assert (facts["responses"], facts["nps"], facts["groups"][0]["key"]) == (2, 0.0, "2026-03-02")
    assert (await client.get("/funnel")).json()["answered"] == 2
    for params in ({"from": "x"}, {"by": "moon"}, {"from": "2026-04-01", "to": "2026-03-01"}):
        assert (await client.get("/nps", params=params)).status_code == 422
    for path in ("/nps", "/funnel", "/responses"):
        for params in (
            {"from": "0001-01-02"},
            {"to": "9999-12-31"},
            {"from": "0001-01-02", "to": "9999-12-30"},
        ):
            answer = await client.get(path, params=params)
            assert (answer.status_code, answer.json()["code"]) == (422, "bad_period"), (path, params)
        assert (await client.get(path, params={"from": "1970-01-01", "to": "2200-12-31"})).status_code == 200
    for by in ("month", "product", "country", "channel", "locale", "shop"):
        assert (
            sum(
                group["responses"] for group in (await client.get("/nps", params={"by": by})).json()["groups"]
            )
            == 2
        )


async def test_exports_are_streamed_and_formula_safe(session, rows, client):
    happy = await rows.answer(10, comment='=HYPERLINK("http://evil")\nsecond line')
    code = await rows.code(happy.customer_id, happy.survey_id)
    await rows.redemption(code)
    await session.commit()

    async def read(what):
        answer = await client.get(f"/exports/{what}.csv")
        assert answer.status_code == 200, answer.text
        assert answer.headers["content-type"] == "text/csv; charset=utf-8"
        assert answer.content.startswith(b"\xef\xbb\xbf"), "Excel reads it as UTF-8"
        return list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"), newline="")))

    (response,) = await read("responses")
    assert response["comment"] == '\'=HYPERLINK("http://evil")\nsecond line'
    assert (response["score"], response["band"], response["testimonial_consent"]) == (
        "10",
        "promoter",
        "false",
    )
    assert sorted(row["amount"] for row in await read("ledger")) == ["-10.00", "-8.00", "10.00", "8.00"]
    (referrer,) = await read("referrers")
    assert (referrer["codes"], referrer["redemptions"], referrer["approved"], referrer["visits"]) == (
        "1",
        "1",
        "1",
        "0",
    )
    assert (await read("codes"))[0]["discount_kind"] == "percent"
    assert (await read("redemptions"))[0]["amount_off"] == "8.00"
    assert (await client.get("/exports/passwords.csv")).status_code == 422


@pytest.mark.parametrize(
    ("value", "safe"),
    [
        ("=1+1", "'=1+1"),
        ("+49151", "'+49151"),
        ("-1.50", "-1.50"),
        ("-1+2", "'-1+2"),
        ("@x", "'@x"),
        ("\tx", "'\tx"),
        (" =1", "' =1"),
        ("gut;=1+1", "gut;'=1+1"),
        ('gut; "=1+1"', 'gut;\' "=1+1"'),
        ("gut\t@x\n-1+1", "gut\t'@x\n'-1+1"),
        ("\uff1d1+1", "'\uff1d1+1"),
        ("gut; danke - bis bald", "gut; danke - bis bald"),
        (None, ""),
        (5, "5"),
        (True, "true"),
    ],
)
def test_a_cell_never_begins_a_formula(value, safe):
    assert cell(value) == safe


async def test_lists_take_the_same_number_of_queries_however_long_they_are(context, session, rows, client):
    from sqlalchemy import event as sa_event

    counted = []
    sa_event.listen(
        context.engine.sync_engine, "before_cursor_execute", lambda *args: counted.append(args[2])
    )

    async def queries(path):
        counted.clear()
        assert (await client.get(path)).status_code == 200
        # The key is read again every few seconds, whatever is requested.
        return len([each for each in counted if "api_keys" not in each])

    happy = await rows.answer(10)
    code = await rows.code(happy.customer_id, happy.survey_id)
    await rows.redemption(code)
    await session.commit()
    paths = (
        "/customers",
        "/orders",
        "/surveys",
        "/responses",
        "/messages",
        "/codes",
        "/redemptions",
        "/rewards",
        "/ledger",
        "/funnel",
        "/nps",
    )
    few = {path: await queries(path) for path in paths}
    for _ in range(5):
        await rows.redemption(code)
        await rows.answer(9)
    await session.commit()
    assert {path: await queries(path) for path in paths} == few
    assert (await session.scalar(select(Delivery.id))) is None


async def test_a_shop_of_another_brand_is_no_shop_of_ours(context, client):
    async with context.sessions.begin() as other:
        rival = await add_brand(other, "rival", name="Rival")
        await add_shop(other, context.tokens, rival, "rival", name="Rival", actor=cli_actor(rival.id))
    assert (await client.patch("/shops/rival", json={"name": "Taken"})).status_code == 404
