"""Programme, Terms: filled in, previewed, saved, taken back and switched off."""

import html
import re
from datetime import UTC, datetime
from decimal import Decimal
from html.parser import HTMLParser
from zoneinfo import ZoneInfo

import httpx2
import pytest

from app.admin.keys import add_key
from app.admin.rules import Role, Scope
from app.admin.views.term_fields import FIELDS, SWITCHES
from app.admin.views.term_form import BadTerms, TermsForm
from app.base import clock
from app.base.actor import cli_actor
from app.brands.add import patch_programme
from app.brands.find import load_brand, load_programme
from app.brands.patch_rules import patch_between, patched
from app.brands.programme import Discount, Programme
from app.customers.models import Customer
from tests.support.apps import api_app
from tests.support.dashboard import sign_in_as
from tests.support.factories.rows import Rows
from tests.support.forms import form_token
from tests.support.staff import link_for

TERMS = "/admin/programme/terms"


def fields_of(text: str) -> dict[str, list[str]]:
    """The terms' form as a browser would send it back."""
    found: dict[str, list[str]] = {}

    class Reader(HTMLParser):
        inside = False
        select = textarea = ""

        def handle_starttag(self, tag, attrs):
            it = dict(attrs)
            if tag == "form":
                self.inside = it.get("id") == "terms"
            if not self.inside:
                return
            if tag == "input" and (it.get("type") != "checkbox" or "checked" in it):
                found.setdefault(it["name"], []).append(it.get("value") or "")
            if tag == "select":
                self.select = it["name"]
            if tag == "option" and "selected" in it:
                found.setdefault(self.select, []).append(it.get("value") or "")
            if tag == "textarea":
                self.textarea = it["name"]
                found[self.textarea] = [""]

        def handle_data(self, data):
            if self.inside and self.textarea:
                found[self.textarea] = [data.removeprefix("\n")]

        def handle_endtag(self, tag):
            if tag == "textarea":
                self.textarea = ""
            if tag == "form":
                self.inside = False

    Reader().feed(text)
    return found


async def filled(client, **changes):
    text = (await client.get(TERMS)).text
    fields = fields_of(text)
    return {**fields, **{name.replace("__", "."): value for name, value in changes.items()}}


async def test_terms_are_previewed_saved_and_refused(context, brand, shop, session, client):
    rows = Rows(session, brand, shop)
    happy = await rows.answer(10)
    await rows.redemption(await rows.code(happy.customer_id, happy.survey_id))
    await session.commit()
    await sign_in_as(client, context, brand, Role.marketer)
    sent = await filled(client)
    same = await client.post(TERMS, data=sent)
    assert same.status_code == 303
    assert (await load_programme(session, brand.id)).version == 1, "what nobody changed makes no version"

    sent |= {"offer.friend_discount.percent": "12,5", "offer.minimum_subtotal.EUR": "50"}
    shown = await client.post(TERMS, data=sent | {"act": "preview"})
    assert shown.status_code == 200
    for text in (
        "2 changes, not saved.",
        "<del>10%</del> <ins>12.5%</ins>",
        "<del>any order</del> <ins>€50</ins>",
        "Give a friend 12.5% off, get €10",
        "Ana’s friend pays €70 instead of €80. Ana gets €10 14 days after the delivery, if the order is kept.",
        "Was 10%",
    ):
        assert text in shown.text, text
    frames = [html.unescape(each) for each in re.findall(r'<iframe [^>]*src="([^"]+)"', shown.text)]
    friend, mail = [(await client.get(each)).text for each in frames]
    assert "Ana gives you 12.5% off" in friend.replace("\u00a0", " ")
    assert "12.5%" in mail
    assert "€50" in mail
    assert (await load_programme(session, brand.id)).version == 1

    assert (await client.post(TERMS, data=sent)).status_code == 303
    saved = await load_programme(session, brand.id)
    assert (saved.version, str(saved.programme.offer.friend_discount.value)) == (2, "12.5")
    assert not (await load_brand(session, brand.id)).names_reward, (
        "a kind of reward that nobody chose stays the default"
    )

    late = await client.post(TERMS, data=sent | {"reward.hold_days": "30"})
    assert late.status_code == 422
    assert "Somebody saved version 2 meanwhile." in late.text
    assert (await load_programme(session, brand.id)).version == 2

    bad = await client.post(
        TERMS,
        data=await filled(
            client, reward__hold_days="soon", reward__value__EUR="9.999", offer__valid_days="0"
        ),
    )
    assert bad.status_code == 422
    assert '<a href="#reward.hold_days">Once the order is kept for: Write a whole number.</a>' in bad.text
    assert '<a href="#offer.valid_days">A code is good for: It is at least 1.</a>' in bad.text
    money = await client.post(TERMS, data=await filled(client, reward__value__EUR="9.999"))
    assert money.status_code == 422
    shown = await client.post(
        TERMS, data=await filled(client, reward__value__EUR="9.999") | {"act": "preview"}
    )
    assert shown.status_code == 422
    assert "Not saved." in shown.text
    assert '<a href="#reward.value.EUR">For each friend’s order: 9.999 has more decimals' in money.text


async def test_versions_say_what_changed_and_are_taken_again(context, brand, shop, session, client):
    await sign_in_as(client, context, brand, Role.marketer)
    changed = await filled(
        client, survey__delay_hours="24", survey__quiet_hours__from="", survey__quiet_hours__to=""
    )
    assert (await client.post(TERMS, data=changed)).status_code == 303
    listed = (await client.get(f"{TERMS}/versions")).text
    assert "<dt>Asked after</dt><dd><del>72 hours</del> <ins>24 hours</ins></dd>" in listed
    assert "marketer@example.com" in listed
    assert "the defaults" in listed
    earlier = (await client.get(f"{TERMS}?from=1")).text
    assert "3 changes, not saved." in earlier
    sent = fields_of(earlier)
    assert sent["survey.delay_hours"] == ["72"]
    assert (await client.post(TERMS, data=sent)).status_code == 303
    back = await load_programme(session, brand.id)
    assert (back.version, back.programme.survey.delay_hours) == (3, 72)
    assert back.programme.survey.quiet_hours is not None


async def test_a_switch_is_changed_after_a_question(context, brand, shop, session, client):
    await sign_in_as(client, context, brand, Role.marketer)
    asked = await client.get(f"{TERMS}/switches/offers_enabled")
    assert "Codes and links that are out keep their terms and keep working." in asked.text
    sent = {"csrf": form_token(asked.text), "version": "1", "to": "off"}
    assert (await client.post(f"{TERMS}/switches/offers_enabled", data=sent)).headers["location"] == TERMS
    assert not (await load_programme(session, brand.id)).programme.offers_enabled
    assert "Nobody gets a code." in (await client.get(TERMS)).text
    again = await client.post(f"{TERMS}/switches/offers_enabled", data=sent | {"to": "on"})
    assert again.headers["location"].endswith("offers_enabled"), "the version is another one"
    dates = {"starts_at": "2090-05-01T00:00:00+02:00"}
    await patch_programme(session, brand.id, dates, actor=cli_actor(brand.id))
    await session.commit()
    await sign_in_as(client, context, brand, Role.viewer)
    shown = (await client.get(TERMS)).text
    assert '<fieldset class="form" disabled>' in shown
    assert "The programme starts on 1 May 2090, 00:00" in shown


async def test_the_api_previews_terms_with_orders_that_came(context, brand, shop, session):
    rows = Rows(session, brand, shop)
    happy = await rows.answer(10)
    code = await rows.code(happy.customer_id, happy.survey_id)
    redemptions = [await rows.redemption(code, placed_at=clock.now()) for _ in range(2)]
    await session.commit()
    async with context.sessions.begin() as other:
        key = await add_key(other, brand.id, [Scope.write], actor=cli_actor(brand.id))
    async with httpx2.AsyncClient(
        transport=httpx2.ASGITransport(app=api_app(context)),
        base_url="http://test/api/v1",
        headers={"Authorization": f"Bearer {key}"},
    ) as api:
        answer = await api.post(
            "/programme/preview",
            json={
                "offer": {"friend_discount": {"kind": "amount", "value": "5.00"}, "max_uses_per_code": 1},
                "reward": {"value": "8.00"},
            },
        )
        shown = answer.json()
        assert answer.status_code == 200, shown
        assert shown["version"] == 1
        assert shown["changes"]["offer.max_uses_per_code"] == {"before": 10, "after": 1}
        assert shown["examples"] == [
            {
                "currency": "EUR",
                "subtotal": "80.00",
                "before": {"counts": True, "pays": "72.00", "off": "8.00", "reward": "10.00"},
                "after": {"counts": True, "pays": "75.00", "off": "5.00", "reward": "8.00"},
            }
        ]
        (past,) = shown["past"]
        assert past["orders"] == 2
        assert (past["before"]["discounts"], past["before"]["rewards"]) == ("16.00", "20.00")
        assert (past["after"]["discounts"], past["after"]["rewards"]) == ("5.00", "8.00")
        assert past["after"]["beyond_uses"] == 1
        strict = {"reward": {"cap_per_referrer": 1}}
        (past,) = (await api.post("/programme/preview", json=strict)).json()["past"]
        assert (past["after"]["capped"], past["after"]["rewards"]) == (1, "10.00")
        # One friend had ordered before: by the rule that is in force they are no new customer.
        friend = await session.get_one(Customer, (brand.id, redemptions[1].friend_id))
        await rows.order(friend, history=True)
        budget = {"reward": {"budget": {"amount": "10.00", "period": "total"}}}
        await session.commit()
        (past,) = (await api.post("/programme/preview", json=budget)).json()["past"]
        assert (past["after"]["existing_customers"], past["after"]["counted"]) == (1, 1)
        everybody = budget | {"offer": {"new_customers_only": False}}
        (past,) = (await api.post("/programme/preview", json=everybody)).json()["past"]
        assert (past["before"]["counted"], past["after"]["counted"]) == (1, 2)
        assert (past["after"]["over_budget"], past["after"]["rewards"]) == (1, "10.00")
        assert shown["words"]["headline"] == "Give a friend €5 off, get €8"
        refused = await api.post("/programme/preview", json={"reward": {"value": "8.001"}})
        assert (refused.status_code, refused.json()["code"]) == (422, "bad_amount")


def leaves(value, place=""):
    """Every place of the programme's JSON, parts without a value by their own."""
    for name, inner in value.items():
        if isinstance(inner, dict):
            yield from leaves(inner, f"{place}{name}.")
        else:
            yield f"{place}{name}"


def test_every_term_has_a_field_in_the_form():
    budget = {"amount": "1000.00", "period": "month"}
    whole = Programme.model_validate({"reward": {"budget": budget}}).as_json()
    fields = {field.path.replace(".percent", ".value").replace(".amount", ".value") for field in FIELDS}
    places = {place.replace("budget.amount", "budget.value") for place in leaves(whole)}
    assert places == fields | {field.path for field in SWITCHES}


def test_amounts_in_several_currencies_stay_as_they_were_entered():
    form = TermsForm(["CHF", "EUR"], ZoneInfo("Europe/Berlin"))
    present = Programme()
    entered = form.texts(present)
    assert (entered["reward.value.EUR"], entered["reward.value.CHF"]) == ("10", "10")
    assert form.programme(entered, present) == present
    both = form.programme(entered | {"reward.value.EUR": "12", "reward.value.CHF": "12"}, present)
    assert both.reward.value == Decimal(12), "one amount for all stays one"
    apart = form.programme(entered | {"reward.value.CHF": "11"}, present)
    assert apart.reward.value == {"EUR": Decimal(10), "CHF": Decimal(11)}
    back = form.programme(form.texts(apart) | {"reward.value.CHF": "10"}, apart)
    assert back.reward.value == {"EUR": Decimal(10), "CHF": Decimal(10)}
    patch = patch_between(
        apart.as_json(), form.programme(form.texts(apart) | {"reward.value.EUR": ""}, apart).as_json()
    )
    assert patch == {"reward": {"value": {"EUR": None}}}
    assert patched(apart, patch).reward.value == {"CHF": Decimal(11)}


def test_parts_of_several_fields_are_set_and_taken_away():
    form = TermsForm(["EUR"], ZoneInfo("Europe/Berlin"))
    present = Programme()
    entered = form.texts(present) | {"reward.budget.period": "month", "reward.budget.amount.EUR": "1000"}
    with_budget = form.programme(entered, present)
    assert with_budget.reward.budget is not None
    assert with_budget.reward.budget.period == "month"
    gone = form.programme(form.texts(with_budget) | {"reward.budget.period": ""}, with_budget)
    assert gone.reward.budget is None
    amount = form.programme(
        form.texts(present)
        | {"offer.friend_discount.kind": "amount", "offer.friend_discount.amount.EUR": "5"},
        present,
    )
    assert amount.offer.friend_discount == Discount(kind="amount", value="5")
    for changes, place in (
        ({"reward.budget.period": "month"}, "reward.budget.amount.EUR"),
        ({"offer.friend_discount.kind": "amount"}, "offer.friend_discount.amount.EUR"),
        ({"offer.friend_discount.percent": "101"}, "offer.friend_discount.kind"),
        ({"survey.quiet_hours.to": "20:00"}, "survey.quiet_hours.from"),
        ({"survey.quiet_hours.to": ""}, "survey.quiet_hours.to"),
        ({"starts_at": "2026-05-02T00:00", "ends_at": "2026-05-01T00:00"}, "ends_at"),
        ({"survey.exclude.tags": "x" * 101}, "survey.exclude.tags"),
        ({"survey.channels": ""}, "survey.channels"),
    ):
        with pytest.raises(BadTerms) as bad:
            form.programme(form.texts(present) | changes, present)
        assert list(bad.value.errors) == [place], changes
    dated = form.programme(form.texts(present) | {"starts_at": "2026-05-01T00:00"}, present)
    assert dated.starts_at == datetime(2026, 4, 30, 22, tzinfo=UTC)


async def test_who_is_limited_to_some_shops_reads_terms_and_changes_none(context, brand, shop, client):
    path = await link_for(context, brand, Role.marketer, "lim@example.com", shops=["acme"])
    assert (await client.post(path)).status_code == 303
    shown = (await client.get(TERMS)).text
    assert "Save as version" not in shown
    for address in (TERMS, "/admin/answers/passives", "/admin/referrers/margin"):
        refused = await client.post(address, data={"csrf": form_token(shown), "version": "1"})
        assert refused.status_code == 403
        assert "your access is limited to some" in refused.text
