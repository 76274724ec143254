"""Each night a shop's codes are compared with ours: repaired, or told."""

import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import func, select, update

from app.base.due import sweep_once
from app.base.fence import raise_fence
from app.demo.fakes.shopify.state import FakeCode, FakeDiscount
from app.platforms.discounts import CodePage, FoundCode
from app.platforms.shopify import code_lookup
from app.referrals.publishing import pool, upkeep
from app.referrals.publishing.claim import claim
from app.referrals.publishing.code_check import check_codes_again, new_progress, sweep
from app.referrals.publishing.compare_codes import KnownPage, record_page
from app.referrals.publishing.findings import find_code_problems
from app.referrals.publishing.models import CodePublication, ShopDiscount
from app.referrals.publishing.shop_terms import ShopTerms
from app.referrals.rules import PublicationState
from tests.support.connected_shop import ConnectedShop
from tests.support.constants import NOW
from tests.support.fake_shopify import page
from tests.support.locks import somebody_waits

NIGHT = NOW + timedelta(days=1)


@pytest.fixture(autouse=True)
def small_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool, "POOL_SIZE", 5)
    monkeypatch.setattr(code_lookup, "PAGE", 3)


async def problems(fern: ConnectedShop, at=NIGHT) -> list[str]:
    """Check what is due; what people are told then."""
    await sweep_once(sweep(fern.context), at)
    async with fern.context.sessions() as session:
        found = await find_code_problems(session, fern.brand.id, [fern.shop.id])
    return found.get(fern.shop.id, [])


async def filled(fern: ConnectedShop) -> FakeDiscount:
    await fern.publish_all()
    (discount,) = fern.remote.discounts.values()
    assert len(discount.codes) == 5
    return discount


async def test_a_shop_that_has_what_it_must_have_tells_nothing(fern):
    await filled(fern)
    assert await problems(fern) == []
    async with fern.context.sessions() as session:
        (row,) = await session.scalars(select(ShopDiscount))
    assert (row.checked_at, row.progress) == (NIGHT, None)
    assert row.check_due_at > NIGHT
    publications = await fern.publications()
    assert {(each.seen_at, each.remote_id is None) for each in publications} == {(NIGHT, False)}


async def test_fenced_copy_of_the_database_checks_no_codes_and_keeps_up_no_pool(fern):
    await filled(fern)
    asked = len(fern.fake.requests)
    async with fern.context.sessions.begin() as session:
        await raise_fence(session, "a copy")
    for each in (sweep, upkeep.sweep):
        assert await sweep_once(each(fern.context), NIGHT) == 0
    assert len(fern.fake.requests) == asked


async def test_missing_extra_changed_and_overused_codes_are_repaired_or_told(fern):
    discount = await filled(fern)
    code = await fern.issue()
    gone = next(key for key in discount.codes if key != code.display.lower())
    del discount.codes[gone]
    discount.codes["mine"] = FakeCode("gid://shopify/DiscountRedeemCode/1", "MINE")
    discount.given |= {
        "usageLimit": 999,
        "minimumRequirement": {"quantity": {"greaterThanOrEqualToQuantity": 3}},
        "customerGets": {"value": {"percentage": 0.5}},
    }
    fern.remote.usage_lag_seconds = 0
    assert fern.remote.use_code(code.display)

    missing, changed, extra, drift = await problems(fern)

    assert missing == "1 code is missing in the shop and put there again."
    assert "the limit of uses" in changed
    assert "the minimum" in changed
    assert "the discount" in changed
    assert "(MINE)" in extra
    assert f"{code.display} (1 there, 0 here)" in drift
    assert (discount.given["usageLimit"], discount.given["customerGets"]["value"]) == (
        10,
        {"percentage": 0.1},
    )
    assert discount.given["minimumRequirement"]["quantity"] == {"greaterThanOrEqualToQuantity": None}
    await fern.publish_all(NIGHT)
    assert gone in discount.codes
    assert "mine" in discount.codes
    assert len(await fern.offers()) == 1
    assert [each[:6] for each in await problems(fern, NIGHT + timedelta(days=1))] == ["1 code", "1 code"]


async def test_codes_are_for_subscriptions_too_once_the_shop_sells_such(fern):
    discount = await filled(fern)
    assert "appliesOnSubscription" not in discount.given["customerGets"]
    fern.remote.sells_subscriptions = True
    [changed] = await problems(fern)
    assert changed.endswith("set back: that it is for subscriptions too.")
    assert discount.given["customerGets"]["appliesOnSubscription"] is True
    assert discount.given["recurringCycleLimit"] == 1
    assert await problems(fern, NIGHT + timedelta(days=1)) == []


async def test_codes_that_were_revoked_and_are_there_all_the_same_are_deleted(fern):
    discount = await filled(fern)
    before = set(discount.codes)
    async with fern.context.sessions.begin() as session:
        surrogate = func.concat("GONE", CodePublication.code_id)
        await session.execute(update(CodePublication).values(state=PublicationState.revoked, code=surrogate))
    assert await problems(fern) == []
    assert await fern.states() == {PublicationState.revoking: 5}
    await fern.publish_all(NIGHT)
    assert not before & set(discount.codes)
    await fern.publish_all(NIGHT + timedelta(minutes=1))
    assert (await fern.states()) == {PublicationState.live: 5}
    assert len(discount.codes) == 5


async def test_a_deleted_discount_is_made_again_and_a_stopped_one_is_told(fern):
    discount = await filled(fern)
    discount.given["endsAt"] = "2026-01-01T00:00:00+00:00"
    (told,) = await problems(fern)
    assert "Activate it" in told
    fern.remote.discounts.clear()
    later = NIGHT + timedelta(days=1)
    (told,) = await problems(fern, later)
    assert told == "5 codes are missing in the shop and put there again."
    await fern.publish_all(later)
    assert len(fern.codes_there()) == 5


async def test_a_check_that_breaks_off_goes_on_where_it_was(fern):
    await filled(fern)
    fern.fake.intercept = page(503)
    (told,) = await problems(fern)
    assert "could not be checked" in told
    fern.fake.intercept = None
    assert await problems(fern, NIGHT + timedelta(hours=2)) == []
    calls = len(fern.fake.requests)
    async with fern.context.sessions.begin() as session:
        await check_codes_again(session, fern.brand.id, fern.shop.id, now=NIGHT)
    assert await problems(fern, NIGHT + timedelta(hours=3)) == []
    assert len(fern.fake.requests) == calls + 2


async def found_in(fern: ConnectedShop) -> tuple[ShopTerms, KnownPage]:
    """What a check finds where every code is due to leave the shop."""
    async with fern.context.sessions.begin() as session:
        await session.execute(update(CodePublication).values(state=PublicationState.revoking, due_at=NIGHT))
    known = {each.code: each for each in await fern.publications()}
    codes = [FoundCode(each.code, each.remote_id or "", uses=0) for each in known.values()]
    (terms_id,) = {each.terms_id for each in known.values()}
    return ShopTerms(fern.brand.id, fern.shop.id, terms_id), KnownPage(CodePage(codes), known)


async def test_a_check_and_a_claim_of_the_same_codes_do_not_deadlock(fern):
    await filled(fern)
    place, found = await found_in(fern)
    claimed = []

    async def call() -> None:
        async with fern.context.sessions.begin() as session:
            claimed.append(await claim(session, fern.context, fern.brand.id, urgent=False, now=NIGHT))

    async with fern.context.sessions.begin() as session:
        await session.execute(select(ShopDiscount).with_for_update())
        waiting = asyncio.create_task(call())
        await somebody_waits(fern.context)
        await record_page(session, place, new_progress(NIGHT), found, now=NIGHT)
    await waiting
    assert [len(each.codes) for each in claimed] == [5]
