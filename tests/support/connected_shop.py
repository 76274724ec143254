"""A brand's shop that is connected to the fake of Shopify, and what is in it."""

from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select

from app.base.actor import cli_actor
from app.base.context import AppContext
from app.base.due import run_until_idle, sweep_once
from app.brands.models import Brand, Shop
from app.brands.rules import Platform
from app.demo.fakes.shopify.server import FakeShopify
from app.demo.fakes.shopify.state import FakeShop
from app.messaging.models import Message
from app.platforms.connections import save_connection
from app.referrals.models import Code
from app.referrals.publishing import sweep as publish
from app.referrals.publishing import upkeep
from app.referrals.publishing.models import CodePublication
from app.referrals.rules import PublicationState
from app.referrals.templates import OFFER
from tests.support.constants import NOW
from tests.support.factories.customers import make_customer
from tests.support.factories.referrals import issue
from tests.support.factories.shops import calling_fakes, make_shop
from tests.support.fake_shopify import custom_token


@dataclass(frozen=True)
class ConnectedShop:
    """The shop at both ends; `context` may call the fake."""

    context: AppContext
    brand: Brand
    shop: Shop
    fake: FakeShopify
    remote: FakeShop

    def codes_there(self) -> list[str]:
        """The codes that the shop has, sorted."""
        return sorted(each.code for one in self.remote.discounts.values() for each in one.codes.values())

    async def issue(self, at: datetime = NOW) -> Code:
        """The code of a new promoter of the shop."""
        customer_id = await make_customer(self.context, self.brand)
        return await issue(self.context, self.brand, self.shop, customer_id, now=at)

    async def publish(self, at: datetime = NOW) -> int:
        """Do all that is due about codes for which somebody waits."""
        return await sweep_once(publish.urgent_sweep(self.context), at)

    async def publish_all(self, at: datetime = NOW) -> int:
        """Keep up the pool, and do all that is due about codes."""
        ours = (upkeep.sweep, publish.urgent_sweep, publish.sweep)
        return sum((await run_until_idle([each(self.context) for each in ours], at)).values())

    async def states(self) -> Counter[PublicationState]:
        """How many publications are in each state."""
        return Counter(each.state for each in await self.publications())

    async def publications(self) -> list[CodePublication]:
        """All of this shop, the oldest first."""
        async with self.context.sessions() as session:
            wanted = select(CodePublication).where(CodePublication.shop_id == self.shop.id)
            return list(await session.scalars(wanted.order_by(CodePublication.code_id)))

    async def offers(self) -> list[Message]:
        """The offers that are queued or sent."""
        async with self.context.sessions() as session:
            return list(await session.scalars(select(Message).where(Message.template == OFFER.name)))


@asynccontextmanager
async def connected_shop(context: AppContext, brand: Brand) -> AsyncIterator[ConnectedShop]:
    """A shop `fern` of the brand, connected to a shop of the fake that has no codes yet."""
    context = calling_fakes(context)
    remote = FakeShop("fern.myshopify.com", polls_until_done=1)
    async with FakeShopify(remote) as fake:
        shop = await make_shop(context, brand, Platform.shopify, url="https://fern.example")
        async with context.sessions.begin() as session:
            actor, connection = cli_actor(brand.id), custom_token(fake, remote)
            await save_connection(
                session, context.tokens, brand.id, shop.id, connection, actor=actor, now=NOW
            )
        yield ConnectedShop(context, brand, shop, fake, remote)
