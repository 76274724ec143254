"""The referrer's own page and the friend's landing page, as people see them."""

import asyncio
import gzip
from collections.abc import AsyncIterator
from datetime import timedelta
from uuid import UUID

import pytest
from fastapi import FastAPI
from httpx2 import ASGITransport, AsyncClient
from sqlalchemy import event, func, select, update

from app.base import clock
from app.base.actor import cli_actor
from app.base.context import AppContext
from app.base.ids import new_id
from app.base.web.lookup_limit import PER_ADDRESS, LookupRateLimit
from app.base.web.problems import install_problems
from app.brands.models import Brand, Shop
from app.referrals.disable import disable_code
from app.referrals.erase import erase_referrals
from app.referrals.models import Code, Referrer
from app.referrals.publishing.models import CodePublication
from app.referrals.routes import router
from app.referrals.rules import PublicationState
from app.referrals.share import qr_svg
from app.referrals.visit_models import Visit
from tests.support.constants import NOW
from tests.support.factories.customers import make_customer
from tests.support.factories.orders import change_order, make_order
from tests.support.factories.programme import set_terms
from tests.support.factories.referrals import friend_orders, make_referrer, owner_of, redeem, settle

FAR = NOW + timedelta(days=36500)
BROWSER = {"User-Agent": "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/139.0.0.0 Safari/537.36"}


@pytest.fixture
def app(context: AppContext) -> FastAPI:
    app = FastAPI()
    app.state.context = context
    app.include_router(router)
    install_problems(app)
    return app


@pytest.fixture
async def client(app: FastAPI) -> AsyncIterator[AsyncClient]:
    async with AsyncClient(
        transport=ASGITransport(app=app), base_url="http://test", headers=BROWSER
    ) as client:
        yield client


@pytest.fixture
async def code(context: AppContext, brand: Brand, shop: Shop) -> Code:
    """A code that works on the day the test is run: pages ask the wall clock."""
    code = await make_referrer(context, brand, shop, first_name="Ana <b>")
    async with context.sessions.begin() as session:
        await session.execute(update(Code).where(Code.id == code.id).values(expires_at=FAR))
    return code


async def slug_of(context: AppContext, referrer_id: UUID) -> str:
    async with context.sessions() as session:
        return (await session.scalars(select(Referrer.slug).where(Referrer.id == referrer_id))).one()


async def set_publication(context: AppContext, code: Code, state: PublicationState) -> None:
    async with context.sessions.begin() as session:
        await session.execute(
            update(CodePublication).where(CodePublication.code_id == code.id).values(state=state)
        )


async def visits(context: AppContext) -> int:
    for task in asyncio.all_tasks():
        if task.get_name() == "visits":
            await task
    async with context.sessions() as session:
        return (await session.execute(select(func.count()).select_from(Visit))).scalar_one()


async def test_friend_sees_the_offer_and_a_way_to_the_shop_with_the_code(
    client: AsyncClient, context: AppContext, code: Code
) -> None:
    slug = await slug_of(context, code.referrer_id)
    answer = await client.get(f"/r/{slug.upper()}")
    assert answer.status_code == 200
    text = answer.text.replace("\u00a0", " ")
    assert "A friend gives you 10% off your first order" in text, "no markup is a name"
    assert code.display in answer.text
    assert f'href="https://acme.example/?ref={slug}&amp;discount={code.display}"' in answer.text
    assert "gets €10 if you order" in text
    assert "set-cookie" not in answer.headers
    assert await visits(context) == 1


async def test_a_shared_link_has_a_preview_with_the_logo_and_the_brands_words(
    client: AsyncClient, context: AppContext, brand: Brand, code: Code
) -> None:
    slug = await slug_of(context, code.referrer_id)
    assert "og:image" not in (await client.get(f"/r/{slug}")).text
    branding = {
        "accent": "#ffcc00",
        "heading": "serif",
        "pitch": 'Shirts "from" <Porto>',
        "noun": {"en": "your first shirt", "de": "Ihr erstes Hemd"},
        "logo": {"file": "a.png", "width": 96, "height": 96},
        "card": {"file": "b.png", "width": 600, "height": 315},
    }
    async with context.sessions.begin() as session:
        await session.execute(update(Brand).values(branding=branding))
    page = (await client.get(f"/r/{slug}")).text
    for expected in (
        '<meta property="og:title" content="10% off at Acme Goods">',
        '<meta property="og:description" content="Shirts &#34;from&#34; &lt;Porto&gt;">',
        f'<meta property="og:image" content="{context.settings.public_url}/media/{brand.id}/b.png">',
        f'<meta property="og:url" content="{context.settings.public_url}/r/{slug}">',
        f'<img src="/media/{brand.id}/a.png" width="96" height="96" alt="" class="night">',
        '<span class="name" dir="auto">Acme Goods</span>',
        "off your first shirt at Acme Goods",
        "/look/offer-ffcc00-serif-",
    ):
        assert expected in page, expected
    async with context.sessions.begin() as session:
        await session.execute(update(Brand).values(locale="de"))
    german = (await client.get(f"/r/{slug}")).text
    assert "Ihr erstes Hemd" in german
    assert "Porto" in german, "a text without a language is in the brand's"


async def test_only_somebody_looking_is_a_visit(client: AsyncClient, context: AppContext, code: Code) -> None:
    path = f"/r/{await slug_of(context, code.referrer_id)}"
    assert (await client.head(path)).status_code == 200
    for headers in (
        {"Sec-Purpose": "prefetch;prerender"},
        {"Purpose": "prefetch"},
        {"User-Agent": "WhatsApp/2.23.20.0"},
        {"User-Agent": "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"},
        {"User-Agent": "facebookexternalhit/1.1"},
        {"User-Agent": "curl/8.14.1"},
        {"User-Agent": "python-requests/2.32"},
        {"User-Agent": "Mozilla/5.0 (X11; Linux x86_64) HeadlessChrome/139.0.0.0 Safari/537.36"},
        {"User-Agent": ""},
        {"Sec-Fetch-Dest": "image"},
    ):
        assert (await client.get(path, headers=headers)).status_code == 200
    assert await visits(context) == 0


async def test_a_person_is_a_visit_once_a_day(
    app: FastAPI, client: AsyncClient, context: AppContext, code: Code, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = f"/r/{await slug_of(context, code.referrer_id)}"
    await asyncio.gather(*(client.get(path) for _ in range(5)))
    assert await visits(context) == 1
    await client.get(path, headers={"User-Agent": "Mozilla/5.0 (iPhone) Safari/605.1"})
    assert await visits(context) == 2
    async with AsyncClient(
        transport=ASGITransport(app=app, client=("192.0.2.7", 1)), base_url="http://test", headers=BROWSER
    ) as neighbour:
        await neighbour.get(path)
    assert await visits(context) == 3
    tomorrow = clock.now() + timedelta(days=1)
    monkeypatch.setattr(clock, "now", lambda: tomorrow)
    await client.get(path)
    await client.get(path)
    assert await visits(context) == 4
    async with context.sessions() as session:
        kept = (await session.scalars(select(Visit.visitor))).all()
    assert {len(each) for each in kept} == {16}


async def test_unknown_used_and_expired_codes_get_the_same_page(
    client: AsyncClient, context: AppContext, brand: Brand, shop: Shop, code: Code
) -> None:
    unknown = await client.get("/r/3abcdefgh")
    assert unknown.status_code == 404
    slug = await slug_of(context, code.referrer_id)
    spoiled = [{"expires_at": NOW}, {"uses": 10}, {"disabled_at": NOW}, {"active": False}]
    plain = {"expires_at": FAR, "uses": 0, "disabled_at": None, "active": True}
    for values in spoiled:
        async with context.sessions.begin() as session:
            await session.execute(update(Code).where(Code.id == code.id).values(plain | values))
        answer = await client.get(f"/r/{slug}")
        assert (answer.status_code, answer.content) == (404, unknown.content)
    async with context.sessions.begin() as session:
        await session.execute(update(Code).where(Code.id == code.id).values(plain))
    assert (await client.get(f"/r/{slug}")).status_code == 200
    await set_publication(context, code, PublicationState.failed)
    assert (await client.get(f"/r/{slug}")).content == unknown.content
    await set_publication(context, code, PublicationState.sending)
    pending = await client.get(f"/r/{slug}")
    assert pending.status_code == 200
    assert "which takes a moment" in pending.text
    assert code.display not in pending.text
    await set_publication(context, code, PublicationState.live)
    await set_terms(context, brand, {"redemptions_enabled": False})
    assert (await client.get(f"/r/{slug}")).content == unknown.content
    for odd in (
        "x" * 3000,
        "%00",
        "%F0%9F%98%80abcdefgh",
        "22222222",
        "zzzzzzzzzzzzzzz",
        "..%2f..",
        "ſabcdefghj",
    ):
        answer = await client.get(f"/r/{odd}")
        assert answer.status_code == 404, odd


async def test_guessing_is_limited(
    app: FastAPI, client: AsyncClient, context: AppContext, code: Code
) -> None:
    # Time stands still: failures are forgiven by the second, and a busy machine takes seconds.
    app.state.lookup_limit = LookupRateLimit(monotonic=lambda: 0.0)
    slug = await slug_of(context, code.referrer_id)
    for _ in range(PER_ADDRESS):
        await client.get("/r/3abcdefgh")
    answers = {(await client.get(path)).status_code for path in (f"/r/{slug}", "/r/3abcdefgh", "/p/nothing")}
    assert answers == {429}


async def test_referrers_page_shows_code_share_links_and_what_came_of_it(
    client: AsyncClient, context: AppContext, brand: Brand, shop: Shop, code: Code
) -> None:
    path = f"/p/{context.tokens.link('referrer', brand.id, code.referrer_id)}"
    to_come = "When a friend orders with your code, the result is shown here."
    assert to_come in (await client.get(path)).text
    cancelled = await friend_orders(context, brand, shop, code.code)
    await change_order(context, brand, cancelled.order_id, cancelled_at=NOW)
    assert to_come not in (await client.get(path)).text, "there is a result already"
    good = await friend_orders(context, brand, shop, code.code)
    halved = await friend_orders(context, brand, shop, code.code)
    await settle(context)
    await change_order(context, brand, halved.order_id, refunded=3600)
    await friend_orders(context, brand, shop, code.code)
    await redeem(
        context, brand, await make_order(context, brand, shop, await owner_of(context, code), code.code)
    )
    assert good.friend_id is not None
    slug = await slug_of(context, code.referrer_id)
    await client.get(f"/r/{slug}")
    assert await visits(context) == 1

    answer = await client.get(path)
    assert answer.status_code == 200
    for expected in (
        code.display,
        f"http://127.0.0.1:8000/r/{slug}",
        "https://wa.me/?text=Ad%3A%20I%20get%20%E2%82%AC10%20if%20you%20order.%2010%25%20off%20at%20Acme%20Goods",
        "mailto:?subject=",
        "sms:?&amp;body=",
        "Your message, which you can change before it goes:",
        '<p class="bubble more" dir="auto" data-now="message">Ad: I get €10 if you order. 10% off at Acme Goods',
        '<svg role="img"',
        "Your link was visited once.",
        "€15",
        "You got €10.",
        "New customers only. Ends ",
        "you get a code worth €10 for an order of your own.",
        "You got €5 of €10, since part of the order was refunded.",
        "No reward: the order was cancelled.",
        "Counts from 24\u00a0March 2026 on, unless the order is returned.",
        "No reward: the order was your own.",
    ):
        assert expected in answer.text, expected
    assert "Ben" not in answer.text
    assert "@" not in answer.text
    assert len(gzip.compress(answer.content)) < 10_000


async def test_page_of_a_used_up_code_still_shows_the_rewards(
    client: AsyncClient, context: AppContext, brand: Brand, shop: Shop, code: Code
) -> None:
    await friend_orders(context, brand, shop, code.code)
    await settle(context)
    async with context.sessions.begin() as session:
        await disable_code(session, brand, code.code, now=NOW, actor=cli_actor(brand.id))
    answer = await client.get(f"/p/{context.tokens.link('referrer', brand.id, code.referrer_id)}")
    assert "Your code has been disabled" in answer.text
    assert "€10" in answer.text
    assert code.display not in answer.text


async def test_every_dead_token_gets_the_one_404(
    client: AsyncClient, context: AppContext, brand: Brand, code: Code
) -> None:
    nobody = await make_customer(context, brand)
    dead = [
        "nothing",
        "x" * 44,
        context.tokens.link("survey", brand.id, await owner_of(context, code)),
        context.tokens.link("referrer", brand.id, new_id()),
        context.tokens.link("referrer", brand.id, nobody),
    ]
    answers = {
        (answer.status_code, answer.content) for token in dead for answer in [await client.get(f"/p/{token}")]
    }
    assert len(answers) == 1
    async with context.sessions.begin() as session:
        await erase_referrals(session, context.tokens, brand.id, [await owner_of(context, code)], now=NOW)
    erased = await client.get(f"/p/{context.tokens.link('referrer', brand.id, code.referrer_id)}")
    assert {(erased.status_code, erased.content)} == answers
    assert erased.status_code == 404


async def test_head_of_the_referrers_page_changes_nothing(
    client: AsyncClient, context: AppContext, brand: Brand, code: Code
) -> None:
    answer = await client.head(f"/p/{context.tokens.link('referrer', brand.id, code.referrer_id)}")
    assert (answer.status_code, await visits(context)) == (200, 0)


async def test_pages_take_one_statement_or_two_and_a_qr_code_is_made_once(
    context: AppContext, brand: Brand, shop: Shop, client: AsyncClient, code: Code
) -> None:
    await friend_orders(context, brand, shop, code.code)
    async with context.sessions() as session:
        slug = await session.scalar(select(Referrer.slug))
    own = f"/p/{context.tokens.link('referrer', brand.id, code.referrer_id)}"
    await client.get(own)
    made = qr_svg.cache_info().misses
    seen: list[str] = []
    event.listen(
        context.engine.sync_engine, "before_cursor_execute", lambda *given: seen.append(str(given[2]))
    )
    for path, count in ((own, 2), (f"/r/{slug}", 1)):
        seen.clear()
        assert (await client.get(path)).status_code == 200
        assert len(seen) == count, "\n".join(seen)
    assert qr_svg.cache_info().misses == made
    assert qr_svg.cache_info().maxsize == 4096
