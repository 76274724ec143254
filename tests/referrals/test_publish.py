"""Codes are put into a connected shop before anybody hears of them, once, whatever breaks off."""

import asyncio
from datetime import timedelta

import pytest
from aiohttp import web
from sqlalchemy import update

from app.base.actor import cli_actor
from app.base.due import sweep_once
from app.base.fence import raise_fence
from app.cli.trial_rows import offers_are_sent
from app.platforms.connections import remove_connection
from app.platforms.shopify import codes
from app.referrals.issue import issue_offers
from app.referrals.new_codes import NewReferrer
from app.referrals.publishing.call import call_platform
from app.referrals.publishing.claim import LEASE, claim
from app.referrals.publishing.models import CodePublication, ShopDiscount, ShopPublishing
from app.referrals.publishing.record import record
from app.referrals.publishing.sweep import publish_batch, sweep
from app.referrals.rules import PublicationState
from app.referrals.share import find_share
from tests.support.constants import NOW
from tests.support.factories.customers import make_customer
from tests.support.factories.referrals import owner_of
from tests.support.factories.surveys import deliver
from tests.support.fake_shopify import always

LATER = NOW + LEASE + timedelta(seconds=1)


async def test_a_code_is_in_the_shop_before_its_offer_exists(fern):
    code = await fern.issue()
    customer_id = await owner_of(fern.context, code)
    assert (await fern.publications())[0].state is PublicationState.wanted
    assert await fern.offers() == []
    async with fern.context.sessions() as session:
        share = await find_share(session, "https://nps.example", fern.brand, customer_id, now=NOW)
    assert share is not None
    assert share.code is None

    assert await fern.publish() == 1

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
    assert await fern.publish(LATER) == 0
    assert len(await fern.offers()) == 1
    await fern.issue()
    async with fern.context.sessions.begin() as session:
        await raise_fence(session, "a copy")
    assert await fern.publish(LATER) == 0, "a fenced copy of the database puts no code into a shop"


async def test_many_codes_share_one_discount_and_workers_side_by_side_make_it_once(fern):
    wanted = [(await fern.issue()).display for _ in range(6)]
    moved = await asyncio.gather(
        *(publish_batch(fern.context, fern.brand.id, urgent=True, now=NOW) for _ in range(4))
    )
    await fern.publish()
    assert sum(moved) >= 1
    assert fern.codes_there() == sorted(wanted)
    assert len(fern.remote.discounts) == 1
    assert len(await fern.offers()) == 6


async def test_a_process_that_died_after_its_claim_is_made_up_for(fern):
    code = await fern.issue()
    async with fern.context.sessions.begin() as session:
        assert await claim(session, fern.context, fern.brand.id, urgent=True, now=NOW)
    assert await fern.publish() == 0
    assert await fern.publish(LATER) == 1
    assert fern.codes_there() == [code.display]
    assert len(await fern.offers()) == 1


@pytest.mark.parametrize("is_first", [True, False])
async def test_a_process_that_died_after_its_call_leaves_a_code_that_is_found_in_the_shop(fern, is_first):
    before = [] if is_first else [(await fern.issue()).display]
    await fern.publish()
    wanted = [(await fern.issue()).display for _ in range(3)]
    async with fern.context.sessions.begin() as session:
        claimed = await claim(session, fern.context, fern.brand.id, urgent=True, now=NOW)
    assert claimed is not None
    outcome = await call_platform(fern.context.settings, claimed)
    assert outcome.error is None
    assert len(await fern.offers()) == len(before)
    calls = len(fern.fake.requests)

    assert await fern.publish(LATER) == 3

    assert fern.codes_there() == sorted(before + wanted)
    assert len(fern.remote.discounts) == 1
    assert len(await fern.offers()) == len(before) + 3
    assert not any("AddCodes" in body["query"] for _, body in fern.fake.requests[calls:])
    assert {each.state for each in await fern.publications()} == {PublicationState.live}


async def test_a_late_outcome_of_an_older_attempt_changes_nothing(fern):
    await fern.issue()
    async with fern.context.sessions.begin() as session:
        claimed = await claim(session, fern.context, fern.brand.id, urgent=True, now=NOW)
    assert await fern.publish(LATER) == 1
    async with fern.context.sessions() as session:
        outcome = await call_platform(fern.context.settings, claimed)
        await record(session, fern.context, claimed, outcome, now=LATER)
        await session.commit()
    (publication,) = await fern.publications()
    assert (publication.state, publication.live_at) == (PublicationState.live, LATER)
    assert len(await fern.offers()) == 1


async def test_codes_that_shopify_takes_long_to_make_are_asked_for_again(fern, monkeypatch):
    monkeypatch.setattr(codes, "WAITS", (0.0,) * 6)
    await fern.issue()
    await fern.publish()
    fern.remote.polls_until_done = 9
    await fern.issue()
    await fern.publish()
    states = {each.state for each in await fern.publications()}
    assert states == {PublicationState.live, PublicationState.sending}
    assert len(await fern.offers()) == 1
    adds = sum("AddCodes" in body["query"] for _, body in fern.fake.requests)
    await fern.publish(NOW + timedelta(seconds=5))
    assert {each.state for each in await fern.publications()} == {PublicationState.live}
    assert sum("AddCodes" in body["query"] for _, body in fern.fake.requests) == adds
    assert len(await fern.offers()) == 2


async def test_a_discount_that_somebody_deleted_is_made_again(fern):
    await fern.issue()
    await fern.publish()
    fern.remote.discounts.clear()
    code = await fern.issue()
    await fern.publish()
    await fern.publish(NOW + timedelta(minutes=1))
    assert fern.codes_there() == [code.display]
    async with fern.context.sessions() as session:
        shared = (await session.scalars(ShopDiscount.__table__.select())).all()
    assert len(shared) == 1


async def test_a_shop_that_refuses_is_left_alone_for_a_while_and_tells_why(fern):
    code = await fern.issue()
    fern.fake.intercept = always(lambda: web.Response(status=402))
    assert await fern.publish() == 1
    calls = len(fern.fake.requests)
    await fern.issue()
    assert await fern.publish() == 0
    assert len(fern.fake.requests) == calls
    async with fern.context.sessions() as session:
        row = await session.get(ShopPublishing, (fern.brand.id, fern.shop.id))
    assert row is not None
    assert (row.failures, "frozen" in (row.reason or "")) == (1, True)
    fern.fake.intercept = always(lambda: web.Response(status=503))
    await fern.publish(NOW + timedelta(seconds=30))
    async with fern.context.sessions() as session:
        row = await session.get(ShopPublishing, (fern.brand.id, fern.shop.id))
    assert row is not None
    assert (row.failures, "frozen" in (row.reason or "frozen")) == (2, False)
    fern.fake.intercept = None
    assert await fern.publish(NOW + timedelta(minutes=1)) == 2
    assert len(await fern.offers()) == 2
    assert code.display in fern.codes_there()
    async with fern.context.sessions() as session:
        row = await session.get(ShopPublishing, (fern.brand.id, fern.shop.id))
    assert row is not None
    assert (row.failures, row.reason, row.paused_until) == (0, None, None)


@pytest.mark.parametrize("document", ["CreateDiscount", "AddCodes"])
async def test_an_error_of_the_shops_own_is_no_refusal_and_ends_the_call(fern, document):
    root = {"CreateDiscount": "discountCodeBasicCreate", "AddCodes": "discountRedeemCodeBulkAdd"}[document]
    error = {"field": None, "message": "Unexpected internal error", "code": "INTERNAL_ERROR"}
    asked = 0

    async def broken(request: web.Request) -> web.StreamResponse | None:
        nonlocal asked
        if f"mutation {document}(" not in await request.text():
            return None
        asked += 1
        return web.json_response({"data": {root: {"userErrors": [error]}}})

    wanted = [(await fern.issue()).display for _ in range(3)]
    fern.fake.intercept = broken
    await fern.publish()
    assert asked == 1
    assert (await fern.states())[PublicationState.failed] == 0
    fern.fake.intercept = None
    await fern.publish(LATER)
    await fern.publish(LATER + timedelta(minutes=1))
    assert fern.codes_there() == sorted(wanted)
    assert await fern.states() == {PublicationState.live: 3}


@pytest.mark.parametrize("permitted", [True, False])
async def test_a_code_is_for_the_first_order_of_a_subscription_where_the_shop_permits_it(fern, permitted):
    fern.remote.sells_subscriptions = permitted

    async def says_so(request: web.Request) -> web.StreamResponse | None:
        if "SellsSubscriptions" not in await request.text():
            return None
        return web.json_response({"data": {"shop": {"features": {"sellsSubscriptions": True}}}})

    fern.fake.intercept = says_so
    code = await fern.issue()
    await fern.publish()
    assert fern.codes_there() == [code.display]
    (discount,) = fern.remote.discounts.values()
    assert discount.given["customerGets"].get("appliesOnSubscription", False) is permitted
    assert discount.given.get("recurringCycleLimit") == (1 if permitted else None)


async def test_codes_of_a_shop_that_is_disconnected_count_at_once(fern):
    await fern.issue()
    async with fern.context.sessions.begin() as session:
        await remove_connection(session, fern.brand.id, fern.shop.id, actor=cli_actor(fern.brand.id))
    await fern.publish()
    await fern.issue()
    assert {each.state for each in await fern.publications()} == {PublicationState.live}
    assert {each.attempt for each in await fern.publications()} == {0}
    assert len(await fern.offers()) == 2
    assert fern.codes_there() == []


async def test_bulk_work_does_not_hold_up_a_code_that_somebody_waits_for(fern):
    for _ in range(3):
        await fern.issue()
    async with fern.context.sessions.begin() as session:
        await session.execute(update(CodePublication).values(urgent=False))
    code = await fern.issue()
    assert await fern.publish() == 1
    assert fern.codes_there() == [code.display]
    assert await sweep_once(sweep(fern.context), NOW) == 3
    assert len(fern.codes_there()) == 4


async def test_a_trials_offer_is_waited_for_and_is_marked_though_its_code_is_published_later(fern):
    customer_id = await make_customer(fern.context, fern.brand)
    async with fern.context.sessions.begin() as session:
        promoter = NewReferrer(customer_id, fern.shop.id, trial=True)
        await issue_offers(session, fern.context.tokens, fern.brand, [promoter], now=NOW)
    assert await offers_are_sent(fern.context, fern.brand.id, customer_id, now=NOW) is None
    await fern.publish()
    (offer,) = await fern.offers()
    assert offer.trial
    assert await offers_are_sent(fern.context, fern.brand.id, customer_id, now=NOW) is None
    await deliver(fern.context)
    assert await offers_are_sent(fern.context, fern.brand.id, customer_id, now=NOW)
