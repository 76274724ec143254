"""Coupons: created, changed, deleted, listed, and used in carts."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from app.base import clock
from app.demo.fakes.woocommerce.errors import RestError, invalid_id
from app.demo.fakes.woocommerce.state import FakeCoupon, FakeShop, code_of, decimals, page_of, stamp

_MOST_PERCENT = 100
_TAKEN = "woocommerce_rest_coupon_code_already_exists"
_DEFAULTS: Mapping[str, Any] = {
    "discount_type": "fixed_cart",
    "description": "",
    "individual_use": False,
    "product_ids": [],
    "excluded_product_ids": [],
    "usage_limit": None,
    "usage_limit_per_user": None,
    "limit_usage_to_x_items": None,
    "free_shipping": False,
    "product_categories": [],
    "excluded_product_categories": [],
    "exclude_sale_items": False,
    "minimum_amount": "0.00",
    "maximum_amount": "0.00",
    "email_restrictions": [],
    "meta_data": [],
}
_LIMITS = ("usage_limit", "usage_limit_per_user", "limit_usage_to_x_items")


def create_coupon(shop: FakeShop, body: Mapping[str, Any]) -> FakeCoupon:
    """Create a coupon. Raises `RestError`, as for the code of another published one."""
    code = code_of(str(body.get("code") or ""))
    if not code:
        raise RestError("woocommerce_rest_empty_coupon_code", "The coupon code cannot be empty.", 400)
    if shop.find_coupon(code) is not None:
        raise RestError(_TAKEN, "The coupon code already exists", 400)
    coupon = FakeCoupon(shop.new_id(), code, {name: _copied(value) for name, value in _DEFAULTS.items()})
    _apply(shop, coupon, body)
    shop.add_coupon(coupon)
    return coupon


def update_coupon(shop: FakeShop, number: int, body: Mapping[str, Any]) -> FakeCoupon:
    """Change a coupon; what is left out or null stays. Raises `RestError`."""
    coupon = shop.coupons.get(number)
    if coupon is None:
        raise invalid_id("coupon", 400)
    if "code" in body:
        other = shop.find_coupon(body["code"])
        if other is not None and other is not coupon:
            raise RestError(_TAKEN, "The coupon code already exists", 400)
        shop.remove_coupon(coupon)
        coupon.code = code_of(body["code"])
        shop.add_coupon(coupon)
    _apply(shop, coupon, body)
    coupon.modified_at = clock.now()
    return coupon


def delete_coupon(shop: FakeShop, number: int, *, force: bool) -> FakeCoupon:
    """Delete a coupon for good, or put it into the trash. Raises `RestError`."""
    coupon = shop.coupons.get(number)
    if coupon is None:
        raise invalid_id("coupon", 404)
    if force:
        shop.remove_coupon(coupon)
        shop.coupons_deleted += 1
    elif coupon.status == "trash":
        raise RestError("woocommerce_rest_already_trashed", "The shop_coupon has already been deleted.", 410)
    else:
        coupon.status = "trash"
    return coupon


def _apply(shop: FakeShop, coupon: FakeCoupon, body: Mapping[str, Any]) -> None:
    """Set the fields in WooCommerce's order: the amount before the discount's type."""
    given = {name: value for name, value in body.items() if value is not None}
    if "amount" in given:
        amount = Decimal(given["amount"])
        if coupon.given["discount_type"] == "percent" and amount > _MOST_PERCENT:
            raise RestError("coupon_invalid_amount", "Invalid discount amount", 400)
        coupon.amount = amount
    coupon.status = given.get("status", coupon.status)
    if "date_expires" in given:
        coupon.expires_at = _moment(given["date_expires"], shop.time_zone)
    for name in _DEFAULTS:
        if name in given:
            coupon.given[name] = _stored(name, given[name], shop, coupon)
    if coupon.given["discount_type"] == "percent" and coupon.amount > _MOST_PERCENT:
        coupon.amount = Decimal(0)


def _stored(name: str, value: Any, shop: FakeShop, coupon: FakeCoupon) -> Any:
    if name in _LIMITS:
        return value or None
    if name in {"minimum_amount", "maximum_amount"}:
        return decimals(Decimal(value or "0"))
    if name == "meta_data":
        return _merged_meta(shop, coupon.given["meta_data"], value)
    return _copied(value)


def _merged_meta(
    shop: FakeShop, known: list[dict[str, Any]], given: Iterable[Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """Entries with an id change the one of that id, those without are added; null deletes."""
    merged = {each["id"]: dict(each) for each in known}
    for each in given:
        number = each.get("id") or next(
            (key for key, one in merged.items() if one["key"] == each["key"]), None
        )
        number = number or shop.new_id()
        if each["value"] is None:
            merged.pop(number, None)
        else:
            merged[number] = {"id": number, "key": each["key"], "value": each["value"]}
    return list(merged.values())


def _moment(text: str, zone: str) -> datetime | None:
    """A time; without an offset it is the site's."""
    if not text:
        return None
    at = datetime.fromisoformat(text)
    return at.replace(tzinfo=ZoneInfo(zone)) if at.tzinfo is None else at


def _copied(value: Any) -> Any:
    return list(value) if isinstance(value, list) else value


def show_coupon(shop: FakeShop, coupon: FakeCoupon) -> dict[str, Any]:
    """As the API shows it."""
    dates: dict[str, Any] = {}
    for name, at in (
        ("date_created", coupon.created_at),
        ("date_modified", coupon.modified_at),
        ("date_expires", coupon.expires_at),
    ):
        dates |= {name: stamp(at, shop.time_zone), f"{name}_gmt": stamp(at, "UTC")}
    return {
        "id": coupon.id,
        "code": coupon.code,
        "amount": decimals(coupon.amount),
        "status": coupon.status,
        **dates,
        **coupon.given,
        "usage_count": len(coupon.used_by),
        "used_by": list(coupon.used_by),
        "_links": {},
    }


def list_coupons(shop: FakeShop, query: Mapping[str, Any]) -> tuple[list[dict[str, Any]], int]:
    """A page of coupons, and how many there are; by `code` the published one alone."""
    if "code" in query:
        found = shop.find_coupon(query["code"])
        rows = [] if found is None else [found]
    else:
        include, exclude = set(query["include"]), set(query["exclude"])
        rows = [
            each
            for each in shop.coupons.values()
            if query.get("search", "").lower() in f"{each.code} {each.given['description']}".lower()
            and (not include or each.id in include)
            and each.id not in exclude
            and _is_modified(each, query, shop.time_zone)
        ]
        key = {"id": lambda each: each.id, "modified": lambda each: each.modified_at}.get(
            query["orderby"], lambda each: (each.created_at, each.id)
        )
        rows.sort(key=key, reverse=query["order"] == "desc")
    page, total = page_of(rows, query["page"], query["per_page"])
    return [show_coupon(shop, each) for each in page], total


def _is_modified(coupon: FakeCoupon, query: Mapping[str, Any], zone: str) -> bool:
    after = query.get("modified_after")
    at = _moment(after, "UTC" if query["dates_are_gmt"] else zone) if after else None
    return at is None or coupon.modified_at.replace(microsecond=0) > at


class CartRefusal(Exception):
    """Why a coupon does not apply to a cart, as its customer reads it."""


def discount_of(
    shop: FakeShop, code: str, *, email: str, goods: Decimal, others: int = 0, now: datetime | None = None
) -> tuple[FakeCoupon, Decimal]:
    """The coupon and what it takes off a cart. Raises `CartRefusal` where it does not apply.

    `others` is how many other coupons are in the cart.
    """
    coupon = shop.find_coupon(code)
    if not shop.has_coupons or coupon is None:
        raise CartRefusal(f'Coupon "{code}" does not exist!')
    given = coupon.given
    if coupon.expires_at is not None and (now or clock.now()) > coupon.expires_at:
        raise CartRefusal("This coupon has expired.")
    if given["usage_limit"] and len(coupon.used_by) >= given["usage_limit"]:
        raise CartRefusal("Coupon usage limit has been reached.")
    if given["usage_limit_per_user"] and coupon.used_by.count(email) >= given["usage_limit_per_user"]:
        raise CartRefusal("Coupon usage limit has been reached.")
    if goods < Decimal(given["minimum_amount"]):
        raise CartRefusal(f"The minimum spend for this coupon is {given['minimum_amount']}.")
    if given["email_restrictions"] and email not in given["email_restrictions"]:
        raise CartRefusal("Sorry, this coupon is not valid for your email.")
    if given["individual_use"] and others:
        raise CartRefusal("This coupon cannot be used in conjunction with other coupons.")
    off = goods * coupon.amount / 100 if given["discount_type"] == "percent" else coupon.amount
    return coupon, min(off, goods)
