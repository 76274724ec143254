"""Rewards' codes in a WooCommerce shop: a coupon for its owner, whatever breaks off between."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from uuid import UUID

import aiohttp
import pytest
from aiohttp import web

from app.base.errors import Outcome, OutsideError
from app.base.http import open_session
from app.demo.fakes.woocommerce.coupons import create_coupon
from app.demo.fakes.woocommerce.errors import RestError
from app.demo.fakes.woocommerce.server import FakeWooCommerce
from app.demo.fakes.woocommerce.state import FakeShop
from app.platforms.reward_codes import RewardCode
from app.platforms.woocommerce.adapter import WooCommerceAdapter
from tests.support import fake_woocommerce as failing
from tests.support.fake_woocommerce import connection_of

WOO = WooCommerceAdapter()
REWARD = RewardCode(
    reward_id=UUID(int=0xABC),
    code="ANA-7K4QX",
    amount=Decimal("10.50"),
    currency="EUR",
    uses=1,
    expires_at=datetime(2027, 3, 28, 3, 30, tzinfo=timezone(timedelta(hours=2))),
    email="ana@example.com",
    customer_id=None,
)


@pytest.fixture
def shop() -> FakeShop:
    return FakeShop()


@pytest.fixture
async def fake(shop: FakeShop) -> AsyncIterator[FakeWooCommerce]:
    async with FakeWooCommerce(shop) as fake:
        yield fake
        assert fake.violations == []


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with open_session(connections=5, total_seconds=5.0, loopback=True) as session:
        yield session


async def test_a_reward_becomes_a_coupon_for_its_owner_and_follows_what_is_left_of_it(http, fake, shop):
    number = await WOO.put_reward(http, connection_of(fake, shop), REWARD, None)
    (coupon,) = shop.coupons.values()
    assert (str(coupon.id), coupon.code, coupon.amount) == (number, "ana-7k4qx", Decimal("10.50"))
    assert coupon.expires_at == REWARD.expires_at
    given = coupon.given
    assert (given["discount_type"], given["individual_use"]) == ("fixed_cart", False)
    assert (given["usage_limit"], given["usage_limit_per_user"]) == (1, 1)
    assert given["email_restrictions"] == ["ana@example.com"]
    assert given["description"] == f"{REWARD.title} [{REWARD.reward_id.hex}]"
    theirs = create_coupon(shop, {"code": "summer", "amount": "5"})
    less = replace(REWARD, amount=Decimal(7), email=None)
    for remote_id in (number, None, "999", str(theirs.id)):
        assert await WOO.put_reward(http, connection_of(fake, shop), less, remote_id) == number
    assert shop.coupons.keys() == {coupon.id, theirs.id}
    assert (theirs.code, theirs.amount) == ("summer", Decimal(5))
    assert (coupon.amount, given["email_restrictions"]) == (Decimal(7), [])


@pytest.mark.parametrize(("used", "known", "limit"), [(0, 1, 1), (1, 1, 1), (1, 2, 2), (2, 2, 2), (0, 3, 1)])
async def test_a_coupon_may_be_used_once_more_than_it_was_as_far_as_all_uses_are_known(
    http, fake, shop, used, known, limit
):
    number = await WOO.put_reward(http, connection_of(fake, shop), REWARD, None)
    (coupon,) = shop.coupons.values()
    coupon.used_by.extend(["ana@example.com"] * used)
    await WOO.put_reward(http, connection_of(fake, shop), replace(REWARD, uses=known), number)
    assert (coupon.given["usage_limit"], coupon.given["usage_limit_per_user"]) == (limit, limit)


async def test_a_coupon_of_somebody_else_with_the_code_is_neither_changed_nor_removed(http, fake, shop):
    theirs = create_coupon(shop, {"code": "ana-7k4qx", "amount": "5"})
    another = replace(REWARD, reward_id=UUID(int=0xDEF), code="BEN-2M3NP")
    await WOO.put_reward(http, connection_of(fake, shop), another, None)
    for remote_id in (None, str(theirs.id)):
        with pytest.raises(OutsideError, match="another coupon") as taken:
            await WOO.put_reward(http, connection_of(fake, shop), REWARD, remote_id)
        assert (taken.value.outcome, taken.value.permanent) == (Outcome.refused, True)
    same_code = replace(another, reward_id=REWARD.reward_id)
    for reward in (REWARD, same_code):
        await WOO.remove_reward(http, connection_of(fake, shop), reward, str(theirs.id))
    assert (len(shop.coupons), theirs.amount) == (2, Decimal(5))
    await WOO.remove_reward(http, connection_of(fake, shop), another, None)
    assert list(shop.coupons.values()) == [theirs]


@pytest.mark.parametrize(
    ("status", "code", "outcome", "said"),
    [
        (400, "woocommerce_rest_shop_coupon_invalid_id", Outcome.refused, "another coupon"),
        (403, "woocommerce_rest_cannot_edit", Outcome.refused, "may not do this"),
        (500, "internal_server_error", Outcome.unknown, None),
    ],
)
async def test_a_coupon_that_cannot_be_changed_is_told_from_one_that_is_gone(
    http, fake, shop, status, code, outcome, said
):
    number = await WOO.put_reward(http, connection_of(fake, shop), REWARD, None)
    error = RestError(code, "Fehler", status).shown()

    async def refuse(request: web.Request) -> web.StreamResponse | None:
        is_change = request.method != "GET" and request.path.endswith(f"coupons/{number}")
        return web.json_response(error, status=status) if is_change else None

    fake.intercept = refuse
    with pytest.raises(OutsideError, match=said) as failed:
        await WOO.put_reward(http, connection_of(fake, shop), REWARD, number)
    assert failed.value.outcome is outcome


async def test_a_coupon_that_the_shop_does_not_delete_is_a_failure_and_one_that_is_gone_is_none(
    http, fake, shop
):
    await WOO.put_reward(http, connection_of(fake, shop), REWARD, None)
    code = "woocommerce_rest_cannot_delete"

    async def refuse(request: web.Request) -> web.StreamResponse | None:
        error = RestError(code, "Fehler", 403).shown()
        return (
            web.json_response({"delete": [{"id": 0, "error": error}]}) if request.method == "POST" else None
        )

    fake.intercept = refuse
    with pytest.raises(OutsideError, match=code) as failed:
        await WOO.remove_reward(http, connection_of(fake, shop), REWARD, None)
    assert failed.value.outcome is Outcome.refused
    code = "woocommerce_rest_shop_coupon_invalid_id"
    await WOO.remove_reward(http, connection_of(fake, shop), REWARD, None)


async def test_a_response_without_a_coupon_leaves_the_outcome_unknown(http, fake, shop):
    fake.intercept = failing.always(lambda: web.json_response({"strange": 1}, status=201))
    with pytest.raises(OutsideError) as odd:
        await WOO.put_reward(http, connection_of(fake, shop), REWARD, None)
    assert odd.value.outcome is Outcome.unknown
    fake.intercept = failing.error(403, "woocommerce_rest_cannot_create")
    with pytest.raises(OutsideError) as refused:
        await WOO.put_reward(http, connection_of(fake, shop), REWARD, None)
    assert refused.value.outcome is Outcome.refused
