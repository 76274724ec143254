"""The adapter of WooCommerce."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import ClassVar

import aiohttp

from app.platforms.connection_types import ConnectedShop, Connection, ConnectionReport
from app.platforms.delivery_types import OrderPage, ParseResult, RawDelivery, Verification
from app.platforms.discounts import CodePage, CodeToPublish, Discount, PublishedCode, PublishReport
from app.platforms.links import with_query
from app.platforms.protocol import PlatformAdapter
from app.platforms.reward_codes import RewardCode
from app.platforms.shop_credit import CreditKind
from app.platforms.woocommerce.codes import (
    CODES_AT_ONCE,
    list_codes,
    publish_codes,
    repair_codes,
    revoke_codes,
)
from app.platforms.woocommerce.connect import (
    CREDENTIAL_TITLES,
    CREDENTIALS,
    check,
    disconnect,
    make_connection,
)
from app.platforms.woocommerce.fetch import fetch_resource
from app.platforms.woocommerce.orders import fetch_orders
from app.platforms.woocommerce.parse import parse
from app.platforms.woocommerce.reward_codes import put_reward, remove_reward
from app.platforms.woocommerce.schemas import DOCUMENTATION
from app.platforms.woocommerce.settings import WooCommerceSettings
from app.platforms.woocommerce.verify import verify


class WooCommerceAdapter(PlatformAdapter):
    """Deliveries are complete but for refunds, and never repeated; their signature has no time."""

    title: ClassVar = "WooCommerce"
    documentation: ClassVar = DOCUMENTATION
    settings: ClassVar = WooCommerceSettings
    credentials: ClassVar = CREDENTIALS
    credential_titles: ClassVar = CREDENTIAL_TITLES
    account_hint: ClassVar = "https://acme.example"
    parses_without_fetch: ClassVar = True
    compares_account: ClassVar = True
    lists_orders: ClassVar = True
    publishes_codes: ClassVar = True
    codes_at_once: ClassVar = CODES_AT_ONCE
    credit: ClassVar = CreditKind.coupon

    def verify(
        self,
        headers: Mapping[str, str],
        raw: bytes,
        secrets: Sequence[str],
        *,
        now: datetime,  # noqa: ARG002  # the signature carries no time
    ) -> Verification:
        """Accept a body that was signed with one of the secrets, and the unsigned ping."""
        return verify(headers, raw, secrets)

    def parse(self, delivery: RawDelivery, /) -> ParseResult:
        """The events of the delivery, none for a topic that is not used, or refunds to fetch.

        Raises `Unparseable`. Without the fetched refunds all of a refund is for goods.
        """
        return parse(delivery)

    async def fetch(self, http: aiohttp.ClientSession, connection: Connection, resource: str) -> bytes:
        """The refunds of an order, or what the shop itself has of an order or a customer."""
        return await fetch_resource(http, connection, resource)

    async def fetch_orders(
        self, http: aiohttp.ClientSession, connection: Connection, since: datetime, cursor: str | None
    ) -> OrderPage:
        """A page of orders by the time of their last change, each as its webhooks show it."""
        return await fetch_orders(http, connection, since, cursor)

    def shop_link(self, url: str, code: str, slug: str) -> str:
        """WooCommerce itself stores the address of a visit with the order, and so the `ref`.

        The snippet in `docs/woocommerce.md` puts `discount` into the cart.
        """
        return with_query(url, ref=slug, discount=code)

    def make_connection(self, account: str, credentials: Mapping[str, str], *, local: bool) -> Connection:
        """The connection with a key of the shop's REST API.

        The webhooks' secret is the shop's own, which connecting gives to each of them.
        """
        return make_connection(account, credentials, local=local)

    async def connect(
        self, http: aiohttp.ClientSession, connection: Connection, shop: ConnectedShop
    ) -> ConnectionReport:
        """Register the webhooks that are missing or not active, and report as `check`."""
        return await check(http, connection, shop, register=True)

    async def check(
        self, http: aiohttp.ClientSession, connection: Connection, shop: ConnectedShop
    ) -> ConnectionReport:
        """The key's permissions, currency, coupons, and the webhooks."""
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
        """A coupon for each code."""
        return await publish_codes(http, connection, discount, codes)

    async def revoke_codes(
        self,
        http: aiohttp.ClientSession,
        connection: Connection,
        discount: Discount,
        codes: Sequence[PublishedCode],
    ) -> list[str | None]:
        """Delete coupons for good."""
        return await revoke_codes(http, connection, discount, codes)

    async def list_codes(
        self, http: aiohttp.ClientSession, connection: Connection, discount: Discount, after: str | None
    ) -> CodePage:
        """A page of our coupons, each with what differs in it."""
        return await list_codes(http, connection, discount, after)

    async def repair_codes(
        self,
        http: aiohttp.ClientSession,
        connection: Connection,
        discount: Discount,
        codes: Sequence[PublishedCode],
    ) -> None:
        """Set coupons back to what they must be."""
        await repair_codes(http, connection, discount, codes)

    async def put_reward(
        self, http: aiohttp.ClientSession, connection: Connection, reward: RewardCode, remote_id: str | None
    ) -> str:
        """A coupon restricted to the owner's address."""
        return await put_reward(http, connection, reward, remote_id)

    async def remove_reward(
        self,
        http: aiohttp.ClientSession,
        connection: Connection,
        reward: RewardCode,
        remote_id: str | None,  # noqa: ARG002  # it is looked up by its code
    ) -> None:
        """Delete it."""
        await remove_reward(http, connection, reward)
