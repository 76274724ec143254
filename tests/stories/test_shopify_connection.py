"""A shop at the fake of Shopify and the whole application: connected, delivering, mended."""

from sqlalchemy import select

from app.base.actor import cli_actor
from app.base.context import AppContext
from app.base.due import run_until_idle
from app.brands.rules import Platform
from app.demo.fakes.shopify.server import FakeShopify
from app.demo.fakes.shopify.state import FakeShop
from app.ingest.models import Delivery
from app.ingest.rules import DeliveryStatus
from app.orders.models import Order
from app.platforms.check import check_shop
from app.platforms.connect import connect_shop, try_connection
from app.wiring import Parts
from app.worker import sweeps_of
from tests.support.apps import whole_app
from tests.support.constants import NOW
from tests.support.factories.shops import calling_fakes, make_shop
from tests.support.fake_shopify import client_credentials
from tests.support.served import served
from tests.support.shopify_buyer import Buyer


async def test_a_connected_shop_delivers_and_what_it_dropped_is_registered_again(context: AppContext, brand):
    shop = await make_shop(context, brand, Platform.shopify)
    remote = FakeShop("fern.myshopify.com", host="fern.example")
    async with FakeShopify(remote) as fake:
        async with served(whole_app(context)) as address:
            context = calling_fakes(context, public_url=address)
            given = client_credentials(fake, remote)
            connection = await try_connection(context.settings, shop, given.account, given.credentials)
            async with context.sessions.begin() as session:
                actor = cli_actor(brand.id)
                await connect_shop(session, context.tokens, shop, connection, actor=actor, now=NOW)
            assert (await check_shop(context, brand.id, shop.id, now=NOW)).problems == ()

            topic, body = Buyer(7).order()
            assert await fake.deliver(remote, topic, body, times=2) == 1
            await run_until_idle(sweeps_of(Parts(context, {})), NOW)
            async with context.sessions() as session:
                statuses = (await session.scalars(select(Delivery.status))).all()
                orders = (await session.scalars(select(Order.external_id))).all()
            assert (statuses, orders) == ([DeliveryStatus.processed], ["7"])

        assert await fake.deliver(remote, topic, body) == 0
        assert "ORDERS_PAID" not in {each.topic for each in remote.webhooks.values()}
        report = await check_shop(context, brand.id, shop.id, now=NOW)
        assert "Registered now: orders/paid." in report.notes
        assert "ORDERS_PAID" in {each.topic for each in remote.webhooks.values()}
