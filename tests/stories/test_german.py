"""German, in both forms of address: whole, without a word of English, and each form without the
other's."""

import html
import re
from collections.abc import AsyncIterator
from dataclasses import asdict, replace
from datetime import timedelta
from functools import cache

import pytest
from babel.messages.pofile import read_po
from fastapi import FastAPI
from httpx2 import ASGITransport, AsyncClient
from sqlalchemy import select, update

from app.base.context import AppContext
from app.base.i18n import languages, translations, variants
from app.base.web.lookup_limit import LookupRateLimit
from app.base.web.problems import install_problems
from app.brands.models import Brand, Shop
from app.brands.programme import Channel
from app.brands.rules import AddressForm
from app.customers.models import Customer
from app.customers.routes import router as customers
from app.messaging.templates import ParamKind, TemplateSpec, registered
from app.referrals.models import Code, Referrer
from app.referrals.routes import router as referrals
from app.surveys.routes import router as surveys
from locales.extract import TEMPLATE
from tests.support.constants import GSM, NOW
from tests.support.factories.referrals import friend_orders
from tests.support.factories.surveys import sent_survey
from tests.support.rendering import item, rendered

DU = re.compile(r"\b(?:[Dd]u|[Dd]ir|[Dd]ich|[Dd]ein\w*|[Ee]uch|[Ee]uer|[Ee]ure\w*)\b")
SIE = re.compile(r"\b(?:Sie|Ihnen|Ihr|Ihre[mnrs]?)\b")
WRONG = {"de": DU, "de@informal": SIE}
VALUE = re.compile(r"%\(\w+\)s|%%|<[^>]*>|&\w+;")
FAR = NOW + timedelta(days=36500)


def words_of(text: str) -> set[str]:
    return set(re.findall(r"[^\W\d_]{2,}", VALUE.sub(" ", html.unescape(text))))


@cache
def texts() -> list[tuple[str, ...]]:
    """The forms of every text that customers read, in English."""
    with TEMPLATE.open("rb") as source:
        found = [message.id for message in read_po(source) if message.id]
    assert len(found) >= 100
    return [each if isinstance(each, tuple) else (each,) for each in found]


def shown(forms: tuple[str, ...], language: str) -> list[str]:
    """The forms in a language, as a reader gets them."""
    catalog = translations(language)
    if len(forms) == 1:
        return [catalog.gettext(forms[0])]
    return [catalog.ngettext(*forms, count) for count in (1, 2)]


@cache
def english_words() -> set[str]:
    """Words of English texts that are in no German one: each of them on a page was forgotten."""
    german = {
        word
        for form in texts()
        for language in WRONG
        for text in shown(form, language)
        for word in words_of(text)
    }
    english = {word for form in texts() for text in form for word in words_of(text)}
    return english - german - {"WhatsApp"}


def visible(page: str) -> str:
    body = re.sub(r"(?s)<head>.*?</head>|<style.*?</style>|<!--.*?-->|<textarea.*?</textarea>", " ", page)
    read_aloud = re.findall(
        r"""\b(?:aria-label|title|alt|placeholder|data-copied|data-failed|data-share)="([^"]*)""", page
    )
    return html.unescape(" ".join([re.sub(r"<[^>]*>", " ", body), *read_aloud]))


def check(text: str, language: str, values: set[str]) -> None:
    """Nothing in English, and nothing in the other form of address."""
    plain = re.sub(r"https?://\S+", " ", text)
    assert not (words_of(plain) - values) & english_words(), plain
    assert WRONG[language].search(plain) is None, plain


def test_every_text_for_customers_is_there_with_the_same_values() -> None:
    assert "de" in languages()
    assert variants() == ("de@informal",)
    for language, wrong in WRONG.items():
        for forms in texts():
            values = [sorted(VALUE.findall(form)) for form in forms]
            for english, german in zip(forms, shown(forms, language), strict=True):
                assert german != english or not words_of(english) - {"Code", "SMS", "Link"}, english
                assert sorted(VALUE.findall(german)) in values, english
                assert wrong.search(german) is None, german
                assert german == german.strip()


def test_the_informal_form_holds_only_what_differs() -> None:
    for forms in texts():
        formal, informal = shown(forms, "de"), shown(forms, "de@informal")
        addressed = any(SIE.search(text) or text.startswith("Guten Tag") for text in formal)
        assert addressed is (formal != informal), formal


@pytest.mark.parametrize("template", registered(), ids=lambda spec: spec.name)
def test_every_message_is_german_whatever_is_missing_of_it(template: TemplateSpec) -> None:
    absent = replace(template.sample, **{each.name: None for each in template.param_list if each.optional})
    written = [getattr(template.sample, name) for name in template.names_of(ParamKind.lines)]
    names = {"Acme", "Goods", "Main", "St", "Linen", "shirt", "Ana", "Windows", *words_of(" ".join(written))}
    if template.to_staff:
        # What the dashboard says of figures and alarms is in English.
        names |= words_of(" ".join(str(value) for value in asdict(template.sample).values()))
    for language in WRONG:
        for params in (template.sample, absent):
            mail = rendered(item(template, Channel.email, params, locale="de-AT", language=language))
            for part in (mail.subject, mail.text, visible(mail.html)):
                check(part, language, names)
            assert '<html lang="de"' in mail.html
            if template.to_staff:
                continue  # neither advertising nor sent as a text
            assert "jederzeit widersprechen" in mail.text, "section 7(3) UWG wants this in every mail"
            text = rendered(item(template, Channel.sms, params, locale="de", language=language)).text
            check(text, language, names)
            assert text.endswith("Abmelden: mit STOP antworten.")
            assert set(text) <= GSM | {"€"}
            assert len(text) + text.count("€") <= 306, "two segments of 153 septets"


@pytest.fixture
def web(context: AppContext) -> FastAPI:
    app = FastAPI()
    app.state.context = context
    install_problems(app)
    for router in (surveys, customers, referrals):
        app.include_router(router)
    return app


@pytest.fixture
async def client(web: FastAPI) -> AsyncIterator[AsyncClient]:
    async with AsyncClient(
        transport=ASGITransport(app=web), base_url="http://test", follow_redirects=True
    ) as client:
        yield client


@pytest.mark.parametrize(("form", "language"), [("formal", "de"), ("informal", "de@informal")])
async def test_every_page_is_german_in_the_brands_form_of_address(
    web: FastAPI, client: AsyncClient, context: AppContext, brand: Brand, shop: Shop, form: str, language: str
) -> None:
    survey = await sent_survey(context, brand, shop)
    async with context.sessions.begin() as session:
        await session.execute(update(Brand).values(locale="de", address_form=AddressForm(form)))
        await session.execute(
            update(Customer)
            .where(Customer.id == survey.customer_id)
            .values(locale="de-AT", phone="+491701234567")
        )
    path = f"/s/{context.tokens.link('survey', brand.id, survey.id)}"
    pages = [await client.get(path), await client.post(path, data={"comment": "x"})]
    pages += [await client.post(path, data={"score": score}) for score in ("3", "8", "9")]
    pages.append(await client.get(path))
    async with context.sessions.begin() as session:
        await session.execute(update(Code).values(expires_at=FAR))
        code = (await session.scalars(select(Code))).one()
        slug = (await session.scalars(select(Referrer.slug))).one()
    pages += [await client.get(f"{path}/thanks"), await client.get(f"/r/{slug}")]
    await friend_orders(context, brand, shop, code.code)
    pages.append(await client.get(f"/p/{context.tokens.link('referrer', brand.id, code.referrer_id)}"))
    unsubscribe = f"/u/{context.tokens.link('unsubscribe', brand.id, survey.customer_id)}"
    pages.append(await client.get(unsubscribe))
    pages += [
        await client.post(unsubscribe, data=data) for data in ({}, {"sms": "1"}, {"undo": "1", "sms": "1"})
    ]
    values = {"Acme", "Goods", "Linen", "shirt", "Ana", "Main", "St", "Berlin", *words_of(code.display)}
    for page in pages:
        assert '<html lang="de">' in page.text
        check(visible(page.text), language, values)
    assert "3.\u00a0März 2026" in pages[0].text
    assert "Werbung: Bei einer Bestellung erhalte ich € 10." in html.unescape(pages[6].text)


async def test_a_page_without_a_known_reader_is_in_the_browsers_language(
    web: FastAPI, client: AsyncClient
) -> None:
    german = {"Accept-Language": "fr;q=0.9, de-CH, en;q=0.5"}
    for path in ("/s/nothing", "/p/nothing", "/r/nothing", "/u/nothing"):
        assert "Unter dieser Adresse gibt es keine Seite" in (await client.get(path, headers=german)).text
        assert "There is no page at this address" in (await client.get(path)).text
    done = await client.post("/u/nothing", headers=german)
    check(visible(done.text), "de", set())
    for header in ("de;q=0", "de;q=x", ";;,", "x" * 300):
        assert (
            '<html lang="en">' in (await client.get("/s/nothing", headers={"Accept-Language": header})).text
        )
    web.state.lookup_limit = LookupRateLimit(per_address=1)
    await client.get("/s/nothing")
    limited = await client.get("/s/nothing", headers=german)
    assert limited.status_code == 429
    check(visible(limited.text), "de", set())
