"""What the fake knows of its shops: facts, access, webhooks, discounts and orders.

Its time is that of `app.base.clock`, which the demo simulates; only access tokens end by the wall.
"""

import itertools
import secrets
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from app.base import clock
from app.demo.fakes.shopify.credit_state import FakeCredit

ALL_SCOPES = frozenset(
    {
        "read_orders",
        "read_all_orders",
        "read_customers",
        "read_fulfillments",
        "read_shopify_payments_disputes",
        "write_discounts",
        "read_store_credit_accounts",
        "write_store_credit_account_transactions",
    }
)
_numbers = itertools.count(7_000_000_000_000_000_001)
"""Ids are beyond 2^53, as many of Shopify's are."""


def new_number() -> int:
    """A new id, as webhooks write it."""
    return next(_numbers)


def new_gid(kind: str) -> str:
    """A new global id, such as `gid://shopify/Order/7000000000000000001`."""
    return f"gid://shopify/{kind}/{new_number()}"


def _seconds() -> float:
    return clock.now().timestamp()


@dataclass
class FakeApp:
    """An app of the Dev Dashboard, which is installed in shops."""

    client_id: str = "9f1c0a5b2d3e4f60718293a4b5c6d7e8"
    client_secret: str = field(default_factory=lambda: f"shpss_{secrets.token_hex(16)}")
    token_seconds: int = 86_399
    """How long a token of the client credentials grant is valid."""


@dataclass
class FakeWebhook:
    """A webhook subscription; `failures` counts deliveries in a row that were not accepted."""

    id: str
    topic: str
    uri: str
    failures: int = 0

    def shown(self) -> dict[str, Any]:
        """As the API shows it."""
        fields = {"id": self.id, "topic": self.topic, "uri": self.uri}
        return {**fields, "format": "JSON", "includeFields": [], "filter": None}


@dataclass
class FakeCode:
    """A code of a discount, with the times at which it was used."""

    id: str
    code: str
    uses: list[float] = field(default_factory=list)
    """Seconds of the clock."""
    used_by: list[int] = field(default_factory=list)
    """The customers who ordered with it: they may order with another code of its discount."""


@dataclass
class FakeDiscount:
    """A basic code discount; `given` holds the fields of its input, by their own names."""

    id: str
    given: dict[str, Any]
    codes: dict[str, FakeCode] = field(default_factory=dict)
    """By the code in lower case."""
    created_at: datetime = field(default_factory=clock.now)

    @property
    def has_ended(self) -> bool:
        """Whether its codes work no more."""
        ends = self.given.get("endsAt")
        return ends is not None and datetime.fromisoformat(ends) <= clock.now()


@dataclass
class FakeBulkCreation:
    """Codes that are being added; the work is done after some polls."""

    id: str
    discount_id: str
    codes: list[str]
    polls_left: int
    created_at: datetime = field(default_factory=clock.now)
    results: list[tuple[str, FakeCode | None, dict[str, Any] | None]] = field(default_factory=list)
    is_done: bool = False


@dataclass
class FakeJob:
    """Work that is done after some polls."""

    id: str
    work: Callable[[], None]
    polls_left: int
    is_done: bool = False


@dataclass
class FakeBucket:
    """The points of an app in a shop; those of the standard plan by default."""

    maximum: float = 2_000.0
    rate: float = 100.0
    available: float = 2_000.0
    at: float = field(default_factory=_seconds)

    def take(self, cost: float) -> bool:
        """Take the points of a call; False, and nothing taken, where there are too few."""
        now = _seconds()
        self.available = min(self.available + max(0.0, now - self.at) * self.rate, self.maximum)
        self.at = now
        if cost > self.available:
            return False
        self.available -= cost
        return True

    def shown(self) -> dict[str, float]:
        """As `throttleStatus`."""
        return {
            "maximumAvailable": self.maximum,
            "currentlyAvailable": int(self.available),
            "restoreRate": self.rate,
        }


@dataclass
class FakeShop:
    """A shop in which the app is installed. A test or the demo changes what it likes."""

    domain: str = "acme.myshopify.com"
    name: str = "Acme Goods"
    host: str = "acme.example"
    currency: str = "EUR"
    time_zone: str = "Europe/Berlin"
    scopes: frozenset[str] = ALL_SCOPES
    has_protected_data: bool = True
    """Whether the app may use customers' data at all."""
    has_personal_fields: bool = True
    """Whether it may use names, addresses, e-mail and phone."""
    is_installed: bool = True
    webhooks: dict[str, FakeWebhook] = field(default_factory=dict)
    discounts: dict[str, FakeDiscount] = field(default_factory=dict)
    creations: dict[str, FakeBulkCreation] = field(default_factory=dict)
    jobs: dict[str, FakeJob] = field(default_factory=dict)
    orders: list[dict[str, Any]] = field(default_factory=list)
    """The newest last; `id`, `email`, `phone` and `customer` are read."""
    withholds_before: datetime | None = None
    """Orders that were placed before it are shown with the scope `read_all_orders` alone; None: 60
    days before now."""
    codes_deleted: int = 0
    """How many codes were taken out of the shop."""
    credit: FakeCredit = field(default_factory=FakeCredit)
    credit_is_on: bool = True
    """Whether its checkout takes store credit."""
    sells_subscriptions: bool = False
    lost_customers: set[str] = field(default_factory=set)
    """Global ids of customers that it has no more."""
    clock: Callable[[], datetime] = clock.now
    """The time by which credit expires."""
    bucket: FakeBucket = field(default_factory=FakeBucket)
    polls_until_done: int = 2
    search_lags: bool = False
    """Whether the search within a discount's codes finds nothing yet."""
    usage_lag_seconds: float = 1.0
    """How long a use of a code takes to be counted."""
    tokens: dict[str, float] = field(default_factory=dict)
    """Access tokens with the time at which they end."""
    tokens_given: int = 0

    def new_token(self, seconds: float) -> str:
        """A new access token; with an endless time it is a custom app's."""
        token = f"shpat_{secrets.token_hex(16)}"
        self.tokens[token] = time.monotonic() + seconds
        self.tokens_given += 1
        return token

    def accepts(self, token: str) -> bool:
        """Whether an access token is valid now."""
        return self.is_installed and time.monotonic() < self.tokens.get(token, 0.0)

    def grants(self, any_of: Collection[str]) -> bool:
        """Whether the app has one of these scopes; writing includes reading."""
        wider = {scope.replace("write_", "read_", 1) for scope in self.scopes}
        return not (self.scopes | wider).isdisjoint(any_of)

    def shows(self, order: Mapping[str, Any]) -> bool:
        """Whether the app may read an order, by its age."""
        if "created_at" not in order or self.grants({"read_all_orders"}):
            return True
        oldest = self.withholds_before or clock.now() - timedelta(days=60)
        return datetime.fromisoformat(order["created_at"]) >= oldest

    def find_code(self, code: str) -> tuple[FakeDiscount, FakeCode] | None:
        """The code, in any case, with its discount."""
        for discount in self.discounts.values():
            found = discount.codes.get(code.lower())
            if found is not None:
                return discount, found
        return None

    def use_code(self, code: str) -> bool:
        """Count a use of the code at the checkout; False where it does not work.

        The limit of uses holds for each code of a discount.
        """
        found = self.find_code(code)
        if found is None or found[0].has_ended or is_used_up(*found):
            return False
        count_use(found[1])
        return True

    def counted_uses(self, code: FakeCode) -> int:
        """The uses that are counted by now."""
        return sum(at <= _seconds() - self.usage_lag_seconds for at in code.uses)


def is_used_up(discount: FakeDiscount, code: FakeCode) -> bool:
    """Whether the code was used as often as the discount lets each of its codes be used."""
    limit = discount.given.get("usageLimit")
    return limit is not None and len(code.uses) >= limit


def count_use(code: FakeCode, customer_id: int | None = None) -> None:
    """Count a use, now, of a customer where one is known."""
    code.uses.append(_seconds())
    if customer_id is not None:
        code.used_by.append(customer_id)
