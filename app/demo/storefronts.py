"""The demo's shop: on a checkout of its own, or on a fake of a platform that it is connected to."""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from typing import Any, Protocol

from app.base import clock
from app.base.actor import cli_actor
from app.base.context import AppContext
from app.base.errors import AppError
from app.brands.models import Shop
from app.brands.rules import Platform
from app.demo import shopify_storefront, woocommerce_storefront
from app.demo.client import DemoClient
from app.demo.scenario import Scenario, order_number
from app.platforms.check import check_shop
from app.platforms.connect import connect_shop, try_connection
from app.platforms.connection_types import Connection

PLATFORMS = (Platform.checkout, Platform.shopify, Platform.woocommerce)
"""Those that the demo can play."""
SETTINGS: Mapping[Platform, Mapping[str, str]] = {Platform.woocommerce: woocommerce_storefront.SETTINGS}
"""What the shop names of its platform."""


class Storefront(Protocol):
    """Where people buy."""

    async def deliver(self, deliveries: Sequence[tuple[str, Mapping[str, Any]]]) -> list[float]:
        """Let these things happen, by their ids and a checkout's bodies, and tell Tenfold of them.

        Returns the seconds of each. Raises `AppError` where Tenfold does not take one.
        """

    def summary(self) -> dict[str, Any]:
        """What the shop says at the end.

        A platform's: the codes that are there, those of rewards among them, the credit that its
        customers have, how often codes were used in carts, how many were deleted, how many carts
        refused theirs, and how much did not fit the platform's schema; where webhooks get lost, how
        many.
        """


_FAKES: Mapping[Platform, Callable[[Shop], AbstractAsyncContextManager[tuple[Connection, Storefront]]]] = {
    Platform.shopify: shopify_storefront.open_shopify,
    Platform.woocommerce: woocommerce_storefront.open_woocommerce,
}


class CheckoutStorefront:
    """A shop that signs its own deliveries."""

    def __init__(self, client: DemoClient) -> None:
        self._client = client

    async def deliver(self, deliveries: Sequence[tuple[str, Mapping[str, Any]]]) -> list[float]:
        """See `Storefront.deliver`."""
        return await self._client.deliver(deliveries)

    def summary(self) -> dict[str, Any]:
        """Nothing beside Tenfold's own figures."""
        return {}


def for_platform(scenario: Scenario, platform: Platform) -> Scenario:
    """The scenario with the order ids that the platform's orders have."""
    if platform is Platform.checkout:
        return scenario
    return replace(
        scenario,
        responses={str(order_number(key)): value for key, value in scenario.responses.items()},
        note=f"{scenario.note} The shop is a fake of {platform.value} on this machine.",
    )


@asynccontextmanager
async def open_storefront(context: AppContext, shop: Shop, client: DemoClient) -> AsyncIterator[Storefront]:
    """The shop's own side, connected, until the block ends.

    Raises `AppError` where the connection lacks anything.
    """
    open_fake = _FAKES.get(Platform(shop.platform))
    if open_fake is None:
        yield CheckoutStorefront(client)
        return
    async with open_fake(shop) as (given, storefront):
        connection = await try_connection(context.settings, shop, given.account, given.credentials)
        async with context.sessions.begin() as session:
            actor = cli_actor(shop.brand_id)
            await connect_shop(session, context.tokens, shop, connection, actor=actor, now=clock.now())
        report = await check_shop(context, shop.brand_id, shop.id, now=clock.now())
        if report.problems:
            raise AppError("demo_failed", f"The demo stopped: {' '.join(report.problems)}")
        yield storefront
