"""Codes are put into a WooCommerce shop as coupons, taken out, compared and repaired."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import UUID

import aiohttp
import pytest
from aiohttp import web

from app.base.errors import Fault, Outcome, OutsideError
from app.base.http import open_session
from app.brands.programme import DiscountKind
from app.demo.fakes.woocommerce.coupons import CartRefusal, create_coupon, show_coupon
from app.demo.fakes.woocommerce.errors import RestError
from app.demo.fakes.woocommerce.orders import FakeBuyer, place_order
from app.demo.fakes.woocommerce.schema import violations
from app.demo.fakes.woocommerce.server import FakeWooCommerce
from app.demo.fakes.woocommerce.state import FakeShop
from app.platforms.discounts import (
    NOT_THERE_YET,
    CodePage,
    CodeToPublish,
    Discount,
    FoundCode,
    Live,
    NotSent,
    PublishedCode,
    Refused,
    Taken,
    Unknown,
)
from app.platforms.reward_codes import RewardCode
from app.platforms.woocommerce.adapter import WooCommerceAdapter
from app.platforms.woocommerce.client import WooCommerceClient
from app.platforms.woocommerce.codes import CODES_AT_ONCE
from app.platforms.woocommerce.coupon_shape import Coupon, coupon_body, differences, first_step
from tests.support import fake_woocommerce as failing
from tests.support.fake_woocommerce import connection_of

EXPIRES = datetime(2027, 3, 28, 1, 30, tzinfo=UTC)
WOO = WooCommerceAdapter()
PERCENT = Discount(
    terms_id=UUID(int=0xABC),
    title="Tenfold: 10% for friends",
    kind=DiscountKind.percent,
    value=Decimal("10.00"),
    currency="EUR",
    minimum_subtotal=Decimal(25),
    max_uses=5,
    one_per_friend=True,
    combines_with=frozenset({"shipping"}),
)
FIXED = replace(
    PERCENT,
    terms_id=UUID(int=0xDEF),
    kind=DiscountKind.amount,
    value=Decimal("150.50"),
    minimum_subtotal=None,
    one_per_friend=False,
    combines_with=frozenset({"order"}),
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


def to_publish(*codes: str, may_exist: bool = False) -> list[CodeToPublish]:
    return [CodeToPublish(each, EXPIRES, may_exist) for each in codes]


def published(*codes: str, ids: dict[str, str] | None = None) -> list[PublishedCode]:
    return [PublishedCode(each, (ids or {}).get(each), EXPIRES) for each in codes]


async def publish(http, fake, shop, *codes: str, discount: Discount = PERCENT):
    report = await WOO.publish_codes(http, connection_of(fake, shop), discount, to_publish(*codes))
    assert report.discount_id is None
    return list(report.results)


async def listed(http, fake, shop, discount: Discount = PERCENT) -> list[FoundCode]:
    found: list[FoundCode] = []
    after = None
    while True:
        page = await WOO.list_codes(http, connection_of(fake, shop), discount, after)
        found += page.codes
        after = page.after
        if after is None:
            return found


def coupon(shop: FakeShop, code: str) -> dict:
    found = shop.find_coupon(code)
    assert found is not None
    shown = show_coupon(shop, found)
    assert violations("coupon", shown) == []
    return shown


async def test_a_code_becomes_a_coupon_that_enforces_all_that_a_cart_can(http, fake, shop):
    results = await publish(http, fake, shop, "ANA-7K4QX")
    made = coupon(shop, "ana-7k4qx")
    assert results == [Live(str(made["id"]))]
    assert (made["code"], made["amount"], made["discount_type"]) == ("ana-7k4qx", "10.00", "percent")
    assert (made["minimum_amount"], made["usage_limit"], made["usage_limit_per_user"]) == ("25.00", 5, 1)
    assert (made["individual_use"], made["date_expires_gmt"]) == (True, "2027-03-28T01:30:00")
    assert made["date_expires"] == "2027-03-28T03:30:00"

    before = EXPIRES - timedelta(days=1)
    order = place_order(shop, FakeBuyer("ben@example.com"), Decimal(80), codes=["ANA-7K4QX"], at=before)
    assert (order["total"], order["coupon_lines"][0]["code"]) == ("72.00", "ana-7k4qx")
    assert violations("order", order) == []
    for email, goods, at in (
        ("ben@example.com", Decimal(80), before),
        ("cleo@example.com", Decimal(24), before),
        ("cleo@example.com", Decimal(80), EXPIRES + timedelta(seconds=1)),
    ):
        with pytest.raises(CartRefusal):
            place_order(shop, FakeBuyer(email), goods, codes=["ANA-7K4QX"], at=at)
    assert await listed(http, fake, shop) == [FoundCode("ANA-7K4QX", str(made["id"]), 1)]


async def test_an_amount_without_limits_becomes_a_coupon_that_combines(http, fake, shop):
    await publish(http, fake, shop, "BEN-2M3NP", discount=FIXED)
    made = coupon(shop, "BEN-2M3NP")
    assert (made["amount"], made["discount_type"], made["minimum_amount"]) == ("150.50", "fixed_cart", "0.00")
    assert (made["usage_limit_per_user"], made["individual_use"]) == (None, False)
    assert await listed(http, fake, shop, FIXED) == [FoundCode("BEN-2M3NP", str(made["id"]), 0)]
    assert await listed(http, fake, shop) == []


async def test_a_repeated_batch_makes_no_code_twice_and_leaves_other_peoples(http, fake, shop):
    create_coupon(shop, {"code": "SUMMER-22222", "amount": "5"})
    first = await publish(http, fake, shop, "ANA-7K4QX", "SUMMER-22222", "CLEO-33333")
    assert [type(each) for each in first] == [Live, Taken, Live]
    again = await publish(http, fake, shop, "CLEO-33333", "DAN-44444", "ANA-7K4QX")
    assert (again[0], again[2]) == (first[2], first[0])
    assert isinstance(again[1], Live)
    assert isinstance((await publish(http, fake, shop, "ANA-7K4QX", discount=FIXED))[0], Taken)
    assert len(shop.coupons) == 4
    assert coupon(shop, "summer-22222")["amount"] == "5.00"


async def test_after_a_response_that_was_lost_the_codes_are_found(http, fake, shop):
    async def lose(request: web.Request) -> web.StreamResponse | None:
        if fake.intercept is lose and request.path.endswith("coupons/batch"):
            fake.intercept = None
            await fake._respond(request)
            return web.Response(status=504, text="<html>")
        return None

    fake.intercept = lose
    with pytest.raises(OutsideError) as lost:
        await publish(http, fake, shop, "ANA-7K4QX")
    assert lost.value.outcome is Outcome.unknown
    made = coupon(shop, "ANA-7K4QX")
    assert await publish(http, fake, shop, "ANA-7K4QX") == [Live(str(made["id"]))]
    assert len(shop.coupons) == 1


async def test_a_shop_that_takes_smaller_batches_gets_them(http, fake, shop):
    codes = [f"A-{number:05}" for number in range(CODES_AT_ONCE)]

    async def at_most_seven(request: web.Request) -> web.StreamResponse | None:
        body = await request.json() if request.method == "POST" else {}
        if sum(len(each) for each in body.values()) <= 7:
            return None
        error = RestError("woocommerce_rest_request_entity_too_large", "Zu viel.", 413)
        return web.json_response(error.shown(), status=413)

    fake.intercept = at_most_seven
    results = await publish(http, fake, shop, *codes)
    assert [shop.coupons[int(each.remote_id)].code for each in results] == [each.lower() for each in codes]


async def test_what_fails_within_a_batch_is_told_of_its_code_alone(http, fake, shop):
    def item(status: int, code: str) -> dict:
        return {"id": 0, "error": RestError(code, "Fehler", status).shown()}

    body = {
        "create": [
            item(400, "coupon_invalid_amount"),
            item(400, "woocommerce_rest_shop_coupon_not_created"),
            item(403, "woocommerce_rest_cannot_create"),
            item(400, "woocommerce_rest_coupon_code_already_exists"),
            {"strange": 1},
            None,
            item(500, "internal_server_error"),
            {"id": 0, "error": {"code": "odd", "data": []}},
            {"id": 0, "error": {"code": "odd", "data": {"status": "400"}}},
        ]
    }

    async def respond(request: web.Request) -> web.StreamResponse:
        return web.json_response(body if request.method == "POST" else [])

    fake.intercept = respond
    results = await publish(http, fake, shop, *(f"A-{number:05}" for number in range(9)))
    assert [type(each) for each in results] == [Refused, Unknown, NotSent, NotSent, *[Unknown] * 5]
    for place, code in ((1, "woocommerce_rest_shop_coupon_not_created"), (6, "internal_server_error")):
        assert isinstance(each := results[place], Unknown)
        assert each.reason == f"WooCommerce could not make the coupon ({code})."
    assert isinstance(odd := results[4], Unknown)
    assert odd.reason == "WooCommerce's response does not say whether the code was made."
    for broken in ({"create": []}, {}, [], 7, None):
        fake.intercept = failing.always(lambda broken=broken: web.json_response(broken))
        with pytest.raises(OutsideError) as error:
            await publish(http, fake, shop, "ANA-7K4QX")
        assert error.value.outcome is Outcome.unknown


@pytest.mark.parametrize(
    ("intercept", "outcome", "fault"),
    [
        (failing.page(), Outcome.unknown, Fault.outage),
        (failing.page(502), Outcome.unknown, Fault.outage),
        (failing.error(401, "woocommerce_rest_authentication_error"), Outcome.refused, Fault.access),
        (failing.redirect(), Outcome.refused, Fault.access),
        (failing.error(429, "slow_down", **{"Retry-After": "3600"}), Outcome.refused, Fault.busy),
    ],
)
async def test_a_failed_call_says_whether_codes_may_be_there(http, fake, shop, intercept, outcome, fault):
    fake.intercept = intercept
    with pytest.raises(OutsideError) as error:
        await publish(http, fake, shop, "ANA-7K4QX")
    assert (error.value.outcome, error.value.fault) == (outcome, fault)
    assert error.value.retry_after == (3600.0 if fault is Fault.busy else None)
    with pytest.raises(OutsideError):
        await WOO.revoke_codes(
            http, connection_of(fake, shop), PERCENT, published("A-22222", ids={"A-22222": "7"})
        )


async def test_a_code_that_exists_and_is_not_found_out_about_is_unknown(http, fake, shop):
    exists = RestError("woocommerce_rest_coupon_code_already_exists", "Fehler", 400).shown()

    async def respond(request: web.Request) -> web.StreamResponse:
        made = {"create": [{"id": 0, "error": exists}]}
        return web.json_response(made) if request.method == "POST" else web.Response(status=503)

    fake.intercept = respond
    assert [type(each) for each in await publish(http, fake, shop, "ANA-7K4QX")] == [Unknown]


async def test_a_coupon_that_the_shop_does_not_delete_is_left_with_the_reason(http, fake, shop):
    made = await publish(http, fake, shop, "ANA-7K4QX", "BEN-2M3NP", "CLEO-33333", "DAN-44444")
    names = ("ANA-7K4QX", "BEN-2M3NP", "CLEO-33333", "DAN-44444")
    codes = published(*names, ids=dict(zip(names, (each.remote_id for each in made), strict=True)))
    failed = RestError("woocommerce_rest_cannot_delete", "Fehler", 403).shown()
    gone = RestError("woocommerce_rest_shop_coupon_invalid_id", "Fehler", 400).shown()
    shown = coupon(shop, "DAN-44444")
    rows = [{"strange": 1}, {"id": 0, "error": gone}, {"id": 0, "error": failed}, shown | {"error": failed}]

    async def respond(request: web.Request) -> web.StreamResponse | None:
        return web.json_response({"delete": rows}) if request.method == "POST" else None

    fake.intercept = respond
    said = "WooCommerce did not delete the coupon (woocommerce_rest_cannot_delete)."
    left = await WOO.revoke_codes(http, connection_of(fake, shop), PERCENT, codes)
    assert left == ["WooCommerce did not delete the coupon (it did not say why).", None, said, said]


async def test_a_shop_that_hangs_leaves_the_outcome_unknown(fake, shop):
    fake.seconds = 1.0
    async with open_session(connections=1, total_seconds=0.1, loopback=True) as http:
        with pytest.raises(OutsideError) as error:
            await publish(http, fake, shop, "ANA-7K4QX")
    assert (error.value.outcome, error.value.fault) == (Outcome.unknown, Fault.outage)


async def test_revoking_deletes_ours_alone_however_often(http, fake, shop):
    kept = create_coupon(shop, {"code": "SUMMER-22222", "amount": "5"})
    ana, ben = await publish(http, fake, shop, "ANA-7K4QX", "BEN-2M3NP")
    codes = published(
        "ANA-7K4QX",
        "BEN-2M3NP",
        "NEVER-22222",
        "SUMMER-22222",
        "MOVED-33333",
        ids={"ANA-7K4QX": ana.remote_id, "MOVED-33333": str(kept.id)},
    )
    for _ in range(2):
        assert await WOO.revoke_codes(http, connection_of(fake, shop), PERCENT, codes) == [None] * 5
        assert list(shop.coupons) == [kept.id]
    assert ben.remote_id not in shop.coupons


async def test_a_code_that_may_still_come_or_is_not_found_out_about_is_left(http, fake, shop):
    missing = PublishedCode("NEVER-22222", None, EXPIRES, may_come=True)
    codes = [missing, replace(missing, may_come=False)]
    assert await WOO.revoke_codes(http, connection_of(fake, shop), PERCENT, codes) == [NOT_THERE_YET, None]
    fake.intercept = failing.error(429, "slow_down")
    (reason,) = await WOO.revoke_codes(http, connection_of(fake, shop), PERCENT, [codes[1]])
    assert reason not in {None, NOT_THERE_YET}


async def test_what_was_changed_by_hand_is_named_and_repaired(http, fake, shop):
    (live,) = await publish(http, fake, shop, "BEN-2M3NP", discount=FIXED)
    found = shop.find_coupon("BEN-2M3NP")
    assert found is not None
    found.amount = Decimal(90)
    found.given |= {"discount_type": "percent", "usage_limit": None, "individual_use": True}
    found.expires_at = None
    ((code,)) = await listed(http, fake, shop, FIXED)
    assert code.differences == (
        "the discount is 90.00 and not 150.5",
        "its type is percent and not fixed_cart",
        "it can be used unlimited times and not 5",
        "individual use only is on and not off",
    )
    codes = published("BEN-2M3NP", "GONE-22222", ids={"BEN-2M3NP": live.remote_id})
    for _ in range(2):
        await WOO.repair_codes(http, connection_of(fake, shop), FIXED, codes)
        assert await listed(http, fake, shop, FIXED) == [FoundCode("BEN-2M3NP", live.remote_id, 0)]
    assert found.expires_at == EXPIRES
    assert len(found.given["meta_data"]) == 1


async def test_a_code_that_is_there_twice_is_named_and_one_is_kept(http, fake, shop):
    (live,) = await publish(http, fake, shop, "ANA-7K4QX")
    found = shop.find_coupon("ANA-7K4QX")
    assert found is not None
    found.status = "draft"
    await publish(http, fake, shop, "ANA-7K4QX")
    found.status = "publish"
    assert [each.differences for each in await listed(http, fake, shop)] == [(), ("it is in the shop twice",)]
    for remote_id in (max(shop.coupons), int(live.remote_id)):
        codes = published("ANA-7K4QX", ids={"ANA-7K4QX": str(remote_id)})
        await WOO.repair_codes(http, connection_of(fake, shop), PERCENT, codes)
        assert list(shop.coupons) == [int(live.remote_id)]


async def test_a_coupon_that_somebody_made_a_draft_is_not_in_the_shop(http, fake, shop):
    (live,) = await publish(http, fake, shop, "ANA-7K4QX")
    found = shop.find_coupon("ANA-7K4QX")
    assert found is not None
    found.status = "draft"
    assert await listed(http, fake, shop) == []
    codes = published("ANA-7K4QX", ids={"ANA-7K4QX": live.remote_id})
    assert await WOO.revoke_codes(http, connection_of(fake, shop), PERCENT, codes) == [None]
    assert shop.coupons == {}


async def test_all_pages_are_listed(http, fake, shop):
    for number in range(205):
        create_coupon(shop, coupon_body(PERCENT if number % 2 else FIXED, f"A-{number}", EXPIRES))
    pages = [
        await WOO.list_codes(http, connection_of(fake, shop), PERCENT, after) for after in (None, "2", "3")
    ]
    assert [(len(each.codes), each.after) for each in pages] == [(100, "2"), (2, None), (0, None)]
    assert pages[2] == CodePage([])


async def test_lists_are_read_to_their_end_where_the_headers_of_pages_are_dropped(http, fake, shop):
    fake.drops_paging = True
    for number in range(105):
        create_coupon(shop, coupon_body(PERCENT, f"A-{number}", EXPIRES))
    assert len(await listed(http, fake, shop)) == 105
    client = WooCommerceClient(http, connection_of(fake, shop))
    assert len(await client.get_list("coupons")) == 105


async def test_a_rewards_coupon_needs_no_method_that_servers_refuse(http, fake, shop):
    async def post_alone(request: web.Request) -> web.Response | None:
        return None if request.method in {"GET", "POST"} else web.Response(status=405, text="Not Allowed")

    fake.intercept = post_alone
    connection = connection_of(fake, shop)
    reward = RewardCode(UUID(int=7), "THX-7K4QX", Decimal(10), "EUR", 1, EXPIRES, "ana@example.com", None)
    number = await WOO.put_reward(http, connection, reward, None)
    assert await WOO.put_reward(http, connection, replace(reward, amount=Decimal(4)), number) == number
    assert coupon(shop, "thx-7k4qx")["amount"] == "4.00"
    for _ in range(2):
        await WOO.remove_reward(http, connection, reward, number)
        assert shop.coupons == {}
    read = [path for method, path, _ in fake.requests if method == "GET"]
    assert len(read) == len(set(read)) == 3, "a cache before the shop has none of them"


async def test_calls_side_by_side_make_a_code_once(http, fake, shop):
    fake.seconds = 0.01
    results = await asyncio.gather(*(publish(http, fake, shop, "ANA-7K4QX", "BEN-2M3NP") for _ in range(4)))
    assert len(shop.coupons) == 2
    assert all(each == results[0] for each in results)


@pytest.mark.parametrize("value", [None, [], {}, "", "abc", "NaN", True, 10**30])
def test_a_strange_value_is_a_difference_and_no_failure(value: object):
    row = {"id": 1, "code": "A", **coupon_body(PERCENT, "A", EXPIRES)}
    for name in ("amount", "usage_limit", "minimum_amount", "discount_type", "individual_use"):
        found = Coupon.of(row | {name: value})
        assert found is not None
        if (name, value) != ("individual_use", True):
            assert differences(PERCENT, found), name
    for broken in (value, row | {"id": value}, row | {"code": value}, row | {"meta_data": value}):
        found = Coupon.of(broken)
        assert found is None or found.code or not found.is_under(PERCENT)


def test_a_coupon_is_written_in_woocommerces_form_and_a_large_amount_in_two_steps():
    assert coupon_body(PERCENT, "ANA-7K4QX", EXPIRES)["code"] == "ana-7k4qx"
    assert first_step(replace(FIXED, value=Decimal(100)), 7) is None
    assert first_step(replace(FIXED, value=Decimal("100.01")), 7) == {
        "id": 7,
        "amount": "0",
        "discount_type": "fixed_cart",
    }


@pytest.mark.parametrize(("shown", "uses"), [(5, 5), (0, 0), (-1, 0), (None, 0), ("5", 0)])
def test_how_often_a_coupon_was_used_is_never_below_zero(shown: object, uses: int):
    found = Coupon.of({"id": 1, "code": "A", "usage_count": shown})
    assert found is not None
    assert found.uses == uses


@pytest.mark.parametrize("minimum", [None, "", "0", "0.00", 0])
def test_a_coupon_without_a_minimum_may_say_so_in_several_ways(minimum: object):
    found = Coupon.of({"id": 1, **coupon_body(FIXED, "A", EXPIRES), "minimum_amount": minimum})
    assert found is not None
    assert differences(FIXED, found) == ()
