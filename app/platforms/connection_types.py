"""A shop's connection to its platform as adapters are given it, and what they find out by it."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Connection:
    """How to call a platform for one shop. The credentials are left out of its `repr`."""

    account: str
    """The shop's name at the platform: a domain, a store hash, an account id."""
    credentials: Mapping[str, str] = field(repr=False)
    """By the adapter's own names, such as `access_token`."""


@dataclass(frozen=True, slots=True)
class ConnectedShop:
    """Our side of a connection, with which a platform's facts are compared."""

    slug: str
    url: str | None
    currency: str
    time_zone: str
    webhook_url: str
    """Where the platform must deliver."""
    webhook_secret: str = field(default="", repr=False)
    """The newest secret of the shop's webhooks, where a check is to register them with it."""
    settings: Mapping[str, str] = field(default_factory=dict)
    """What the shop has set of its platform."""
    lacks_consent_in: frozenset[str] = frozenset()
    """Countries whose customers are written to with consent alone, where none is known yet."""


@dataclass(frozen=True, slots=True)
class ConnectionReport:
    """What a check of a connection found, in sentences for people."""

    problems: tuple[str, ...] = ()
    """What is missing, and where to correct it; empty where everything works."""
    notes: tuple[str, ...] = ()
    """What to know or to set by hand; the connection works without it."""
    webhooks: tuple[str, ...] = ()
    """The topics that the platform delivers to us now."""
    holds_credit: bool | None = None
    """Whether the shop lets its customers spend credit that we put there; None: as before."""


@dataclass(frozen=True, slots=True)
class ShopperSession:
    """Somebody to whom a page of the shop is shown, which asks us in their browser."""

    customer_id: str | None
    """The shop's own id of who is signed in; None: nobody is, or the platform does not say."""
