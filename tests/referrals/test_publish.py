"""Codes are put into a connected shop before anybody hears of them, once, whatever breaks off."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from aiohttp import web
from sqlalchemy import update

from app.base.actor import cli_actor
from app.base.due import sweep_once
from app.demo.fakes.shopify.state import FakeCode, FakeDiscount
from app.platforms.connections import remove_connection
from app.platforms.shopify import codes
from app.referrals.publication_models import CodePublication, ShopDiscount, ShopPublishing
from app.referrals.publish import publish_batch, sweep, urgent_sweep
from app.referrals.publish_call import call_platform
from app.referrals.publish_claim import LEASE, claim
from app.referrals.publish_record import record
from app.referrals.rules import PublicationState
from app.referrals.share import find_share
from tests.support.connected_shop import ConnectedShop, connected_shop
from tests.support.constants import NOW
from tests.support.factories.customers import make_customer
from tests.support.factories.referrals import issue
from tests.support.fake_shopify import always

OTHERS = {"startsAt": "2020-01-01T00:00:00Z", "customerGets": {"value": {"percentage": 0.2}}}
LATER = NOW + LEASE + timedelta(seconds=1)


@pytest.fixture
async def fern(context, brand) -> AsyncIterator[ConnectedShop]:
    async with connected_shop(context, brand) as fern:
        yield fern


async def promoter(fern: ConnectedShop):
    """A promoter of the shop; returns the customer and their code."""
    customer_id = await make_customer(fern.context, fern.brand)
    return customer_id, await issue(fern.context, fern.brand, fern.shop, customer_id)


async def publish(fern: ConnectedShop, at=NOW) -> int:
    return await sweep_once(urgent_sweep(fern.context), at)


async def test_a_code_is_in_the_shop_before_its_offer_exists(fern):
    customer_id, code = await promoter(fern)
    assert (await fern.publications())[0].state is PublicationState.wanted
    assert await fern.offers() == []
    async with fern.context.sessions() as session:
        share = await find_share(session, "https://nps.example", fern.brand, customer_id, now=NOW)
    assert share is not None
    assert share.code is None

    assert await publish(fern) == 1

    assert fern.codes_there() == [code.display]
    (publication,) = await fern.publications()
    assert (publication.state, publication.due_at) == (PublicationState.live, None)
    (offer,) = await fern.offers()
    assert offer.subject_id == code.id
    assert offer.template_params["code"] == code.display
    assert offer.created_at >= publication.created_at
    (discount,) = fern.remote.discounts.values()
    given = discount.given
    assert (given["usageLimit"], given["appliesOncePerCustomer"]) == (code.max_uses, True)
    assert given["customerGets"]["value"] == {"percentage": 0.1}
    assert given["combinesWith"] == {
        "orderDiscounts": False,
        "productDiscounts": False,
        "shippingDiscounts": True,
    }
    async with fern.context.sessions() as session:
        share = await find_share(session, "https://nps.example", fern.brand, customer_id, now=NOW)
    assert share is not None
    assert share.code == code.display
    assert await publish(fern, LATER) == 0
    assert len(await fern.offers()) == 1


async def test_many_codes_share_one_discount_and_workers_side_by_side_make_it_once(fern):
    wanted = [(await promoter(fern))[1].display for _ in range(6)]
    moved = await asyncio.gather(
        *(publish_batch(fern.context, fern.brand.id, urgent=True, now=NOW) for _ in range(4))
    )
    await publish(fern)
    assert sum(moved) >= 1
    assert fern.codes_there() == sorted(wanted)
    assert len(fern.remote.discounts) == 1
    assert len(await fern.offers()) == 6


async def test_a_process_that_died_after_its_claim_is_made_up_for(fern):
    _, code = await promoter(fern)
    async with fern.context.sessions.begin() as session:
        assert await claim(session, fern.context, fern.brand.id, urgent=True, now=NOW)
    assert await publish(fern) == 0
    assert await publish(fern, LATER) == 1
    assert fern.codes_there() == [code.display]
    assert len(await fern.offers()) == 1


@pytest.mark.parametrize("is_first", [True, False])
async def test_a_process_that_died_after_its_call_leaves_a_code_that_is_found_in_the_shop(fern, is_first):
    before = [] if is_first else [(await promoter(fern))[1].display]
    await publish(fern)
    wanted = [(await promoter(fern))[1].display for _ in range(3)]
    async with fern.context.sessions.begin() as session:
        claimed = await claim(session, fern.context, fern.brand.id, urgent=True, now=NOW)
    assert claimed is not None
    outcome = await call_platform(fern.context.settings, claimed)
    assert outcome.error is None
    assert len(await fern.offers()) == len(before)
    calls = len(fern.fake.requests)

    assert await publish(fern, LATER) == 3

    assert fern.codes_there() == sorted(before + wanted)
    assert len(fern.remote.discounts) == 1
    assert len(await fern.offers()) == len(before) + 3
    assert not any("AddCodes" in body["query"] for _, body in fern.fake.requests[calls:])
    assert {each.state for each in await fern.publications()} == {PublicationState.live}


async def test_a_late_outcome_of_an_older_attempt_changes_nothing(fern):
    await promoter(fern)
    async with fern.context.sessions.begin() as session:
        claimed = await claim(session, fern.context, fern.brand.id, urgent=True, now=NOW)
    assert await publish(fern, LATER) == 1
    async with fern.context.sessions() as session:
        outcome = await call_platform(fern.context.settings, claimed)
        await record(session, fern.context, claimed, outcome, now=LATER)
        await session.commit()
    (publication,) = await fern.publications()
    assert (publication.state, publication.live_at) == (PublicationState.live, LATER)
    assert len(await fern.offers()) == 1


async def test_codes_that_shopify_takes_long_to_make_are_asked_for_again(fern, monkeypatch):
    monkeypatch.setattr(codes, "WAITS", (0.0,) * 6)
    await promoter(fern)
    await publish(fern)
    fern.remote.polls_until_done = 9
    await promoter(fern)
    await publish(fern)
    states = {each.state for each in await fern.publications()}
    assert states == {PublicationState.live, PublicationState.sending}
    assert len(await fern.offers()) == 1
    adds = sum("AddCodes" in body["query"] for _, body in fern.fake.requests)
    await publish(fern, NOW + timedelta(seconds=5))
    assert {each.state for each in await fern.publications()} == {PublicationState.live}
    assert sum("AddCodes" in body["query"] for _, body in fern.fake.requests) == adds
    assert len(await fern.offers()) == 2


async def test_a_discount_that_somebody_deleted_is_made_again(fern):
    await promoter(fern)
    await publish(fern)
    fern.remote.discounts.clear()
    _, code = await promoter(fern)
    await publish(fern)
    await publish(fern, NOW + timedelta(minutes=1))
    assert fern.codes_there() == [code.display]
    async with fern.context.sessions() as session:
        shared = (await session.scalars(ShopDiscount.__table__.select())).all()
    assert len(shared) == 1


async def test_a_shop_that_refuses_is_left_alone_for_a_while_and_tells_why(fern):
    _, code = await promoter(fern)
    fern.fake.intercept = always(lambda: web.Response(status=402))
    assert await publish(fern) == 1
    calls = len(fern.fake.requests)
    await promoter(fern)
    assert await publish(fern) == 0
    assert len(fern.fake.requests) == calls
    async with fern.context.sessions() as session:
        row = await session.get(ShopPublishing, (fern.brand.id, fern.shop.id))
    assert row is not None
    assert (row.failures, "frozen" in (row.reason or "")) == (1, True)
    fern.fake.intercept = None
    assert await publish(fern, NOW + timedelta(minutes=1)) == 2
    assert len(await fern.offers()) == 2
    assert code.display in fern.codes_there()
    async with fern.context.sessions() as session:
        row = await session.get(ShopPublishing, (fern.brand.id, fern.shop.id))
    assert row is not None
    assert (row.failures, row.reason, row.paused_until) == (0, None, None)


async def test_codes_of_a_shop_that_is_disconnected_count_at_once(fern):
    await promoter(fern)
    async with fern.context.sessions.begin() as session:
        await remove_connection(session, fern.brand.id, fern.shop.id, actor=cli_actor(fern.brand.id))
    await publish(fern)
    await promoter(fern)
    assert {each.state for each in await fern.publications()} == {PublicationState.live}
    assert {each.attempt for each in await fern.publications()} == {0}
    assert len(await fern.offers()) == 2
    assert fern.codes_there() == []


async def test_a_code_that_the_shop_has_from_somebody_else_is_not_live(fern):
    _, code = await promoter(fern)
    other = FakeDiscount("gid://shopify/DiscountCodeNode/1", {**OTHERS})
    other.codes[code.display.lower()] = FakeCode("gid://shopify/DiscountRedeemCode/1", code.display)
    fern.remote.discounts[other.id] = other
    await publish(fern)
    (publication,) = await fern.publications()
    assert publication.state is PublicationState.failed
    assert "another discount" in (publication.reason or "")
    assert await fern.offers() == []


async def test_bulk_work_does_not_hold_up_a_code_that_somebody_waits_for(fern):
    for _ in range(3):
        await promoter(fern)
    async with fern.context.sessions.begin() as session:
        await session.execute(update(CodePublication).values(urgent=False))
    _, code = await promoter(fern)
    assert await publish(fern) == 1
    assert fern.codes_there() == [code.display]
    assert await sweep_once(sweep(fern.context), NOW) == 3
    assert len(fern.codes_there()) == 4
