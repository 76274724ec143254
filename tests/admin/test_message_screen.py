"""Programme, Messages: own texts on their screen, previewed, saved, sent to oneself, taken back."""

import html
import re
from datetime import timedelta

from sqlalchemy import select

from app.admin.drafts import opened_draft, sealed_draft
from app.admin.rules import Role
from app.base.actor import Actor, cli_actor
from app.base.audit import AuditAction, AuditEntry, record_action
from app.brands.add import patch_programme
from app.brands.find import load_brand
from app.messaging.gsm import count_segments
from app.messaging.lint_rules import FindingKind, Rendered, find_findings
from app.messaging.models import Message
from app.messaging.own_texts import load_own_texts
from app.messaging.send_sample import AN_HOUR
from app.referrals.templates import OFFER
from tests.support.constants import NOW
from tests.support.dashboard import sign_in_as
from tests.support.forms import form_token
from tests.support.staff import mails_to

OFFERS = "/admin/programme/messages/offer?language=de"


async def form_of(client, path=OFFERS):
    text = (await client.get(path)).text
    return {"csrf": form_token(text), "version": re.findall(r'name="version" value="(\d+)"', text)[0]}


async def framed(client, text, scheme="light"):
    """The mail in the frame of a page."""
    path = html.unescape(re.findall(rf'src="([^"]+scheme={scheme}[^"]*)"', text)[0])
    return await client.get(path)


async def test_a_german_text_is_changed_and_sent_as_a_sample(context, brand, shop, session, client):
    await sign_in_as(client, context, brand, Role.marketer)
    listed = (await client.get("/admin/programme/messages")).text
    assert listed.count("None yet") == 5
    sent = await form_of(client) | {"block.intro": "wie schön, dass du da bist."}
    shown = await client.post(OFFERS, data=sent | {"act": "preview"})
    assert "1 text changed, not saved." in shown.text
    mail = await framed(client, shown.text)
    assert "wie schön, dass du da bist." in mail.text
    assert "sandbox" in mail.headers["content-security-policy"]
    dark = (await framed(client, shown.text, "dark")).text
    assert "prefers-color-scheme" not in dark
    assert "@media  all {" in dark
    assert not (await load_own_texts(session, brand)).by_locale

    for field, text, words in (
        ("block.heading", "Danke", "lacks {discount}"),
        ("block.intro", "{code}", "has no variable {code}"),
        ("block.intro", "<b>hallo</b>", "has HTML"),
    ):
        refused = await client.post(OFFERS, data=sent | {field: text})
        assert refused.status_code == 422
        assert words in html.unescape(refused.text)
        assert f'<a href="#{field}">' in refused.text

    assert (await client.post(OFFERS, data=sent)).status_code == 303
    late = await client.post(OFFERS, data=sent | {"block.intro": "hallo."})
    assert late.status_code == 422
    assert "Somebody saved other texts meanwhile." in late.text

    actor = cli_actor(brand.id)
    terms = {"offer": {"friend_discount": {"kind": "percent", "value": "25"}}}
    await patch_programme(session, brand.id, terms, actor=actor)
    await session.commit()
    mail = await framed(client, (await client.get(OFFERS)).text)
    assert "25 %" in mail.text.replace("\u00a0", " "), "the terms in force are in the mail"

    assert (await client.post(OFFERS, data=sent | {"act": "sample"})).status_code == 303
    assert "goes to marketer@example.com" in (await client.get(OFFERS)).text
    (got,) = await mails_to(context, "marketer@example.com")
    assert "wie schön, dass du da bist." in got.html
    assert "25 %" in got.subject + got.text.replace("\u00a0", " ")
    async with context.sessions() as other:
        message = await other.scalar(select(Message))
        assert (message.template, message.customer_id) == ("staff_offer", None)
        audited = await other.scalar(
            select(AuditEntry.fields).where(AuditEntry.action == AuditAction.sample_sent)
        )
    assert audited == ["offer.de"]


async def test_texts_are_taken_back(context, brand, shop, session, client):
    await sign_in_as(client, context, brand, Role.marketer)
    for intro in ("eins.", "zwei."):
        sent = await form_of(client) | {"block.intro": intro}
        assert (await client.post(OFFERS, data=sent)).status_code == 303
    versions = (await client.get("/admin/programme/messages/offer/versions?language=de")).text
    assert "<del>eins.</del> <ins>zwei.</ins>" in versions
    assert "marketer@example.com" in versions
    earlier = (await client.get(f"{OFFERS}&from=1")).text
    assert "1 text changed, not saved." in earlier
    assert "eins.</textarea>" in earlier
    assert (await client.post(OFFERS, data=await form_of(client))).status_code == 303
    brand = await load_brand(session, brand.id)
    assert not (await load_own_texts(session, brand)).by_locale, "ours are back"
    for path in ("staff_link", "staff_offer", "no_such"):
        assert (await client.get(f"/admin/programme/messages/{path}")).status_code == 404


async def test_samples_are_limited(context, brand, shop, session, client):
    await sign_in_as(client, context, brand, Role.marketer)
    sent = await form_of(client) | {"act": "sample"}
    assert (await client.post(OFFERS, data=sent)).status_code == 303
    first = (
        await session.scalars(select(AuditEntry).where(AuditEntry.action == AuditAction.sample_sent))
    ).one()
    actor = Actor(first.actor_kind, brand.id, first.actor_id)
    for _ in range(AN_HOUR - 1):
        await record_action(session, actor, AuditAction.sample_sent, ("template", None))
    await session.commit()
    await client.post(OFFERS, data=sent)
    assert "wait a while" in (await client.get(OFFERS)).text
    assert len((await session.scalars(select(Message))).all()) == 1
    outbox = await mails_to(context, "marketer@example.com")
    assert len(outbox) == 1
    assert "marketer@example.com" in (await client.get("/outbox")).text, "a sample is shown to colleagues"


def test_a_draft_opens_for_its_brand_and_kind_within_an_hour(context):
    tokens = context.tokens
    sealed = sealed_draft(tokens, 1, "texts", {"a": "ü" * 2000}, now=NOW)
    assert len(sealed) < 400
    assert opened_draft(tokens, 1, "texts", sealed, now=NOW + timedelta(minutes=59)) == {"a": "ü" * 2000}
    for brand_id, kind, text, now in (
        (2, "texts", sealed, NOW),
        (1, "look", sealed, NOW),
        (1, "texts", sealed, NOW + timedelta(hours=2)),
        (1, "texts", sealed[:-2], NOW),
        (1, "texts", tokens.seal("x"), NOW),
        (1, "texts", "", NOW),
    ):
        assert opened_draft(tokens, brand_id, kind, text, now=now) is None


def test_what_is_worth_a_second_look():
    blocks = {block.name: block for block in OFFER.blocks}
    sms = "Danke „Ana“ ✓ " + "x" * 200
    made = Rendered("JETZT " + "s" * 60, "ü" * 60_000, sms, count_segments(sms))
    own = {"sms": "{brand} {discount} {share_link}", "subject": "Hallo {brand}"}
    default = {"sms": "{brand}: {code} {discount} {share_link}", "subject": "{brand}: {code}"}
    found = find_findings(made, blocks, own, default, postal_address=" ", privacy_url=None)
    assert [(each.kind, each.block, each.detail) for each in found] == [
        (FindingKind.subject_long, "subject", "66"),
        (FindingKind.subject_shouts, "subject", "JETZT"),
        (FindingKind.mail_large, None, "120000"),
        (FindingKind.text_not_gsm, "sms", "„“✓"),
        (FindingKind.text_long, "sms", "4"),
        (FindingKind.variable_left_out, "subject", "code"),
        (FindingKind.variable_left_out, "sms", "code"),
        (FindingKind.no_postal_address, None, ""),
        (FindingKind.no_privacy_url, None, ""),
    ]
    plain = Rendered("Hello", "<p>Hello", "Hi", count_segments("Hi"))
    assert (
        find_findings(plain, blocks, {}, default, postal_address="Main St", privacy_url="https://a.example")
        == []
    )
