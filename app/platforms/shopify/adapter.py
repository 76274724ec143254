"""The adapter of Shopify."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import ClassVar
from urllib.parse import quote, urlencode, urlsplit, urlunsplit

import aiohttp

from app.platforms.connection_types import ConnectedShop, Connection, ConnectionReport, ShopperSession
from app.platforms.delivery_types import (
    OrderPage,
    ParseResult,
    RawDelivery,
    RefusedDelivery,
    VerifiedDelivery,
)
from app.platforms.discounts import CodePage, CodeToPublish, Discount, PublishedCode, PublishReport
from app.platforms.protocol import PlatformAdapter
from app.platforms.reward_codes import RewardCode
from app.platforms.shop_credit import CreditHolder, CreditKind, CreditMove, CreditReport, MovedCredit
from app.platforms.shopify.accounts import domain_of_account
from app.platforms.shopify.code_lookup import list_codes, repair_discount
from app.platforms.shopify.codes import CODES_AT_ONCE, publish_codes
from app.platforms.shopify.connect import CREDENTIAL_TITLES, CREDENTIALS, check, disconnect, make_connection
from app.platforms.shopify.credit import move_credit, read_credit
from app.platforms.shopify.orders import fetch_order, fetch_orders
from app.platforms.shopify.parse import parse
from app.platforms.shopify.revoke import revoke_codes
from app.platforms.shopify.reward_codes import put_reward, remove_reward
from app.platforms.shopify.schemas import DOCUMENTATION
from app.platforms.shopify.session_tokens import read_session
from app.platforms.shopify.verify import verify


class ShopifyAdapter(PlatformAdapter):
    """Deliveries are complete but for edits; their signature carries no time."""

    title: ClassVar = "Shopify"
    documentation: ClassVar = DOCUMENTATION
    credentials: ClassVar = CREDENTIALS
    credential_titles: ClassVar = CREDENTIAL_TITLES
    account_hint: ClassVar = "acme.myshopify.com"
    parses_without_fetch: ClassVar = True
    lists_orders: ClassVar = True
    publishes_codes: ClassVar = True
    codes_at_once: ClassVar = CODES_AT_ONCE
    shares_discount: ClassVar = True
    credit: ClassVar = CreditKind.account

    def verify(
        self,
        headers: Mapping[str, str],
        raw: bytes,
        secrets: Sequence[str],
        *,
        now: datetime,  # noqa: ARG002  # the signature carries no time
    ) -> VerifiedDelivery | RefusedDelivery:
        """Accept a body that was signed with one of the secrets."""
        return verify(headers, raw, secrets)

    def parse(self, delivery: RawDelivery, /) -> ParseResult:
        """The events of the delivery, none for a topic that is not used. Raises `Unparseable`."""
        return parse(delivery)

    async def fetch(self, http: aiohttp.ClientSession, connection: Connection, resource: str) -> bytes:
        """An order that was edited, as its webhooks show it."""
        return await fetch_order(http, connection, resource)

    async def fetch_orders(
        self, http: aiohttp.ClientSession, connection: Connection, since: datetime, cursor: str | None
    ) -> OrderPage:
        """A page of orders by the time of their last change, each as its webhooks show it."""
        return await fetch_orders(http, connection, since, cursor)

    def shop_link(self, url: str, code: str, slug: str) -> str:
        """`/discount/CODE` applies the code and redirects to the shop's address."""
        scheme, host, path, _, _ = urlsplit(url)
        target = f"{path or '/'}?{urlencode({'ref': slug})}"
        return urlunsplit((scheme, host, f"/discount/{quote(code)}", urlencode({"redirect": target}), ""))

    def make_connection(self, account: str, credentials: Mapping[str, str], *, local: bool) -> Connection:
        """The connection of an app with a client id and a secret, or of a custom app."""
        return make_connection(account, credentials, local=local)

    def names_account(self, account: str, stated: str) -> bool:
        """Shopify states the shop's domain."""
        return domain_of_account(account) == stated.lower()

    def webhook_secret(self, connection: Connection) -> str | None:
        """Shopify signs with the app's client secret."""
        return connection.credentials.get("client_secret")

    def read_session(
        self, token: str, connection: Connection, secrets: Sequence[str], *, now: datetime
    ) -> ShopperSession | None:
        """Who is shown a page with an extension of the app, by Shopify's session token."""
        return read_session(token, connection, secrets, now=now)

    async def connect(
        self, http: aiohttp.ClientSession, connection: Connection, shop: ConnectedShop
    ) -> ConnectionReport:
        """Register the webhooks that are missing, and report as `check`."""
        return await check(http, connection, shop, register=True)

    async def check(
        self, http: aiohttp.ClientSession, connection: Connection, shop: ConnectedShop
    ) -> ConnectionReport:
        """Access scopes, protected customer data, currency, and the webhooks."""
        return await check(http, connection, shop, register=False)

    async def disconnect(
        self, http: aiohttp.ClientSession, connection: Connection, shop: ConnectedShop
    ) -> None:
        """Remove our webhooks."""
        await disconnect(http, connection, shop)

    async def publish_codes(
        self,
        http: aiohttp.ClientSession,
        connection: Connection,
        discount: Discount,
        codes: Sequence[CodeToPublish],
    ) -> PublishReport:
        """Codes of one discount for each terms; the first one is made together with it."""
        return await publish_codes(http, connection, discount, codes)

    async def revoke_codes(
        self,
        http: aiohttp.ClientSession,
        connection: Connection,
        discount: Discount,
        codes: Sequence[PublishedCode],
    ) -> list[str | None]:
        """Delete codes; the discount stays."""
        return await revoke_codes(http, connection, discount, codes)

    async def list_codes(
        self, http: aiohttp.ClientSession, connection: Connection, discount: Discount, after: str | None
    ) -> CodePage:
        """A page of the discount's codes, and what differs in the discount."""
        return await list_codes(http, connection, discount, after)

    async def repair_codes(
        self,
        http: aiohttp.ClientSession,
        connection: Connection,
        discount: Discount,
        codes: Sequence[PublishedCode],  # noqa: ARG002  # all that can differ is the discount's
    ) -> None:
        """Set the discount back to its terms."""
        await repair_discount(http, connection, discount)

    async def put_reward(
        self, http: aiohttp.ClientSession, connection: Connection, reward: RewardCode, remote_id: str | None
    ) -> str:
        """A discount of its own for the owner."""
        return await put_reward(http, connection, reward, remote_id)

    async def remove_reward(
        self, http: aiohttp.ClientSession, connection: Connection, reward: RewardCode, remote_id: str | None
    ) -> None:
        """Delete it."""
        await remove_reward(http, connection, reward, remote_id)

    async def read_credit(
        self, http: aiohttp.ClientSession, connection: Connection, holder: CreditHolder, oldest: str | None
    ) -> CreditReport:
        """The customer's store credit in one currency."""
        return await read_credit(http, connection, holder, oldest)

    async def move_credit(
        self, http: aiohttp.ClientSession, connection: Connection, holder: CreditHolder, move: CreditMove
    ) -> MovedCredit:
        """Credit or debit it."""
        return await move_credit(http, connection, holder, move)
