"""Rewards: what is owed, to whom, and the ledger's entries behind every amount."""

import re
from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import select

from app.admin.rules import Role, Scope
from app.base import clock
from app.base.actor import cli_actor
from app.base.ids import new_id, public_id
from app.base.money import Money
from app.ledger.models import LedgerEntry
from app.ledger.post import LedgerTransaction, post_entries
from app.ledger.rules import CauseKind, LedgerAccount
from app.referrals.goodwill import Grant, grant_goodwill
from app.referrals.models import Referrer
from app.referrals.rules import RedemptionStatus
from tests.support.browser import needs_chromium, serve
from tests.support.dashboard import check_screen, dashboard_app, sign_in_as, signed_in_page
from tests.support.forms import send_form
from tests.support.keys import api_of
from tests.support.staff import link_for


async def two_rewards(rows, session):
    """A referrer with two rewards of 10.00, of one of which 3.00 were taken back."""
    happy = await rows.answer(10)
    code = await rows.code(happy.customer_id, happy.survey_id)
    first, _ = await rows.redemption(code), await rows.redemption(code)
    await rows.redemption(code, RedemptionStatus.refused)
    await rows.book(first, LedgerAccount.reward_cost, LedgerAccount.referrers, -300, key="less")
    await session.commit()
    return code, first


async def test_each_amount_of_the_liability_is_what_its_entries_add_up_to(context, brand, session, rows):
    code, first = await two_rewards(rows, session)
    referrer = public_id("ref", code.referrer_id)
    async with await api_of(context, brand, Scope.read, Scope.pii) as api:
        [owed] = (await api.get("/rewards/liability")).json()["data"]
        assert owed == {
            "currency": "EUR",
            "granted": "20.00",
            "reversed": "3.00",
            "used": "0.00",
            "expired": "0.00",
            "outstanding": "17.00",
            "balances": True,
        }
        for account, expected in (("referrers", -17), ("reward_cost", 17), ("leaked_discount", 8)):
            found = (await api.get("/ledger", params={"account": account})).json()["data"]
            assert sum(float(each["amount"]) for each in found) == expected
        [balance] = (await api.get("/rewards/balances")).json()["data"]
        assert (balance["referrer"], balance["by_currency"]) == (referrer, [owed])
        email = balance["customer"]["email"]
        assert "@example.com" in email
        for text in (email, code.display.lower(), referrer, balance["customer"]["id"]):
            assert len((await api.get("/rewards/balances", params={"q": text})).json()["data"]) == 1, text
        assert (await api.get("/rewards/balances", params={"q": "nobody"})).json()["data"] == []
        wanted = {
            f"referrer={referrer}&account=reward_cost": 3,
            f"cause={public_id('red', first.id)}": 6,
            "kind=adjustment": 0,
            "currency=EUR&kind=redemption": 12,
            "currency=JPY": 0,
            "to=2026-03-02": 0,
            "to=0001-01-01": 0,
            "from=9999-12-31": 0,
        }
        for query, number in wanted.items():
            assert len((await api.get(f"/ledger?{query}")).json()["data"]) == number, query
        assert (await api.get("/ledger?cause=txn_x")).status_code == 404
        totals = (await api.get("/ledger/totals")).json()
        assert (totals["balances"], totals["unbalanced"]) == (True, [])
        assert {each["account"]: each["balance"] for each in totals["accounts"]} == {
            "discount_cost": "16.00",
            "friends": "-24.00",
            "leaked_discount": "8.00",
            "referrers": "-17.00",
            "reward_cost": "17.00",
        }
        entry = (await api.get("/ledger?account=reward_cost")).json()["data"][0]
        transaction = (await api.get(f"/ledger/{entry['id']}")).json()
        assert (transaction["balances"], len(transaction["entries"])) == (True, 2)
        assert (await api.get(f"/ledger/{public_id('led', first.id)}")).status_code == 404
        now = clock.now()
        posted = (LedgerAccount.reward_cost, LedgerAccount.referrers, 100, "EUR", CauseKind.adjustment)
        await post_entries(session, brand, [LedgerTransaction("today", *posted, first.id, now)], now=now)
        await session.commit()
        today = now.astimezone(ZoneInfo(brand.time_zone)).date()
        for query in (f"from={today}&to={today + timedelta(days=1)}", f"cause={public_id('rwd', first.id)}"):
            assert len((await api.get(f"/ledger?{query}")).json()["data"]) == 2, query
        assert (await api.get("/rewards/liability")).json()["data"][0]["outstanding"] == "18.00"
    async with await api_of(context, brand, Scope.read) as api:
        masked = (await api.get("/rewards/balances")).json()["data"][0]["customer"]["email"]
        assert masked != email
        assert (await api.get("/rewards/balances", params={"q": email})).json()["data"] == []


async def test_the_screens_lead_from_an_amount_to_its_transaction(
    context, brand, shop, session, rows, client
):
    await sign_in_as(client, context, brand)
    assert "No reward yet" in (await client.get("/admin/rewards")).text
    assert "Nothing is posted yet" in (await client.get("/admin/ledger")).text
    code, first = await two_rewards(rows, session)
    text = (await client.get("/admin/rewards")).text
    assert "€17" in text
    assert "It balances" in text
    assert 'href="/admin/ledger?account=spent_rewards&amp;currency=EUR"' in text
    referrer = public_id("ref", code.referrer_id)
    path = f"/admin/ledger?referrer={referrer}&amp;account=referrers&amp;currency=EUR"
    assert f'href="{path}"' in text
    assert "No referrer has this code" in (await client.get("/admin/rewards?q=nobody")).text
    text = (await client.get(path.replace("&amp;", "&"))).text
    assert text.count("<tr data-item>") == 3
    assert f'href="/admin/orders/{public_id("red", first.id)}"' in text
    assert "All 12 lines together are zero" in text
    (opened, *_) = re.findall(r'href="(/admin/ledger/led_\w+)"', text)
    text = (await client.get(opened)).text
    assert "It adds up to zero" in text
    assert "Cost of rewards" in text
    for nonsense in ("?account=x", "?from=x", "?cause=x", "?referrer=x", "?cursor=x"):
        assert (await client.get(f"/admin/ledger{nonsense}")).headers["location"] == "/admin/ledger"
    half = await session.scalar(select(LedgerEntry).where(LedgerEntry.transaction_key == "less").limit(1))
    await rows._add(
        LedgerEntry(
            **{each.key: getattr(half, each.key) for each in LedgerEntry.__table__.columns}
            | {"id": first.id, "transaction_id": first.id, "transaction_key": "half", "amount": 100}
            # A day that is over has been added up.
            | {"posted_on": clock.now().date()}
        )
    )
    await session.commit()
    text = (await client.get("/admin/ledger")).text
    assert "It does not balance." in text
    assert public_id("txn", first.id) in text
    assert "It does not add up" in (await client.get(f"/admin/ledger/{public_id('led', first.id)}")).text


async def test_who_sees_some_shops_does_not_see_what_all_of_them_owe(context, brand, shop, client):
    link = await link_for(context, brand, Role.marketer, "zoe@example.com", shops=[shop.slug])
    await client.post(link)
    for path in ("/admin/rewards", "/admin/ledger"):
        shown = await client.get(path)
        assert shown.status_code == 403
        assert "some of its shops only" in shown.text


async def test_marketers_grant_goodwill_on_a_screen_and_keys_by_the_api(
    context, brand, session, rows, client
):
    code, _ = await two_rewards(rows, session)
    referrer = public_id("ref", code.referrer_id)
    customer_id = (await session.get_one(Referrer, (brand.id, code.referrer_id))).customer_id
    page = f"/admin/rewards/goodwill?referrer={referrer}"
    await sign_in_as(client, context, brand, Role.marketer)
    assert page in (await client.get("/admin/rewards")).text
    fields = {"referrer": referrer, "amount": "60.00", "reason": "a late parcel"}
    refused = await send_form(client, page, "/admin/rewards/goodwill", fields)
    assert refused.status_code == 422
    assert "You may grant this referrer 50.00 EUR more" in refused.text
    wrong = await send_form(client, page, "/admin/rewards/goodwill", fields | {"amount": "x", "reason": ""})
    assert "Say what it is for." in wrong.text
    pressed = fields | {"amount": "12.50", "once": public_id("rwd", new_id())}
    granted = await send_form(client, page, "/admin/rewards/goodwill", pressed)
    assert granted.headers["location"] == f"/admin/rewards?q={referrer}"
    text = (await client.get(granted.headers["location"])).text
    assert "no message is sent, so write to them" in text
    assert "€29.50" in text
    twice = await send_form(client, page, "/admin/rewards/goodwill", pressed)
    assert "This was granted already, once" in twice.text
    [taking] = re.findall(
        r'action="(/admin/rewards/goodwill/rwd_\w+/take-back)"', (await client.get(page)).text
    )
    assert page in (await client.get(f"/admin/customers/{public_id('cus', customer_id)}")).text
    refused = await send_form(client, page, taking, {"reason": " "})
    assert refused.headers["location"] == page
    assert "Say why it is taken back." in (await client.get(page)).text
    await send_form(client, page, taking, {"reason": "the wrong person"})
    text = (await client.get(page)).text
    assert "Taken back. No message is sent" in text
    assert "nothing left" in text
    assert "goodwill taken back" in (await client.get(f"/admin/ledger?referrer={referrer}")).text
    assert (await client.get(granted.headers["location"])).text.count("€17") > 1
    await send_form(client, page, "/admin/rewards/goodwill", fields | {"amount": "12.50"})
    assert (await client.get("/admin/rewards/goodwill?referrer=ref_x")).status_code == 404
    body = {"referrer": referrer, "amount": "40.00", "currency": "EUR", "reason": "a birthday"}
    async with await api_of(context, brand, Scope.read, Scope.write) as api:
        answer = await api.post("/rewards", json=body)
        assert (answer.status_code, answer.json()["code"]) == (409, "above_limit")
        assert (await api.post("/rewards", json=body | {"amount": "1.234"})).json()["code"] == "bad_amount"
        made = await api.post("/rewards", json=body | {"amount": "5"})
        assert made.status_code == 201, made.text
        assert (made.json()["redemption"], made.json()["amount"]) == (None, "5.00")
        path = f"/rewards/{made.json()['id']}/take-back"
        taken = await api.post(path, json={"reason": "a mistake"})
        assert (taken.json()["status"], taken.json()["net_amount"]) == ("reversed", "0.00")
        assert (await api.post(path, json={"reason": "a mistake"})).json()["code"] == "nothing_left"
        granted = (await api.get("/rewards?status=granted")).json()["data"]
        other = next(each for each in granted if each["redemption"])
        answer = await api.post(f"/rewards/{other['id']}/take-back", json={"reason": "x"})
        assert answer.json()["code"] == "not_goodwill"
    async with await api_of(context, brand, Scope.admin) as api:
        assert (await api.post("/rewards", json=body)).status_code == 201
        assert len((await api.get("/ledger?kind=adjustment&account=reward_cost")).json()["data"]) == 4


@pytest.mark.browser
@pytest.mark.slow
@needs_chromium
async def test_what_is_owed_and_decided_is_accessible_and_fits_every_width(
    context, brand, session, rows, browser
):
    code, _ = await two_rewards(rows, session)
    for _ in range(2):
        held = await rows.redemption(code, RedemptionStatus.in_review)
        held.reason = "suspected_fraud"
    await grant_goodwill(
        session,
        brand,
        code.referrer_id,
        Money(1250, "EUR"),
        times=5,
        actor=cli_actor(brand.id),
        grant=Grant("a late parcel"),
        now=clock.now(),
    )
    await session.commit()
    app = dashboard_app(context)
    async with serve(app, browser) as site, signed_in_page(site, context, brand) as page:
        for name, path in {
            "rewards": "/admin/rewards",
            "ledger": "/admin/ledger?account=reward_cost&currency=EUR",
            "goodwill": f"/admin/rewards/goodwill?referrer={public_id('ref', code.referrer_id)}",
            "order_to_relink": f"/admin/orders/{public_id('red', held.id)}#relink",
            "bulk": "/admin/orders/bulk?action=reject&status=in_review",
        }.items():
            await check_screen(page, site.url + path, name, [(390, "light"), (1440, "dark")])
        await page.goto(f"{site.url}/admin/orders/bulk?action=approve&status=in_review")
        await page.click("text=Let them count")
        await page.wait_for_selector("text=2 orders count now.")
