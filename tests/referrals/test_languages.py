"""The referrer's and the friend's page in the reader's language."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from fastapi import FastAPI
from httpx2 import ASGITransport, AsyncClient
from sqlalchemy import select, update

from app.brands.models import Brand
from app.customers.models import Customer
from app.referrals.models import Code, Referrer
from app.referrals.routes import router
from tests.support.constants import NOW
from tests.support.factories.referrals import friend_orders, make_referrer
from tests.support.languages import bare_words

FAR = NOW + timedelta(days=36500)
VALUES = {"Acme", "Goods", "Ana", "EUR", "WhatsApp", "Main", "St", "Berlin", "februari", "maart", "mrt"}
"""Names, currencies and dates that the pages show; everything else must come from the catalog."""


@pytest.fixture
async def client(context) -> AsyncIterator[AsyncClient]:
    app = FastAPI()
    app.state.context = context
    app.include_router(router)
    async with AsyncClient(transport=ASGITransport(app=app), base_url="http://test") as client:
        yield client


@pytest.fixture
async def referrer(context, brand, shop) -> tuple[Code, Referrer]:
    code = await make_referrer(context, brand, shop, first_name="Ana")
    async with context.sessions.begin() as session:
        await session.execute(update(Code).where(Code.id == code.id).values(expires_at=FAR))
        return code, (await session.scalars(select(Referrer).where(Referrer.id == code.referrer_id))).one()


async def test_every_text_of_the_referrers_page_is_in_the_customers_language(
    context, client, brand, shop, referrer, marked_language
):
    code, row = referrer
    await friend_orders(context, brand, shop, code.code)
    async with context.sessions.begin() as session:
        await session.execute(update(Customer).where(Customer.id == row.customer_id).values(locale="nl-BE"))
    page = (await client.get(f"/p/{context.tokens.link('referrer', brand.id, row.id)}")).text
    assert '<html lang="nl">' in page
    assert {word for word in bare_words(page) if word not in code.display} <= VALUES
    assert "«QR code of your link»" in page


async def test_every_text_of_the_friends_page_is_in_the_brands_language(
    context, client, brand, referrer, marked_language
):
    code, row = referrer
    async with context.sessions.begin() as session:
        await session.execute(update(Brand).where(Brand.id == brand.id).values(locale="nl"))
    page = (await client.get(f"/r/{row.slug}")).text
    assert '<html lang="nl">' in page
    words = {word for word in bare_words(page) if word not in code.display}
    assert words <= VALUES
