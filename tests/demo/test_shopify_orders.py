"""Orders of the fake of Shopify: carts know its codes, and our adapter reads what it reports."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import orjson
import pytest

from app.base import clock
from app.brands.image_files import make_images
from app.brands.rules import ImageKind
from app.demo.fakes.shopify.buying import (
    FakeBuyer,
    FakeLine,
    cancel_order,
    deliver_parcel,
    place_order,
    refund_order,
    send_parcel,
)
from app.demo.fakes.shopify.carts import CartRefusal
from app.demo.fakes.shopify.execute import run_document
from app.demo.fakes.shopify.state import FakeCode, FakeDiscount, FakeShop
from app.demo.fakes.woocommerce import state as woocommerce
from app.demo.fakes.woocommerce.coupons import CartRefusal as CouponRefusal
from app.demo.fakes.woocommerce.coupons import create_coupon, discount_of
from app.demo.look.draw import HERE
from app.platforms.delivery_types import RawDelivery
from app.platforms.events import (
    OrderCancelled,
    OrderDelivered,
    OrderFulfilled,
    OrderPaid,
    OrderRefunded,
    ParcelDelivered,
    PlatformEvent,
)
from app.platforms.registry import PLATFORMS
from app.platforms.shopify.order_body import order_body
from app.platforms.shopify.order_documents import ONE_ORDER

NOW = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)
CART = [FakeLine("Pot", Decimal("39.00")), FakeLine("Mug", Decimal("20.50"), 2, "MUG")]
UMA = FakeBuyer(8, "uma@example.com", email_consent=True)
TEN_PERCENT = {"customerGets": {"value": {"percentage": 0.1}}, "context": {"all": "ALL"}}
TEN_EUROS = {"customerGets": {"value": {"discountAmount": {"amount": "10.00"}}}, "context": {"all": "ALL"}}


def shop_with(code: str = "ANA", **changes: Any) -> FakeShop:
    """A shop with a code of ten percent, or of what the changes say."""
    shop = FakeShop()
    given = {**TEN_PERCENT, "title": "Friends", "startsAt": "2020-01-01T00:00:00Z", **changes}
    shop.discounts["d"] = FakeDiscount("d", given, {code.lower(): FakeCode("c", code)})
    return shop


def bought(shop: FakeShop, *codes: str, number: int = 1, **more: Any) -> dict[str, Any]:
    return place_order(shop, UMA, CART, number=number, at=NOW, codes=codes, **more)


def read(topic: str, body: dict[str, Any]) -> list[PlatformEvent]:
    events = PLATFORMS["shopify"].parse(RawDelivery(topic, orjson.dumps(body), NOW))
    assert isinstance(events, list)
    return events


def test_an_order_is_read_as_it_was_made_by_webhook_and_by_api():
    shop = shop_with()
    order = bought(shop, "ana", shipping=Decimal("4.90"), landing_site="/?ref=2a3b4c5d6")
    (paid,) = read("orders/paid", order)
    assert isinstance(paid, OrderPaid)
    assert (paid.order_id, paid.subtotal, paid.total, paid.discount_total) == ("1", 8000, 7690, 800)
    assert (paid.discount_codes, paid.shipping_total, paid.discounts[0].amount) == (("ANA",), 490, 800)
    assert (paid.person.email, paid.person.email_consent.given) == ("uma@example.com", True)
    asked = {"id": "gid://shopify/Order/1", "lines": 10, "refunds": 5, "few": 5}
    node = run_document(shop, ONE_ORDER.text, asked)["data"]["order"]
    (by_api,) = read("orders/updated", order_body(node))
    assert isinstance(by_api, OrderPaid)
    same = ("total", "subtotal", "discount_total", "shipping_total", "discount_codes", "items", "placed_at")
    same += ("confirmation", "ordered_before")
    assert paid.confirmation
    assert [getattr(by_api, name) for name in same] == [getattr(paid, name) for name in same]


def test_what_becomes_of_an_order_is_read_from_its_reports():
    shop = shop_with()
    order = bought(shop)
    send_parcel(shop, order, at=NOW + timedelta(days=1))
    event = deliver_parcel(shop, order, at=NOW + timedelta(days=3))
    kinds = {type(each) for each in read("orders/fulfilled", order)}
    assert kinds == {OrderPaid, OrderFulfilled, ParcelDelivered}
    assert OrderDelivered not in kinds, "each parcel says it"
    assert [type(each) for each in read("fulfillment_events/create", event)] == [ParcelDelivered]
    first = refund_order(shop, order, Decimal(30), at=NOW + timedelta(days=4))
    assert order["financial_status"] == "partially_refunded"
    last = refund_order(shop, order, Decimal(99), at=NOW + timedelta(days=5))
    assert (order["financial_status"], order["current_total_price"]) == ("refunded", "0.00")
    refunds = [*read("refunds/create", first), *read("refunds/create", last)]
    assert [each.amount for each in refunds if isinstance(each, OrderRefunded)] == [30, 50]
    cancel_order(shop, order, at=NOW + timedelta(days=6))
    assert OrderCancelled in {type(each) for each in read("orders/cancelled", order)}


@pytest.mark.parametrize(
    ("shop", "codes", "reason"),
    [
        (shop_with(), ["BEN"], "Enter a valid"),
        (shop_with(endsAt="2021-01-01T00:00:00Z"), ["ANA"], "Enter a valid"),
        (shop_with(minimumRequirement={"subtotal": {"greaterThanOrEqualToSubtotal": "90"}}), ["ANA"], "mini"),
        (shop_with(context={"customers": {"add": ["gid://shopify/Customer/9"]}}), ["ANA"], "available"),
        (shop_with(), ["ANA", "ANA"], "combined"),
    ],
)
def test_a_cart_refuses_a_code_that_does_not_apply(shop, codes, reason):
    with pytest.raises(CartRefusal, match=reason):
        bought(shop, *codes)
    assert shop.orders == []


def test_codes_stand_beside_each_other_where_both_combine():
    shop = shop_with("ANA", combinesWith={"orderDiscounts": True})
    ben = shop_with("BEN", **TEN_EUROS, combinesWith={"orderDiscounts": True})
    shop.discounts["e"] = ben.discounts["d"]
    assert bought(shop, "ANA", "BEN")["total_discounts"] == "18.00"
    shop.discounts["e"].given["combinesWith"] = {"shippingDiscounts": True}
    with pytest.raises(CartRefusal, match="combined"):
        bought(shop, "ANA", "BEN", number=2)


def test_a_code_is_used_up_and_counts_once_per_customer():
    shop = shop_with(usageLimit=1)
    assert bought(shop, "ANA")["discount_codes"] == [{"code": "ANA", "amount": "8.00", "type": "percentage"}]
    with pytest.raises(CartRefusal, match="limit"):
        bought(shop, "ANA", number=2)
    shop = shop_with(appliesOncePerCustomer=True)
    bought(shop, "ANA")
    with pytest.raises(CartRefusal, match="already used"):
        bought(shop, "ANA", number=2)
    # Shopify keeps the count for each code of a discount.
    shop.discounts["d"].codes["ben"] = FakeCode("b", "BEN")
    assert bought(shop, "BEN", number=3)["total_discounts"] == "8.00"


def test_a_reward_takes_an_amount_off_for_its_owner_alone():
    shop = shop_with(**{**TEN_EUROS, "context": {"customers": {"add": ["gid://shopify/Customer/8"]}}})
    assert bought(shop, "ANA")["total_price"] == "70.00"


def test_codes_end_at_the_time_of_the_demos_clock():
    ends = datetime.now(UTC) + timedelta(days=30)
    shop = shop_with(endsAt=ends.isoformat())
    wordpress = woocommerce.FakeShop()
    coupon = {"code": "ana", "amount": "10", "discount_type": "percent", "date_expires": ends.isoformat()}
    create_coupon(wordpress, coupon)
    bought(shop, "ANA")
    discount_of(wordpress, "ana", email="uma@example.com", goods=Decimal(80))
    try:
        clock.shift_to(ends + timedelta(hours=1))
        with pytest.raises(CartRefusal, match="valid"):
            bought(shop, "ANA", number=2)
        with pytest.raises(CouponRefusal, match="expired"):
            discount_of(wordpress, "ana", email="uma@example.com", goods=Decimal(80))
    finally:
        clock.shift_to(None)


def test_the_images_of_the_demos_brand_are_small_and_fit_for_use():
    for kind in (ImageKind.logo, ImageKind.logo_dark, ImageKind.picture):
        body = (HERE / f"{kind.value}.png").read_bytes()
        assert len(body) < 20_000
        assert make_images(body, kind)[kind].width >= 96
