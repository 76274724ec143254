"""Survey pages and the unsubscribe page in the reader's language."""

from collections.abc import AsyncIterator

import pytest
from fastapi import FastAPI
from httpx2 import ASGITransport, AsyncClient
from sqlalchemy import update

from app.base.web.problems import install_problems
from app.brands.models import Brand
from app.customers.models import Customer
from app.customers.routes import router as customers
from app.surveys.models import Survey
from app.surveys.routes import router as surveys
from tests.support.factories.surveys import sent_survey
from tests.support.languages import bare_words

VALUES = {"Acme", "Goods", "Linen", "shirt", "Ana", "maart", "Main", "St", "Berlin"}
"""Names and dates that the pages show; everything else must come from the catalog."""


@pytest.fixture
async def web(context) -> AsyncIterator[AsyncClient]:
    app = FastAPI()
    app.state.context = context
    install_problems(app)
    app.include_router(surveys)
    app.include_router(customers)
    async with AsyncClient(
        transport=ASGITransport(app=app), base_url="http://test", follow_redirects=True
    ) as client:
        yield client


@pytest.fixture
async def survey(context, brand, shop) -> Survey:
    return await sent_survey(context, brand, shop)


async def set_locales(context, survey: Survey, *, customer: str | None, brand: str) -> None:
    async with context.sessions.begin() as session:
        await session.execute(
            update(Customer).where(Customer.id == survey.customer_id).values(locale=customer)
        )
        await session.execute(update(Brand).where(Brand.id == survey.brand_id).values(locale=brand))


def link(context, survey: Survey) -> str:
    return f"/s/{context.tokens.link('survey', survey.brand_id, survey.id)}"


@pytest.mark.parametrize(
    ("customer", "brand_locale", "language"),
    [
        ("nl-BE", "en", "nl"),
        (None, "nl", "nl"),
        ("fr-FR", "nl-NL", "nl"),
        ("en-GB", "nl", "en"),
        ("fr", "de", "en"),
    ],
)
async def test_language_is_the_customers_else_the_brands_else_english(
    context, web, survey, marked_language, customer, brand_locale, language
):
    await set_locales(context, survey, customer=customer, brand=brand_locale)
    page = (await web.get(link(context, survey))).text
    assert f'<html lang="{language}">' in page
    assert ("«What is the main reason for your score?»" in page) is (language == "nl")


@pytest.mark.parametrize("score", [3, 8])
async def test_every_text_of_the_survey_and_its_thank_you_page_is_translated(
    context, web, survey, marked_language, score
):
    await set_locales(context, survey, customer="nl", brand="en")
    path = link(context, survey)
    pages = [
        (await web.get(path)).text,
        (await web.post(path, data={"comment": "x"})).text,
        (await web.post(path, data={"score": str(score)})).text,
        (await web.get(path)).text,
    ]
    for page in pages:
        assert '<html lang="nl">' in page
        assert bare_words(page) <= VALUES
    assert "3\u00a0maart 2026" in pages[0]


async def test_every_text_of_the_unsubscribe_page_is_translated(context, web, survey, marked_language):
    await set_locales(context, survey, customer="nl", brand="en")
    path = f"/u/{context.tokens.link('unsubscribe', survey.brand_id, survey.customer_id)}"
    for page in (
        (await web.get(path)).text,
        (await web.post(path)).text,
        (await web.post(path, data={"undo": "1"})).text,
    ):
        assert '<html lang="nl">' in page
        assert bare_words(page) <= VALUES
