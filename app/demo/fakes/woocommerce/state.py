"""What the fake knows of its shops: keys, settings, webhooks, coupons, orders and refunds."""

import itertools
import secrets
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from html import unescape
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

from app.base import clock

_Row = TypeVar("_Row")


def stamp(at: datetime | None, zone: str) -> str | None:
    """A time as WooCommerce writes it: in the zone, without naming it."""
    return None if at is None else at.astimezone(ZoneInfo(zone)).strftime("%Y-%m-%dT%H:%M:%S")


def decimals(amount: Decimal) -> str:
    """An amount as WooCommerce writes it: a text with two decimals."""
    return str(amount.quantize(Decimal("0.01"), ROUND_HALF_UP))


@dataclass
class FakeKey:
    """A key of *WooCommerce > Settings > Advanced > REST API*, with the rights of its user."""

    consumer_key: str = field(default_factory=lambda: f"ck_{secrets.token_hex(20)}")
    consumer_secret: str = field(default_factory=lambda: f"cs_{secrets.token_hex(20)}")
    permissions: str = "read_write"
    """`read`, `write` or `read_write`."""
    is_manager: bool = True
    """Whether its user may manage the shop; a customer's key may do nothing."""


@dataclass
class FakeWebhook:
    """A webhook; `failures` counts deliveries in a row that were not accepted."""

    id: int
    name: str
    topic: str
    delivery_url: str
    secret: str
    status: str = "active"
    failures: int = 0
    created_at: datetime = field(default_factory=clock.now)


@dataclass
class FakeCoupon:
    """A coupon; `given` holds its writable fields as they read back, dates apart."""

    id: int
    code: str
    given: dict[str, Any]
    amount: Decimal = Decimal(0)
    status: str = "publish"
    expires_at: datetime | None = None
    used_by: list[str] = field(default_factory=list)
    created_at: datetime = field(default_factory=clock.now)
    modified_at: datetime = field(default_factory=clock.now)

    @property
    def is_published(self) -> bool:
        """Whether it can be used and found by its code."""
        return self.status == "publish"


@dataclass
class FakeShop:
    """A shop of WordPress with WooCommerce. A test or the demo changes what it likes."""

    path: str = "acme"
    """Below the server's address, as a WordPress in a subdirectory."""
    name: str = "Acme Goods"
    url: str = "https://acme.example"
    currency: str = "EUR"
    country: str = "DE"
    """With a state as in `DE:DE-BY`."""
    time_zone: str = "Europe/Berlin"
    has_coupons: bool = True
    """Whether *WooCommerce > Settings > General > Enable coupons* is on."""
    has_permalinks: bool = True
    """False: *Settings > Permalinks* is "Plain", and `/wp-json/` is not found."""
    is_active: bool = True
    """Whether the plugin WooCommerce is active in WordPress."""
    shows_index: bool = True
    """False: a plugin forbids the REST API to whom WordPress does not know."""
    keys: list[FakeKey] = field(default_factory=lambda: [FakeKey()])
    webhooks: dict[int, FakeWebhook] = field(default_factory=dict)
    coupons: dict[int, FakeCoupon] = field(default_factory=dict)
    coupons_by_code: dict[str, list[FakeCoupon]] = field(default_factory=dict)
    orders: dict[int, dict[str, Any]] = field(default_factory=dict)
    """As the API shows them."""
    refunds: dict[int, list[dict[str, Any]]] = field(default_factory=dict)
    """By order."""
    customers: dict[int, dict[str, Any]] = field(default_factory=dict)
    coupons_deleted: int = 0
    """How many coupons were deleted for good."""
    pings: list[int] = field(default_factory=list)
    """What the addresses of new webhooks answered to their pings; 0 for nothing."""
    _ids: Iterator[int] = field(default_factory=lambda: itertools.count(101))

    def new_id(self) -> int:
        """A new id; WordPress numbers everything in one row."""
        return next(self._ids)

    def find_coupon(self, code: str) -> FakeCoupon | None:
        """The newest published coupon of a code, in any case."""
        found = self.coupons_by_code.get(code_of(code), [])
        return next((each for each in reversed(found) if each.is_published), None)

    def add_coupon(self, coupon: FakeCoupon) -> None:
        """Store a coupon."""
        self.coupons[coupon.id] = coupon
        self.coupons_by_code.setdefault(coupon.code, []).append(coupon)

    def remove_coupon(self, coupon: FakeCoupon) -> None:
        """Delete a coupon for good."""
        self.coupons.pop(coupon.id)
        self.coupons_by_code[coupon.code].remove(coupon)


def code_of(given: str) -> str:
    """A code as WooCommerce keeps it: entities decoded, in lower case."""
    return unescape(given).strip().lower()


def page_of(rows: Iterable[_Row], page: int, per_page: int) -> tuple[list[_Row], int]:
    """One page of rows, and how many there are in all."""
    listed = list(rows)
    return listed[(page - 1) * per_page : page * per_page], len(listed)
