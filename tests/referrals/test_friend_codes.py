"""One code per friend: the share link gives each friend a code, which counts at the share code."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from fastapi import FastAPI
from httpx2 import ASGITransport, AsyncClient
from sqlalchemy import func, select, update

from app.base import clock
from app.base.actor import cli_actor
from app.base.context import AppContext
from app.base.money import Money
from app.base.web.problems import install_problems
from app.brands.models import Brand, Shop
from app.checkout.validate import validate_code
from app.customers.person import Person
from app.insight.invariants import check
from app.messaging.models import Message
from app.orders.models import Order
from app.referrals import friend_codes
from app.referrals.decide import undo_redemption
from app.referrals.disable import disable_code
from app.referrals.erase import erase_referrals
from app.referrals.friend_codes import FriendCode, give_friend_code
from app.referrals.friend_offer import find_offer
from app.referrals.models import Code, Redemption, Referrer
from app.referrals.publishing import pool
from app.referrals.publishing.models import CodePublication
from app.referrals.redecide import redecide_orders
from app.referrals.routes import router
from app.referrals.rules import CodeKind, RedemptionStatus, RefusalReason
from app.referrals.visit import visitor_of
from app.referrals.visit_models import Visit
from tests.support.connected_shop import ConnectedShop
from tests.support.constants import NOW
from tests.support.factories.customers import make_customer
from tests.support.factories.orders import change_order, make_order
from tests.support.factories.programme import set_terms
from tests.support.factories.referrals import code_of, friend_orders, make_referrer, owner_of, redeem

FAR = NOW + timedelta(days=36500)
BROWSER = {"User-Agent": "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/139.0.0.0 Safari/537.36"}


@pytest.fixture
async def client(context: AppContext) -> AsyncIterator[AsyncClient]:
    app = FastAPI()
    app.state.context = context
    app.include_router(router)
    install_problems(app)
    async with AsyncClient(
        transport=ASGITransport(app=app), base_url="http://test", headers=BROWSER
    ) as client:
        yield client


@pytest.fixture
async def share(context: AppContext, brand: Brand, shop: Shop) -> Code:
    """A share code with two uses whose friends each get a code; it works on the day of the test."""
    await set_terms(context, brand, {"offer": {"code_per": "friend", "max_uses_per_code": 2}})
    code = await make_referrer(context, brand, shop, first_name="Ana")
    async with context.sessions.begin() as session:
        await session.execute(update(Code).where(Code.id == code.id).values(expires_at=FAR))
    return code


@pytest.fixture
async def path(context: AppContext, share: Code) -> str:
    async with context.sessions() as session:
        slug = await session.scalar(select(Referrer.slug).where(Referrer.id == share.referrer_id))
    return f"/r/{slug}"


async def made_codes(context: AppContext) -> list[Code]:
    async with context.sessions() as session:
        codes = await session.scalars(select(Code).where(Code.kind == CodeKind.friend).order_by(Code.id))
        return list(codes)


def browser(number: int) -> dict[str, str]:
    return {"User-Agent": f"{BROWSER['User-Agent']} {number}"}


async def uses(context: AppContext, brand: Brand, *codes: Code) -> list[int]:
    return [(await code_of(context, brand, code.id)).uses for code in codes]


async def test_button_gives_each_visitor_one_code_a_day_which_leads_to_the_shop(
    client: AsyncClient,
    context: AppContext,
    brand: Brand,
    share: Code,
    path: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen = await client.get(path)
    assert "For 2 more orders through this link" in seen.text
    assert f'<form method="post" action="{path}">' in seen.text
    assert share.display not in seen.text
    assert "discount=" not in seen.text
    assert "this code" not in seen.text
    assert not await made_codes(context), "reading gives no code"

    pages = await asyncio.gather(*(client.post(path) for _ in range(8)))
    [code] = await made_codes(context)
    for given in (*pages, await client.get(path), await client.post(path)):
        assert given.status_code == 200
        assert f'href="https://acme.example/?ref={path[3:]}&amp;discount={code.display}"' in given.text
        assert "works once" in given.text
        assert "<form" not in given.text
    assert (code.parent_id, code.referrer_id, code.max_uses) == (share.id, share.referrer_id, 1)
    assert (code.terms_id, code.expires_at) == (share.terms_id, FAR)

    await client.post(path, headers=browser(1))
    assert len(await made_codes(context)) == 2, "another visitor gets another one"
    async with context.sessions() as session:
        assert await session.scalar(select(func.count()).select_from(Visit)) == 2
        states = (await session.scalars(select(CodePublication.state))).all()
    assert states == ["live", "live"], "the share code is published nowhere"
    tomorrow = clock.now() + timedelta(days=1)
    monkeypatch.setattr(clock, "now", lambda: tomorrow)
    assert "<form" in (await client.get(path)).text
    await client.post(path)
    assert len(await made_codes(context)) == 3


async def test_link_and_network_give_so_many_codes_a_day(
    client: AsyncClient, context: AppContext, share: Code, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(friend_codes, "MOST_PER_NETWORK", 2)
    answers = await asyncio.gather(*(client.post(path, headers=browser(one)) for one in range(5)))
    assert sorted(each.status_code for each in answers) == [200, 200, 429, 429, 429]
    assert "Please come back tomorrow" in max(answers, key=lambda each: each.status_code).text
    monkeypatch.setattr(friend_codes, "MOST_PER_NETWORK", 20)
    monkeypatch.setattr(friend_codes, "MOST_PER_DAY", 2)
    assert (await client.post(path, headers=browser(9))).status_code == 429
    assert len(await made_codes(context)) == 2


async def friends_code(client: AsyncClient, context: AppContext, path: str, number: int) -> Code:
    await client.post(path, headers=browser(number))
    return (await made_codes(context))[-1]


async def test_uses_count_at_the_share_code_and_come_back_with_a_cancellation(
    client: AsyncClient, context: AppContext, brand: Brand, shop: Shop, share: Code, path: str
) -> None:
    first, second, third = [await friends_code(client, context, path, number) for number in range(3)]
    won = await friend_orders(context, brand, shop, first.code, plan=True)
    assert (won.status, won.code_id, won.referrer_id) == (
        RedemptionStatus.pending,
        first.id,
        share.referrer_id,
    )
    again = await friend_orders(context, brand, shop, first.display, plan=True)
    assert again.reason == RefusalReason.exhausted
    assert await uses(context, brand, share, first) == [1, 1]

    orders = [
        await make_order(context, brand, shop, await make_customer(context, brand), code.code, plan=True)
        for code in (second, third)
    ]
    raced = await asyncio.gather(*(redeem(context, brand, order_id) for order_id in orders))
    assert sorted((one.status, one.reason) for [one] in raced) == [
        (RedemptionStatus.pending, None),
        (RedemptionStatus.refused, RefusalReason.exhausted),
    ]
    assert await uses(context, brand, share) == [2]

    await change_order(context, brand, won.order_id, cancelled_at=NOW)
    assert await uses(context, brand, share, first) == [1, 0]
    [held] = [one for [one] in raced if one.status is RedemptionStatus.pending]
    async with context.sessions.begin() as session:
        await undo_redemption(session, brand, held.id, actor=cli_actor(brand.id), reason="test", now=NOW)
    assert await uses(context, brand, share, second, third) == [0, 0, 0]
    async with context.sessions() as session:
        assert not await check(session, context.tokens)


async def test_order_that_turns_out_to_be_the_referrers_gives_both_uses_back(
    client: AsyncClient, context: AppContext, brand: Brand, shop: Shop, share: Code, path: str
) -> None:
    code = await friends_code(client, context, path, 1)
    won = await friend_orders(context, brand, shop, code.code)
    owner = await owner_of(context, share)
    async with context.sessions.begin() as session:
        await session.execute(update(Order).where(Order.id == won.order_id).values(customer_id=owner))
        await redecide_orders(session, context.tokens, brand, [won.order_id], [won.order_id], now=NOW)
    async with context.sessions() as session:
        reason = await session.scalar(select(Redemption.reason).where(Redemption.id == won.id))
    assert reason == RefusalReason.own_order
    assert await uses(context, brand, share, code) == [0, 0]


async def validate(context: AppContext, brand: Brand, code: str) -> RefusalReason | None:
    async with context.sessions() as session:
        person = Person(email="new.friend@example.com")
        found = await validate_code(
            session, context.tokens, brand, code, person, subtotal=Money(8000, "EUR"), now=clock.now()
        )
        return found.reason


async def test_share_code_cannot_be_entered_and_the_link_still_counts(
    client: AsyncClient, context: AppContext, brand: Brand, shop: Shop, share: Code, path: str
) -> None:
    assert await validate(context, brand, share.code) == RefusalReason.unknown_code
    friend = await make_customer(context, brand)
    assert not await redeem(context, brand, await make_order(context, brand, shop, friend, share.code))
    by_link = await make_order(context, brand, shop, await make_customer(context, brand), referral=path[3:])
    [redemption] = await redeem(context, brand, by_link)
    assert (redemption.code_id, redemption.status) == (share.id, RedemptionStatus.pending)
    code = await friends_code(client, context, path, 1)
    assert await validate(context, brand, code.display.lower()) is None
    async with context.sessions.begin() as session:
        await session.execute(update(Code).where(Code.id == share.id).values(max_uses=1))
    assert await validate(context, brand, code.code) == RefusalReason.exhausted


async def test_friends_codes_end_with_the_share_code_and_with_its_referrer(
    client: AsyncClient, context: AppContext, brand: Brand, share: Code, path: str
) -> None:
    code = await friends_code(client, context, path, 1)
    async with context.sessions.begin() as session:
        await disable_code(session, brand, share.code, actor=cli_actor(brand.id), now=NOW)
    assert await validate(context, brand, code.code) == RefusalReason.disabled
    assert (await client.post(path)).status_code == 404
    async with context.sessions.begin() as session:
        owner = await owner_of(context, share)
        await erase_referrals(session, context.tokens, brand.id, [owner], now=NOW)
    assert await validate(context, brand, code.code) == RefusalReason.unknown_code
    [erased] = await made_codes(context)
    assert (erased.disabled_at, erased.code) == (NOW, erased.id.hex.upper())
    async with context.sessions() as session:
        assert not await check(session, context.tokens)


async def test_no_page_and_no_message_names_a_code_for_everybody(
    client: AsyncClient, context: AppContext, brand: Brand, shop: Shop, share: Code, path: str
) -> None:
    async with context.sessions() as session:
        [offer] = (await session.scalars(select(Message).where(Message.subject_id == share.id))).all()
    assert offer.template_params["code"] is None
    own = f"/p/{context.tokens.link('referrer', brand.id, share.referrer_id)}"
    page = await client.get(own)
    assert f"http://127.0.0.1:8000{path}" in page.text
    assert "When a friend orders through your link" in page.text
    assert "Your referral link for Acme Goods" in page.text
    for text in (page.text, str(offer.template_params)):
        assert share.code not in text
        assert share.display not in text
        assert "my code" not in text
    await set_terms(context, brand, {})
    assert "<form" in (await client.get(path)).text, "a link keeps the terms it was issued under"
    shared = await make_referrer(context, brand, shop, first_name="Bea")
    assert shared.redeemable


async def press(fern: ConnectedShop, slug: str, who: str) -> FriendCode:
    async with fern.context.sessions.begin() as session:
        offer = await find_offer(session, slug, now=NOW, lock=True)
        assert offer is not None
        visitor = visitor_of(fern.context.tokens, offer, "192.0.2.7", who, now=NOW)
        given = await give_friend_code(session, offer, visitor, now=NOW)
    assert given is not None
    return given


async def test_connected_shop_gives_codes_of_its_pool_which_work_once_and_leave_with_the_link(
    fern: ConnectedShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool, "POOL_SIZE", 2)
    monkeypatch.setattr(pool, "REFILLED_BELOW", 1)
    await set_terms(fern.context, fern.brand, {"offer": {"code_per": "friend"}})
    await fern.publish_all()
    ready = fern.codes_there()
    share = await fern.issue()
    assert len(await fern.offers()) == 1, "a link needs no code in the shop"
    async with fern.context.sessions() as session:
        slug = await session.scalar(select(Referrer.slug).where(Referrer.id == share.referrer_id))
    assert slug is not None
    given = [await press(fern, slug, who) for who in "ab"]
    assert sorted(each.code for each in given) == ready
    assert all(each.is_live for each in given)
    late = await press(fern, slug, "c")
    assert not late.is_live, "the pool is empty"
    await fern.publish()
    assert (await press(fern, slug, "c")) == FriendCode(late.code, is_live=True)
    assert share.display not in fern.codes_there()
    [discount] = fern.remote.discounts.values()
    assert discount.given["usageLimit"] == 1
    async with fern.context.sessions.begin() as session:
        await disable_code(session, fern.brand, share.code, actor=cli_actor(fern.brand.id), now=NOW)
    await fern.publish_all()
    assert not {late.code, *ready} & set(fern.codes_there())


async def test_codes_that_nobody_used_leave_the_shop_once_their_link_is_used_up(fern: ConnectedShop) -> None:
    await set_terms(fern.context, fern.brand, {"offer": {"code_per": "friend", "max_uses_per_code": 2}})
    share = await fern.issue()
    async with fern.context.sessions() as session:
        slug = await session.scalar(select(Referrer.slug).where(Referrer.id == share.referrer_id))
    assert slug is not None
    first, second, third = [await press(fern, slug, who) for who in "abc"]
    await fern.publish()
    await friend_orders(fern.context, fern.brand, fern.shop, first.code, plan=True)
    await fern.publish_all()
    assert {first.code, second.code, third.code} <= set(fern.codes_there()), "one use is left"
    won = await friend_orders(fern.context, fern.brand, fern.shop, second.code, plan=True)
    await fern.publish_all()
    assert third.code not in fern.codes_there()
    async with fern.context.sessions() as session:
        assert await find_offer(session, slug, now=NOW) is None, "the page of a link that is used up"
        assert not await check(session, fern.context.tokens)

    await change_order(fern.context, fern.brand, won.order_id, cancelled_at=NOW)
    async with fern.context.sessions() as session:
        offer = await find_offer(session, slug, now=NOW)
    assert offer is not None
    assert offer.uses_left == 1
    another = await press(fern, slug, "c")
    await fern.publish()
    assert another.code != third.code
    assert another.code in fern.codes_there()
    again = await friend_orders(fern.context, fern.brand, fern.shop, third.code, plan=True)
    assert again.status is RedemptionStatus.pending, "who entered it in time is not refused"
