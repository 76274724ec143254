"""The unsubscribe door: looking changes nothing, one click is enough, and it can be taken back."""

from collections.abc import AsyncIterator
from uuid import UUID

import pytest
from fastapi import FastAPI
from httpx2 import ASGITransport, AsyncClient, Response
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.base.context import AppContext
from app.base.ids import new_id
from app.base.web.lookup_limit import LookupRateLimit
from app.base.web.problems import install_problems
from app.brands.models import Brand, Shop
from app.brands.programme import Channel
from app.customers.consent import suppress
from app.customers.erase import erase_customer
from app.customers.identify import identify
from app.customers.models import Suppression
from app.customers.person import ConsentStatement, Person
from app.customers.routes import router
from app.customers.rules import SuppressionReason
from tests.support.constants import NOW

ONE_CLICK = "List-Unsubscribe=One-Click"
URLENCODED = {"content-type": "application/x-www-form-urlencoded"}
MULTIPART = (
    b'--zzz\r\nContent-Disposition: form-data; name="List-Unsubscribe"\r\n\r\nOne-Click\r\n--zzz--\r\n',
    {"content-type": "multipart/form-data; boundary=zzz"},
)


@pytest.fixture
async def client(context: AppContext) -> AsyncIterator[AsyncClient]:
    app = FastAPI()
    app.state.context = context
    app.state.lookup_limit = LookupRateLimit(per_address=10)
    app.include_router(router)
    install_problems(app)
    async with AsyncClient(transport=ASGITransport(app=app), base_url="http://test") as client:
        yield client


async def person(context: AppContext, brand: Brand, shop: Shop, given: Person) -> UUID:
    async with context.sessions.begin() as session:
        [customer_id] = await identify(session, brand, shop, [given], now=NOW)
    assert customer_id is not None
    return customer_id


@pytest.fixture
async def ann(context: AppContext, brand: Brand, shop: Shop) -> UUID:
    """A customer with both channels open."""
    yes = ConsentStatement(given=True)
    return await person(
        context, brand, shop, Person(email="ann@example.com", phone="+491701234567", sms_consent=yes)
    )


@pytest.fixture
def path(context: AppContext, brand: Brand, ann: UUID) -> str:
    return f"/u/{context.tokens.link('unsubscribe', brand.id, ann)}"


async def suppressed(session: AsyncSession) -> dict[Channel, SuppressionReason]:
    rows = await session.execute(
        select(Suppression.channel, Suppression.reason).where(Suppression.lifted_at.is_(None))
    )
    return {row.channel: row.reason for row in rows}


async def test_opening_the_page_changes_nothing(
    client: AsyncClient, session: AsyncSession, path: str
) -> None:
    answer = await client.get(path)
    assert answer.status_code == 200
    assert "Stop messages from Acme Goods?" in answer.text
    assert "1 Main St, Berlin" in answer.text
    assert answer.headers["cache-control"] == "no-store"
    assert (await client.head(path)).status_code == 200
    assert await suppressed(session) == {}


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (ONE_CLICK.encode(), URLENCODED),
        MULTIPART,
        (b"", {}),
        (b"", URLENCODED),
        (b"\xff\x00%zz&&=", URLENCODED),
        (b"garbage", {"content-type": "multipart/form-data"}),
        (b'{"undo": 1', {"content-type": "application/json"}),
        (b"a=1&" * 5000, URLENCODED),
        (b"x" * 3_000_000, URLENCODED),
    ],
)
async def test_one_click_in_any_form_unsubscribes_without_cookie_or_redirect(
    client: AsyncClient, session: AsyncSession, path: str, body: bytes, headers: dict[str, str]
) -> None:
    for _ in range(2):
        answer = await client.post(path, content=body, headers=headers)
        assert answer.status_code == 200
        assert "set-cookie" not in answer.headers
        assert "You are unsubscribed" in answer.text
    assert await suppressed(session) == {Channel.email: SuppressionReason.unsubscribed}
    assert "You are unsubscribed" in (await client.get(path)).text


async def form(client: AsyncClient, path: str, **fields: str) -> Response:
    return await client.post(path, data=fields)


async def test_texts_stop_on_request_and_both_can_be_undone(
    client: AsyncClient, session: AsyncSession, path: str
) -> None:
    both = await form(client, path, sms="1")
    assert await suppressed(session) == dict.fromkeys(Channel, SuppressionReason.unsubscribed)
    assert 'name="undo"' in both.text
    undone = await form(client, path, undo="1", sms="1")
    assert "may write to you again" in undone.text
    assert await suppressed(session) == {}


async def test_an_undo_of_mail_leaves_texts_stopped(
    client: AsyncClient, session: AsyncSession, path: str
) -> None:
    await form(client, path, sms="1")
    await form(client, path, undo="1")
    assert await suppressed(session) == {Channel.sms: SuppressionReason.unsubscribed}


async def test_an_undo_never_lifts_a_bounce_or_a_complaint(
    client: AsyncClient, session: AsyncSession, context: AppContext, brand: Brand, path: str
) -> None:
    async with context.sessions.begin() as own:
        await suppress(
            own,
            context.tokens,
            brand.id,
            Channel.email,
            ["ann@example.com"],
            SuppressionReason.complained,
            now=NOW,
        )
    page = await form(client, path, undo="1")
    assert 'name="undo"' not in page.text
    assert await suppressed(session) == {Channel.email: SuppressionReason.complained}


async def test_customer_with_only_a_phone_number_stops_texts(
    client: AsyncClient, session: AsyncSession, context: AppContext, brand: Brand, shop: Shop
) -> None:
    bob = await person(context, brand, shop, Person(phone="+491701234599"))
    path = f"/u/{context.tokens.link('unsubscribe', brand.id, bob)}"
    assert "Stop text messages from Acme Goods?" in (await client.get(path)).text
    await client.post(path, content=ONE_CLICK, headers=URLENCODED)
    assert await suppressed(session) == {Channel.sms: SuppressionReason.unsubscribed}


async def test_an_erased_customer_reads_that_nothing_will_come(
    client: AsyncClient, session: AsyncSession, context: AppContext, brand: Brand, ann: UUID, path: str
) -> None:
    async with context.sessions.begin() as own:
        await erase_customer(own, context.tokens, brand.id, [ann], now=NOW)
    assert "You are unsubscribed" in (await client.get(path)).text
    assert (await form(client, path, undo="1", sms="1")).status_code == 200
    assert await suppressed(session) == dict.fromkeys(Channel, SuppressionReason.erased)


async def test_foreign_links_get_the_same_page(
    client: AsyncClient, session: AsyncSession, context: AppContext, brand: Brand, ann: UUID, path: str
) -> None:
    strange = [
        "/u/nonsense",
        path[:-1] + ("A" if path[-1] != "A" else "B"),
        f"/u/{context.tokens.link('survey', brand.id, ann)}",
        f"/u/{context.tokens.link('unsubscribe', brand.id, new_id())}",
        f"/u/{context.tokens.link('unsubscribe', brand.id + 1, ann)}",
        "/u/%F0%9F%8E%81",
        "/u/" + "x" * 3000,
    ]
    pages = [await client.get(each) for each in strange]
    assert {page.status_code for page in pages} == {404}
    assert len({page.content for page in pages}) == 1
    posts = [await client.post(each, content=ONE_CLICK, headers=URLENCODED) for each in strange]
    assert {post.status_code for post in posts} == {200}
    assert len({post.content for post in posts}) == 1
    assert await suppressed(session) == {}


async def test_guessing_is_limited_and_unsubscribing_is_not(
    client: AsyncClient, session: AsyncSession, path: str
) -> None:
    answers = {(await client.get(f"/u/guess{number}")).status_code for number in range(15)}
    assert answers == {404, 429}
    assert (await client.post(path, content=ONE_CLICK, headers=URLENCODED)).status_code == 200
    assert await suppressed(session) == {Channel.email: SuppressionReason.unsubscribed}
