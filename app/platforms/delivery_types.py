"""What adapters are given of deliveries and of orders that are read, and what they return."""

from dataclasses import dataclass
from datetime import datetime

from app.platforms.events import PlatformEvent
from app.platforms.settings import PlatformSettings

NO_TOPIC = "unreadable"
"""The topic of a delivery whose headers name none; parsing gives the reason."""


@dataclass(frozen=True, slots=True)
class VerifiedDelivery:
    """A request with a valid signature: its topic, and the id that a repetition carries too."""

    topic: str
    external_id: str


@dataclass(frozen=True, slots=True)
class RefusedDelivery:
    """The signature is missing or wrong, or the request's time differs too much from ours."""


@dataclass(frozen=True, slots=True)
class Ping:
    """An unsigned request by which a platform tests the address: gets 200, nothing is stored."""


Verification = VerifiedDelivery | RefusedDelivery | Ping


@dataclass(frozen=True, slots=True)
class RawDelivery:
    """A stored delivery as an adapter parses it."""

    topic: str
    body: bytes
    received_at: datetime
    fetched: bytes | None = None
    """What `fetch` returned for it, empty where it could not be had (`parses_without_fetch`); None
    as long as nothing was fetched."""
    settings: PlatformSettings | None = None
    """The shop's settings of its platform, of the adapter's own model; None: the defaults."""
    account: str | None = None
    """The account that the shop is connected to, where the adapter compares it
    (`compares_account`)."""


@dataclass(frozen=True, slots=True)
class NeedsFetch:
    """The delivery only names what changed; its content must be fetched from the platform."""

    resource: str
    """What to fetch, in the adapter's own terms (`orders/118`). It is stored, so no personal
    data."""


ParseResult = list[PlatformEvent] | NeedsFetch


@dataclass(frozen=True, slots=True)
class OrderPage:
    """A page of a shop's orders as deliveries of their present state, the oldest change first."""

    topic: str
    """Under which each of the bodies is parsed."""
    bodies: tuple[bytes, ...]
    next_cursor: str | None
    """Where the next page begins; None: this is the last one."""
    reached: datetime | None = None
    """When the last of the orders was changed."""
