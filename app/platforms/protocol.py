"""What a platform's adapter offers to the other packages, with its arguments and results."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import ClassVar, Protocol

import aiohttp

from app.base.errors import AppError, Outcome, OutsideError
from app.platforms.discounts import CodePage, CodeToPublish, Discount, PublishedCode, PublishReport
from app.platforms.documentation import WebhookDocumentation
from app.platforms.events import PlatformEvent
from app.platforms.reward_codes import RewardCode
from app.platforms.settings import PlatformSettings
from app.platforms.shop_credit import CreditHolder, CreditKind, CreditMove, CreditReport, MovedCredit

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


@dataclass(frozen=True, slots=True)
class NeedsFetch:
    """The delivery only names what changed; its content must be fetched from the platform."""

    resource: str
    """What to fetch, in the adapter's own terms (`orders/118`). It is stored, so no personal
    data."""


ParseResult = list[PlatformEvent] | NeedsFetch


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
class OrderPage:
    """A page of a shop's orders as deliveries of their present state, the oldest change first."""

    topic: str
    """Under which each of the bodies is parsed."""
    bodies: tuple[bytes, ...]
    next_cursor: str | None
    """Where the next page begins; None: this is the last one."""
    reached: datetime | None = None
    """When the last of the orders was changed."""


@dataclass(frozen=True, slots=True)
class ShopperSession:
    """Somebody to whom a page of the shop is shown, which asks us in their browser."""

    customer_id: str | None
    """The shop's own id of who is signed in; None: nobody is, or the platform does not say."""


class PlatformAdapter(Protocol):
    """One platform. Adapters hold no state; those that inherit from this class get the defaults."""

    title: ClassVar[str]
    """The platform's name for people; marked for translation where it is not a vendor's own."""
    documentation: ClassVar[WebhookDocumentation | None] = None
    """How the webhook endpoint is documented."""
    settings: ClassVar[type[PlatformSettings]] = PlatformSettings
    """What a shop may set of this platform."""
    credentials: ClassVar[tuple[tuple[str, ...], ...]] = ()
    """The names of the credentials that a connection needs: one of these sets. Empty for a platform
    that is not called."""
    credential_titles: ClassVar[Mapping[str, str]] = {}
    """What each credential is called where people find it, marked for translation."""
    account_hint: ClassVar[str] = ""
    """How a shop's account looks, for people who enter it."""
    parses_without_fetch: ClassVar[bool] = False
    """Whether a delivery is parsed all the same where its content cannot be fetched, as for a shop
    that is not connected: `delivery.fetched` is empty then."""
    lists_orders: ClassVar[bool] = False
    """Whether a connected shop's orders can be read by `fetch_orders`."""
    publishes_codes: ClassVar[bool] = False
    """Whether codes are put into a connected shop before they work. Without it every code works at
    once, as does one of a shop that is not connected: the shop asks us, or reports it."""
    codes_at_once: ClassVar[int] = 100
    """The most codes of one call."""
    shares_discount: ClassVar[bool] = False
    """Whether the codes under the same terms share a discount, which must be made first."""
    credit: ClassVar[CreditKind | None] = None
    """In what form a shop can hold a customer's credit; a check says whether this one does
    (`ConnectionReport.holds_credit`). None: in none."""

    def verify(
        self, headers: Mapping[str, str], raw: bytes, secrets: Sequence[str], *, now: datetime
    ) -> Verification:
        """Whether a request is genuine, by the shop's webhook secrets.

        Header names match in any case.
        """

    def parse(self, delivery: RawDelivery, /) -> ParseResult:
        """The delivery's events, none for a topic that is not used, or what must be fetched first.

        With `delivery.fetched`, also an empty one, it never returns `NeedsFetch`. Raises
        `Unparseable` with a reason for people.
        """

    def shop_link(self, url: str, code: str, slug: str) -> str:
        """The address of the shop for a friend, with the code applied where the platform can do so.

        `url` is the shop's own address, `slug` the share slug, which comes back with the order.
        """

    def make_connection(
        self,
        account: str,  # noqa: ARG002  # for platforms that must be called
        credentials: Mapping[str, str],  # noqa: ARG002
        *,
        local: bool,  # noqa: ARG002
    ) -> Connection:
        """The connection with this account and these credentials, which are not tried here.

        `local` is whether the account may be a program on this machine. Raises `AppError` for what
        cannot be one. Default: a platform that is not called cannot be connected.
        """
        raise AppError(
            "not_connectable",
            "This shop calls us and is never called, so it needs no connection; its webhook secret is"
            " all that it shares with us.",
        )

    def webhook_secret(self, connection: Connection) -> str | None:  # noqa: ARG002
        """The secret that signs the webhooks of this connection; None where it does not name it."""
        return None

    def read_session(
        self,
        token: str,  # noqa: ARG002
        connection: Connection,  # noqa: ARG002
        secrets: Sequence[str],  # noqa: ARG002
        *,
        now: datetime,  # noqa: ARG002
    ) -> ShopperSession | None:
        """Who is shown a page of the connected shop, by the token that the page asks with.

        `secrets` are those of the shop's webhooks. None for a token that is not genuine, has ended
        or is another shop's. Default: the platform has no such tokens.
        """
        return None

    async def connect(
        self,
        http: aiohttp.ClientSession,
        connection: Connection,
        shop: ConnectedShop,
    ) -> ConnectionReport:
        """Register the webhooks that are missing, and report as `check`. Raises `OutsideError`.

        It may be repeated at any time, also after it broke off half-way. Default: as `check`.
        """
        return await self.check(http, connection, shop)

    async def check(
        self,
        http: aiohttp.ClientSession,  # noqa: ARG002
        connection: Connection,  # noqa: ARG002
        shop: ConnectedShop,  # noqa: ARG002
    ) -> ConnectionReport:
        """Report what is missing, and change nothing. Raises `OutsideError` where that fails.

        Default: nothing is missing.
        """
        return ConnectionReport()

    async def disconnect(
        self,
        http: aiohttp.ClientSession,
        connection: Connection,
        shop: ConnectedShop,
    ) -> None:
        """Remove the webhooks that lead to us. Raises `OutsideError`. Default: there are none."""
        del http, connection, shop

    async def fetch(
        self,
        http: aiohttp.ClientSession,  # noqa: ARG002  # for platforms that must be called
        connection: Connection,  # noqa: ARG002
        resource: str,  # noqa: ARG002
    ) -> bytes:
        """The content that `NeedsFetch` named. Raises `OutsideError`.

        Default: a platform whose deliveries are complete has nothing to fetch, which is a permanent
        refusal.
        """
        raise OutsideError(Outcome.refused, "The platform offers nothing to fetch.", permanent=True)

    async def fetch_orders(
        self,
        http: aiohttp.ClientSession,  # noqa: ARG002  # for platforms that list orders
        connection: Connection,  # noqa: ARG002
        since: datetime,  # noqa: ARG002
        cursor: str | None,  # noqa: ARG002
    ) -> OrderPage:
        """A page of the orders that were changed at `since` or later, those of the cursor's page.

        An order that changes meanwhile comes again on a later page. Raises `OutsideError`.
        """
        raise OutsideError(Outcome.refused, "The platform does not list its orders.", permanent=True)

    async def publish_codes(
        self,
        http: aiohttp.ClientSession,  # noqa: ARG002  # for platforms that take codes
        connection: Connection,  # noqa: ARG002
        discount: Discount,  # noqa: ARG002
        codes: Sequence[CodeToPublish],  # noqa: ARG002
    ) -> PublishReport:
        """Make at most `codes_at_once` codes work in the shop; returns the result of each.

        A code is in the shop at most once, however often this is called and wherever it broke off.
        With `shares_discount` it makes the discount with the first code where `discount.remote_id`
        is None; that is called by one process at a time. A code that is there already under our
        discount is `Live`. Raises `OutsideError`: `refused` where none of the codes was put into
        the shop, `unknown` where any of them may have been.
        """
        raise OutsideError(Outcome.refused, "The platform takes no codes.", permanent=True)

    async def revoke_codes(
        self,
        http: aiohttp.ClientSession,  # noqa: ARG002
        connection: Connection,  # noqa: ARG002
        discount: Discount,  # noqa: ARG002
        codes: Sequence[PublishedCode],  # noqa: ARG002
    ) -> list[str | None]:
        """Take at most `codes_at_once` codes out of the shop, and nobody else's.

        Returns why one could not be, in the order given; None where it is gone, or never was there.
        Of one that is not found and `may_come` it returns `NOT_THERE_YET`. Raises `OutsideError`
        where that holds for all of them; it may be repeated.
        """
        raise OutsideError(Outcome.refused, "The platform takes no codes.", permanent=True)

    async def list_codes(
        self,
        http: aiohttp.ClientSession,  # noqa: ARG002
        connection: Connection,  # noqa: ARG002
        discount: Discount,  # noqa: ARG002
        after: str | None,  # noqa: ARG002
    ) -> CodePage:
        """A page of what the shop has of our codes under these terms. Raises `OutsideError`."""
        raise OutsideError(Outcome.refused, "The platform takes no codes.", permanent=True)

    async def put_reward(
        self,
        http: aiohttp.ClientSession,  # noqa: ARG002
        connection: Connection,  # noqa: ARG002
        reward: RewardCode,  # noqa: ARG002
        remote_id: str | None,  # noqa: ARG002
    ) -> str:
        """Make a reward's code be in the shop as it must be; returns the platform's id of it.

        `remote_id` is what an earlier call has returned. It may be repeated, whatever an earlier
        call left: the code is there once. Raises `OutsideError`, permanent where the shop refuses.
        """
        raise OutsideError(Outcome.refused, "The platform takes no codes.", permanent=True)

    async def remove_reward(
        self,
        http: aiohttp.ClientSession,  # noqa: ARG002
        connection: Connection,  # noqa: ARG002
        reward: RewardCode,  # noqa: ARG002
        remote_id: str | None,  # noqa: ARG002
    ) -> None:
        """Take a reward's code out of the shop, where it is; another one of the name stays.

        It may be repeated. Raises `OutsideError`.
        """
        raise OutsideError(Outcome.refused, "The platform takes no codes.", permanent=True)

    async def read_credit(
        self,
        http: aiohttp.ClientSession,  # noqa: ARG002  # for platforms with accounts
        connection: Connection,  # noqa: ARG002
        holder: CreditHolder,  # noqa: ARG002
        oldest: str | None,  # noqa: ARG002
    ) -> CreditReport:
        """A customer's account, with its entries back to the one with the id `oldest`, or all.

        Raises `OutsideError`, permanent for a customer whom the shop does not know.
        """
        raise OutsideError(Outcome.refused, "The platform holds no credit.", permanent=True)

    async def move_credit(
        self,
        http: aiohttp.ClientSession,  # noqa: ARG002
        connection: Connection,  # noqa: ARG002
        holder: CreditHolder,  # noqa: ARG002
        move: CreditMove,  # noqa: ARG002
    ) -> MovedCredit:
        """Credit or debit a customer's account; a first credit makes it.

        A second call moves it a second time: whoever calls looks first (`read_credit`). Raises
        `OutsideError`: `refused` where nothing was moved, and not permanent where the account holds
        less than what is to be debited.
        """
        raise OutsideError(Outcome.refused, "The platform holds no credit.", permanent=True)

    async def repair_codes(
        self,
        http: aiohttp.ClientSession,  # noqa: ARG002
        connection: Connection,  # noqa: ARG002
        discount: Discount,  # noqa: ARG002
        codes: Sequence[PublishedCode],  # noqa: ARG002
    ) -> None:
        """Set the discount, or at most `codes_at_once` codes of their own, to what they must be.

        Raises `OutsideError`; it may be repeated.
        """
        raise OutsideError(Outcome.refused, "The platform takes no codes.", permanent=True)
