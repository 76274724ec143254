"""What a platform's adapter offers to the other packages.

What only some platforms can do has protocols of its own: `code_protocol`, `credit_protocol`.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import ClassVar, Protocol

import aiohttp

from app.base.errors import AppError, Outcome, OutsideError
from app.platforms.code_protocol import TakesCodes
from app.platforms.connection_types import ConnectedShop, Connection, ConnectionReport, ShopperSession
from app.platforms.credit_protocol import HoldsCredit
from app.platforms.delivery_types import OrderPage, ParseResult, RawDelivery, Verification
from app.platforms.documentation import WebhookDocumentation
from app.platforms.settings import PlatformSettings


class PlatformAdapter(TakesCodes, HoldsCredit, Protocol):
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
    compares_account: ClassVar[bool] = False
    """Whether `parse` is given the shop's account, since copies of a shop deliver like the shop."""
    lists_orders: ClassVar[bool] = False
    """Whether a connected shop's orders can be read by `fetch_orders`."""

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

    def names_account(self, account: str, stated: str) -> bool:
        """Whether the platform means a connection's account by the name that it states."""
        return account == stated

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
