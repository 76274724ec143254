"""Our coupons in WooCommerce's shape: as they are written, recognised and compared. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from typing import Any

from app.brands.programme import DiscountKind
from app.platforms.discounts import Discount

TERMS_KEY = "tenfold_terms"
"""The key of the `meta_data` that marks a coupon as ours."""
_TYPES = {DiscountKind.percent: "percent", DiscountKind.amount: "fixed_cart"}
_CENT = Decimal("0.01")
_WORDS = {
    "amount": "the discount is {found} and not {wanted}",
    "discount_type": "its type is {found} and not {wanted}",
    "minimum_amount": "the minimum is {found} and not {wanted}",
    "usage_limit": "it can be used {found} times and not {wanted}",
    "usage_limit_per_user": "each customer can use it {found} times and not {wanted}",
    "individual_use": "individual use only is {found} and not {wanted}",
}
"""What a change of each field is called. The end of a code is not compared: each code has its
own."""


@dataclass(frozen=True, slots=True)
class Coupon:
    """One of the shop's coupons, as far as it is read."""

    id: int
    code: str
    """In lower case, as WooCommerce keeps it."""
    terms: str | None
    """The terms that our mark names; None for a coupon that is not ours."""
    uses: int
    values: Mapping[str, Any]

    @classmethod
    def of(cls, row: object) -> "Coupon | None":
        """Read a coupon; None for what is none, such as an error in a batch."""
        if not isinstance(row, Mapping):
            return None
        number, code, uses = row.get("id"), row.get("code"), row.get("usage_count")
        if type(number) is not int or number <= 0 or not isinstance(code, str) or not code:
            return None
        used = uses if isinstance(uses, int) and uses > 0 else 0
        return cls(number, code.lower(), mark_of(row, TERMS_KEY), used, row)

    @property
    def is_published(self) -> bool:
        """Whether it works; some versions of WooCommerce list drafts too, others name no status."""
        status: object = self.values.get("status", "publish")
        return status == "publish"

    def is_under(self, discount: Discount) -> bool:
        """Whether it is ours, under these terms."""
        return self.terms == discount.terms_id.hex


def mark_of(row: Mapping[str, Any], key: str) -> str | None:
    """The value by which a coupon is marked under this key of its `meta_data`; None without."""
    meta = row.get("meta_data")
    for entry in meta if isinstance(meta, list) else ():
        match entry:
            case {"key": found, "value": str() as value} if found == key:
                return value
    return None


def end_of(expires_at: datetime) -> str:
    """A `date_expires`."""
    return expires_at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def coupon_body(discount: Discount, code: str, expires_at: datetime) -> dict[str, object]:
    """The coupon of a code, with all that WooCommerce's cart can enforce.

    The description holds the mark too: WooCommerce finds coupons by their descriptions, not by
    `meta_data`. A coupon that combines with others of the shop's may be beside any of them.
    """
    return {
        "code": code.lower(),
        "description": f"{discount.title} [{discount.terms_id.hex}]",
        **_terms_of(discount),
        "date_expires": end_of(expires_at),
        "meta_data": [{"key": TERMS_KEY, "value": discount.terms_id.hex}],
    }


def _terms_of(discount: Discount) -> dict[str, object]:
    return {
        "amount": f"{discount.value.normalize():f}",
        "discount_type": _TYPES[discount.kind],
        "minimum_amount": f"{(discount.minimum_subtotal or Decimal(0)).normalize():f}",
        "usage_limit": discount.max_uses,
        "usage_limit_per_user": 1 if discount.one_per_friend else 0,
        "individual_use": not discount.combines_with & {"order", "product"},
    }


def first_step(discount: Discount, number: int) -> dict[str, object] | None:
    """What must be written before a whole coupon, so that WooCommerce accepts that; None: nothing.

    It sets the amount before the type, and refuses more than 100 while the type is percent.
    """
    if discount.value <= 100:
        return None
    return {"id": number, "amount": "0", "discount_type": _TYPES[discount.kind]}


def differences(discount: Discount, coupon: Coupon) -> tuple[str, ...]:
    """What somebody has changed about a coupon of ours, in words."""
    found = []
    for name, wanted in _terms_of(discount).items():
        present = coupon.values.get(name)
        if _comparable(name, present) != _comparable(name, wanted):
            found.append(_WORDS[name].format(found=_shown(present), wanted=_shown(wanted)))
    return tuple(found)


def _comparable(name: str, value: object) -> object:
    """Amounts are written with two decimals, and a limit of 0 is read as null."""
    if name in {"amount", "minimum_amount"}:
        try:
            return Decimal(str(value or 0)).quantize(_CENT, ROUND_HALF_UP)
        except InvalidOperation:
            return value
    return (value or 0) if name.startswith("usage_") else value


def _shown(value: object) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    return "unlimited" if value is None else str(value)[:40]
