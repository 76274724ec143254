"""Codes that lie ready in a shop, those that are late, and those that must leave it."""

import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import select

from app.base.actor import cli_actor
from app.base.due import sweep_once
from app.demo.fakes.shopify.state import FakeCode, FakeDiscount, FakeShop
from app.platforms.connections import remove_connection, save_connection
from app.platforms.shopify import codes as shopify_codes
from app.referrals.disable import disable_code
from app.referrals.erase import erase_referrals
from app.referrals.models import Code
from app.referrals.publishing import code_check, pool
from app.referrals.publishing.call import call_platform
from app.referrals.publishing.claim import claim
from app.referrals.publishing.record import record
from app.referrals.publishing.upkeep import keep_up
from app.referrals.rules import PublicationState
from tests.support.connected_shop import ConnectedShop
from tests.support.constants import NOW
from tests.support.factories.programme import set_terms
from tests.support.factories.referrals import owner_of
from tests.support.fake_shopify import custom_token, page

OTHERS = {"startsAt": "2020-01-01T00:00:00Z", "customerGets": {"value": {"percentage": 0.2}}}
LATE = NOW + timedelta(seconds=11)
AFTER = NOW + timedelta(minutes=5)


@pytest.fixture(autouse=True)
def small_pool(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool, "POOL_SIZE", 4)
    monkeypatch.setattr(pool, "REFILLED_BELOW", 3)


async def filled(fern: ConnectedShop) -> list[str]:
    await fern.publish_all()
    codes = fern.codes_there()
    assert len(codes) == 4
    return codes


async def test_a_promoter_gets_a_code_of_the_pool_at_once_and_the_pool_is_refilled(fern):
    ready = await filled(fern)
    calls = len(fern.fake.requests)
    code = await fern.issue()
    assert code.display in ready
    assert [each.subject_id for each in await fern.offers()] == [code.id]
    assert len(fern.fake.requests) == calls
    [publication] = [each for each in await fern.publications() if each.issued_id]
    assert (publication.code_id, publication.expires_at) == (code.id, code.expires_at)
    await fern.issue()
    await fern.publish_all(AFTER)
    assert len(fern.codes_there()) == 6
    assert len(fern.remote.discounts) == 1


async def test_each_code_of_the_pool_has_one_owner_and_who_comes_too_late_waits(fern):
    ready = await filled(fern)
    codes = await asyncio.gather(*(fern.issue() for _ in range(7)))
    assert len({each.id for each in codes}) == 7
    assert len(await fern.offers()) == sum(each.display in ready for each in codes) >= 1
    await fern.publish(LATE)
    assert len(await fern.offers()) == 7
    assert {each.display for each in codes} <= set(fern.codes_there())


async def test_new_terms_have_a_new_pool_and_what_nobody_got_of_the_old_one_leaves_the_shop(fern):
    ready = await filled(fern)
    code = await fern.issue()
    await set_terms(fern.context, fern.brand, {"offer": {"friend_discount": {"value": "15.00"}}})
    await fern.publish_all(AFTER)
    there = fern.codes_there()
    assert code.display in there
    assert len(there) == 5
    assert not set(ready) - {code.display} & set(there)
    await fern.publish_all(AFTER + timedelta(minutes=1))
    assert await fern.states() == {PublicationState.live: 5}
    assert (await fern.issue()).display in there


async def test_a_named_code_that_is_late_is_replaced_for_good_by_one_of_the_pool(fern):
    ready = await filled(fern)
    await set_terms(fern.context, fern.brand, {"offer": {"code_style": "named"}})
    await fern.publish_all(AFTER)
    ready = fern.codes_there()
    fern.fake.intercept = page(503)
    named = await fern.issue(AFTER)
    assert "-" in named.display
    await fern.publish(AFTER)
    assert await fern.offers() == []
    await fern.publish(AFTER + timedelta(seconds=11))
    (offer,) = await fern.offers()
    assert offer.template_params["code"] in ready
    async with fern.context.sessions() as session:
        query = select(Code).where(Code.referrer_id == named.referrer_id).order_by(Code.active)
        old, new = await session.scalars(query)
    assert (old.id, old.active, old.disabled_at is not None) == (named.id, False, True)
    assert (new.display, new.expires_at) == (offer.template_params["code"], named.expires_at)
    fern.fake.intercept = None
    await fern.publish_all(AFTER + timedelta(hours=1))
    assert named.display not in fern.codes_there()
    assert len(await fern.offers()) == 1


@pytest.mark.parametrize("has_pool", [False, True])
async def test_a_code_that_somebody_else_has_in_the_shop_is_replaced(fern, has_pool):
    ready = await filled(fern) if has_pool else []
    if has_pool:
        await set_terms(fern.context, fern.brand, {"offer": {"code_style": "named"}})
        await fern.publish_all(AFTER)
        ready = fern.codes_there()
    code = await fern.issue()
    other = FakeDiscount("gid://shopify/DiscountCodeNode/1", {**OTHERS})
    other.codes[code.display.lower()] = FakeCode("gid://shopify/DiscountRedeemCode/1", code.display)
    fern.remote.discounts[other.id] = other
    await fern.publish(AFTER)
    (offer,) = await fern.offers()
    shown = offer.template_params["code"]
    assert shown != code.display
    assert (shown in ready) == has_pool
    found = fern.remote.find_code(shown)
    assert found is not None
    assert found[0] is not other
    assert other.codes.keys() == {code.display.lower()}


@pytest.mark.parametrize("is_being_sent", [False, True])
async def test_a_disabled_code_leaves_the_shop(fern, is_being_sent):
    code = await fern.issue()
    if is_being_sent:
        async with fern.context.sessions.begin() as session:
            claimed = await claim(session, fern.context, fern.brand.id, urgent=True, now=NOW)
        outcome = await call_platform(fern.context.settings, claimed)
    else:
        await fern.publish()
    assert fern.codes_there() == [code.display]
    async with fern.context.sessions.begin() as session:
        actor = cli_actor(fern.brand.id)
        await disable_code(session, fern.brand, code.code, actor=actor, now=NOW)
    if is_being_sent:
        async with fern.context.sessions.begin() as session:
            await record(session, fern.context, claimed, outcome, now=NOW)
        assert await fern.offers() == []
    await fern.publish()
    assert fern.codes_there() == []
    assert await fern.states() == {PublicationState.revoked: 1}
    await fern.issue()
    await fern.publish()
    assert len(fern.remote.discounts) == 1


async def test_an_erased_referrers_code_leaves_the_shop_and_then_our_tables(fern):
    await set_terms(fern.context, fern.brand, {"offer": {"code_style": "named"}})
    code = await fern.issue()
    async with fern.context.sessions.begin() as session:
        claimed = await claim(session, fern.context, fern.brand.id, urgent=True, now=NOW)
    await call_platform(fern.context.settings, claimed)
    assert fern.codes_there() == [code.display]
    owner = await owner_of(fern.context, code)
    async with fern.context.sessions.begin() as session:
        await erase_referrals(session, fern.context.tokens, fern.brand.id, [owner], now=NOW)
    fern.remote.search_lags = True
    await fern.publish(AFTER)
    assert await fern.states() == {PublicationState.revoking: 1}
    (publication,) = await fern.publications()
    assert publication.due_at is not None
    assert publication.due_at > AFTER
    assert publication.reason
    fern.remote.search_lags = False
    await fern.publish(AFTER + timedelta(minutes=1))
    assert fern.codes_there() == []
    (publication,) = await fern.publications()
    assert (publication.due_at, publication.reason) == (None, None)
    assert (publication.state, publication.code) == (PublicationState.revoked, code.id.hex.upper())


async def test_expired_codes_leave_the_shop_in_bulk(fern):
    codes = [await fern.issue() for _ in range(3)]
    await fern.publish()
    await fern.publish_all(codes[0].expires_at)
    assert not {each.display for each in codes} & set(fern.codes_there())
    assert sum("DeleteCodes" in body["query"] for _, body in fern.fake.requests) == 1


async def test_codes_of_before_are_put_into_a_shop_that_is_connected(fern):
    await remove(fern)
    codes = [await fern.issue() for _ in range(2)]
    assert len(await fern.offers()) == 2
    await connect(fern)
    await fern.publish_all(AFTER)
    assert {each.display for each in codes} <= set(fern.codes_there())
    assert len(fern.codes_there()) == 6
    other = FakeShop("moss.myshopify.com", polls_until_done=1)
    fern.fake.shops[other.domain] = other
    await set_terms(fern.context, fern.brand, {"offer": {"code_style": "named"}})
    codes.append(await fern.issue(AFTER))
    async with fern.context.sessions.begin() as session:
        claimed = await claim(session, fern.context, fern.brand.id, urgent=True, now=AFTER)
    assert claimed is not None
    outcome = await call_platform(fern.context.settings, claimed)
    await connect(fern, other)
    async with fern.context.sessions.begin() as session:
        await keep_up(session, fern.brand.id, now=AFTER)
    async with fern.context.sessions.begin() as session:
        await record(session, fern.context, claimed, outcome, now=AFTER)
    assert len(await fern.offers()) == 2, "the code is in the other account"
    await fern.publish_all(AFTER + timedelta(minutes=1))
    there = {code for one in other.discounts.values() for code in one.codes}
    assert {each.display.lower() for each in codes} <= there
    assert len(await fern.offers()) == 3


async def remove(fern: ConnectedShop) -> None:
    async with fern.context.sessions.begin() as session:
        await remove_connection(session, fern.brand.id, fern.shop.id, actor=cli_actor(fern.brand.id))


async def connect(fern: ConnectedShop, remote: FakeShop | None = None) -> None:
    connection = custom_token(fern.fake, remote or fern.remote)
    async with fern.context.sessions.begin() as session:
        await save_connection(
            session,
            fern.context.tokens,
            fern.brand.id,
            fern.shop.id,
            connection,
            actor=cli_actor(fern.brand.id),
            now=AFTER if remote else NOW,
        )


async def test_code_that_is_revoked_while_shopify_makes_it_leaves_the_shop_once_it_is_there(
    fern, monkeypatch
):
    monkeypatch.setattr(shopify_codes, "WAITS", (0.0,))
    await fern.issue()
    await fern.publish()
    fern.remote.polls_until_done = 9
    code = await fern.issue()
    await fern.publish()
    async with fern.context.sessions.begin() as session:
        await disable_code(session, fern.brand, code.code, actor=cli_actor(fern.brand.id), now=NOW)
    await fern.publish(AFTER)
    assert await fern.states() == {PublicationState.live: 1, PublicationState.revoking: 1}
    (discount,) = fern.remote.discounts.values()
    discount.codes[code.display.lower()] = FakeCode("gid://shopify/DiscountRedeemCode/9", code.display)
    fern.remote.polls_until_done = 1
    await fern.publish(AFTER + timedelta(minutes=1))
    assert code.display not in fern.codes_there()
    assert await fern.states() == {PublicationState.live: 1, PublicationState.revoked: 1}


async def test_discount_that_a_process_made_before_it_died_is_taken_over_by_whatever_comes_next(fern):
    async with fern.context.sessions.begin() as session:
        await keep_up(session, fern.brand.id, now=NOW)
    async with fern.context.sessions.begin() as session:
        claimed = await claim(session, fern.context, fern.brand.id, urgent=False, now=NOW)
    assert claimed is not None
    await call_platform(fern.context.settings, claimed)
    await sweep_once(code_check.sweep(fern.context), AFTER + timedelta(days=1))
    code = await fern.issue()
    await fern.publish(AFTER)
    assert code.display in fern.codes_there()
    await fern.publish_all(AFTER)
    assert len(fern.remote.discounts) == 1
    assert await fern.states() == {PublicationState.live: 5}
