"""A brand's own texts by the API: written, refused, previewed, sent, and taken back."""

from collections.abc import AsyncIterator

import httpx2
import pytest
from sqlalchemy import select

from app.admin.rules import Scope
from app.base.actor import cli_actor
from app.base.audit import AuditAction, AuditEntry
from app.base.due import sweep_once
from app.brands.change import change_domains
from app.messaging.as_sent import as_sent
from app.messaging.render import fill
from tests.support.constants import NOW
from tests.support.factories.messages import queue, the_message
from tests.support.fakes.scripted import Scripted, both
from tests.support.keys import api_of

TEXTS = {"subject": "Eine Minute für {brand}?", "intro": "schön, dass du da bist! acme.example wächst."}


@pytest.fixture
async def client(context, brand, shop) -> AsyncIterator[httpx2.AsyncClient]:
    async with context.sessions.begin() as session:
        await change_domains(session, brand.id, add=["acme.example"], actor=cli_actor(brand.id))
    async with await api_of(context, brand, Scope.read, Scope.write) as client:
        yield client


async def test_own_texts_are_written_sent_and_taken_back(context, brand, shop, client):
    listed = {each["name"]: each for each in (await client.get("/templates")).json()["data"]}
    assert {"offer", "reminder", "reward", "survey"} <= set(listed)
    assert listed["survey"]["own"] == []
    whole = (await client.get("/templates/survey")).json()
    assert whole["blocks"][0] == {
        "name": "subject",
        "channel": "email",
        "required": [],
        "optional": ["brand", "shop"],
        "limit": 150,
    }
    german = next(each for each in whole["texts"] if each["locale"] == "de")
    assert german["default"]["subject"] == "Eine Frage zu Ihrer Bestellung bei {shop}"
    assert (german["own"], german["version"]) == ({}, 0)

    put = await client.put("/templates/survey/de", json={"blocks": TEXTS}, headers={"If-Match": '"0"'})
    assert put.status_code == 200, put.text
    assert (put.headers["etag"], put.json()["own"]) == ('"1"', TEXTS)
    assert (await client.put("/templates/survey/de", json={"blocks": TEXTS})).headers["etag"] == '"1"', (
        "nothing new"
    )
    late = await client.put("/templates/survey/de", json={"blocks": {}}, headers={"If-Match": '"0"'})
    assert (late.status_code, late.json()["code"]) == (412, "precondition_failed")
    listed = (await client.get("/templates")).json()["data"]
    assert {each["name"] for each in listed if each["own"]} == {"survey"}

    await queue(context, brand, shop, locale="de-AT")
    provider = Scripted()
    await sweep_once(both(context, provider), NOW)
    (batch,) = provider.calls
    mail = fill(batch.content, batch.recipients[0].values)
    assert mail.subject == "Eine Minute für Acme Goods?"
    assert "Guten Tag Ana,\n\nschön, dass du da bist!" in mail.text
    assert "schön, dass du da bist!" in mail.html
    assert "Wählen Sie eine Zahl." in mail.html, "a block left out has our text"
    assert "jederzeit widersprechen" in mail.html, "the law's words stay ours"

    removed = await client.delete("/templates/survey/de")
    assert (removed.headers["etag"], removed.json()["own"]) == ('"2"', {})
    versions = (await client.get("/templates/survey/de/versions", params={"limit": 1})).json()
    assert [each["version"] for each in versions["data"]] == [2]
    older = await client.get("/templates/survey/de/versions", params={"cursor": versions["next_cursor"]})
    assert [(each["version"], each["blocks"]) for each in older.json()["data"]] == [(1, TEXTS)]
    async with context.sessions() as session:
        shown = await as_sent(session, context, brand.id, (await the_message(context)).id)
        query = select(AuditEntry.fields).where(AuditEntry.action == AuditAction.texts_changed)
        audited = (await session.scalars(query.order_by(AuditEntry.at))).all()
    assert shown.subject == "Eine Minute für Acme Goods?"
    assert audited == [["survey.de.intro", "survey.de.subject"]] * 2


async def test_a_text_that_cannot_be_is_refused_and_nothing_is_changed(client):
    for path, blocks, code, words in (
        (
            "/templates/survey/de",
            {"subject": "{code}"},
            "bad_text",
            "The block subject has no variable {code}",
        ),
        (
            "/templates/survey/de",
            {"footer": "x"},
            "bad_text",
            "no block 'footer'; its blocks are subject, intro",
        ),
        ("/templates/offer/de", {"sms": "{brand}: {code}"}, "bad_text", "lacks {discount}"),
        ("/templates/offer/de", {"intro": "www.evil.test"}, "bad_text", "none of the brand's domains"),
        ("/templates/survey/fr", {"subject": "Bonjour"}, "unknown_language", "use one of en, de"),
    ):
        refused = await client.put(path, json={"blocks": blocks})
        assert (refused.status_code, refused.json()["code"]) == (422, code)
        assert words in refused.json()["detail"]
        preview = await client.post(f"{path}/preview", json={"blocks": blocks})
        assert preview.json()["detail"] == refused.json()["detail"]
    assert (await client.put("/templates/nothing/de", json={"blocks": {}})).status_code == 404
    assert all(each["own"] == [] for each in (await client.get("/templates")).json()["data"])


async def test_a_preview_shows_both_channels_with_the_parts_of_a_text(client):
    blocks = {"sms": "{brand} – danke! {discount}: {code}, {share_link}", "button": "Los geht’s"}
    shown = (await client.post("/templates/offer/de/preview", json={"blocks": blocks})).json()
    assert shown["sms"].startswith("Acme Goods - danke! 10 %: 7K4QX9WMPA, ")
    assert shown["sms"].endswith("Abmelden: mit STOP antworten.")
    assert (shown["sms_segments"], shown["sms_encoding"]) == (2, "gsm7")
    assert "Los geht’s" in shown["html"]
    assert shown["subject"] == "Ihr Empfehlungscode für Acme Goods: 7K4QX9WMPA"
    short = (await client.post("/templates/offer/en/preview", json={"complete": False})).json()
    assert short["subject"] == "Your referral link for Acme Goods"
    assert "Hello," in short["text"]
    emoji = await client.post(
        "/templates/survey/en/preview", json={"blocks": {"sms": "{brand} 😀 {survey_link}"}}
    )
    assert emoji.json()["sms_encoding"] == "ucs2"
