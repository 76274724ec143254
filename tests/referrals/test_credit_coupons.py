"""Credit in a shop on WooCommerce is one coupon: spent in parts, added to, never spent twice."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from uuid import UUID

import pytest
from sqlalchemy import select, text, update

from app.base.actor import cli_actor
from app.base.context import AppContext
from app.base.due import sweep_once
from app.base.tokens import Subject
from app.brands.models import Brand, Shop
from app.brands.rules import Platform
from app.customers.models import Customer
from app.demo.fakes.woocommerce.coupons import CartRefusal
from app.demo.fakes.woocommerce.orders import FakeBuyer, FakeLine, change_order, place_order
from app.demo.fakes.woocommerce.server import FakeWooCommerce
from app.demo.fakes.woocommerce.state import FakeShop as WordPress
from app.insight.reward_invariants import INVARIANTS
from app.messaging.models import Message
from app.platforms.connections import save_connection
from app.platforms.events import CodeDiscount
from app.platforms.models import ShopConnection
from app.referrals.erase import erase_referrals
from app.referrals.models import Code
from app.referrals.own_use import use_own_codes
from app.referrals.progress import find_progress
from app.referrals.reward_models import Reward
from app.referrals.shop_credit.claim import LEASE, claim
from app.referrals.shop_credit.sweep import sweep
from app.referrals.templates import REWARD
from tests.support.constants import NOW
from tests.support.factories import orders
from tests.support.factories.programme import set_terms
from tests.support.factories.referrals import friend_orders, make_referrer, owner_of, settle
from tests.support.factories.shops import calling_fakes, make_shop
from tests.support.fake_woocommerce import connection_of

GRANTED = NOW + timedelta(days=45)


@dataclass
class Coupons:
    """A shop on WooCommerce that holds credit, and a referrer."""

    context: AppContext
    brand: Brand
    shop: Shop
    remote: WordPress
    code: Code
    owner: UUID
    email: str

    async def earn(self) -> UUID:
        redemption = await friend_orders(self.context, self.brand, self.shop, self.code.code)
        await settle(self.context)
        return redemption.order_id

    async def hold(self, later: timedelta = timedelta(0)) -> int:
        return await sweep_once(sweep(self.context), GRANTED + later)

    @property
    def coupon(self) -> tuple[str, int, list[str]]:
        """What it is worth, how often it may still be used, and for whom it is."""
        [one] = self.remote.coupons.values()
        left = one.given["usage_limit"] - len(one.used_by)
        return f"{one.amount:.2f}", left, one.given["email_restrictions"]

    def buy(self, price: str) -> tuple[int, str, int]:
        """The owner buys with the coupon; the order's number, the code and what it took off."""
        [one] = self.remote.coupons.values()
        buyer = FakeBuyer(self.email, "Ana", "Lopes", "DE", "", 7, {})
        line = FakeLine("Linen shirt", Decimal(price), 1, "S")
        order = place_order(
            self.remote, buyer, [line], codes=[one.code], shipping=Decimal(0), number=None, at=GRANTED
        )
        return order["id"], one.code, int(Decimal(order["discount_total"]) * 100)

    async def report(self, code: str, taken: int, spent: int | None = None) -> UUID:
        """The order arrives at Tenfold."""
        order_id = await orders.make_order(
            *(self.context, self.brand, self.shop, self.owner, code),
            discounts=(CodeDiscount(code, taken, spent),),
            placed_at=GRANTED,
        )
        await self.fold(order_id)
        return order_id

    async def fold(self, order_id: UUID) -> None:
        async with self.context.sessions.begin() as session:
            await use_own_codes(session, self.context.tokens, self.brand, [order_id], now=GRANTED)

    async def used(self) -> list[int]:
        async with self.context.sessions() as session:
            return list(await session.scalars(select(Reward.used_amount).order_by(Reward.id)))

    async def is_sound(self) -> None:
        async with self.context.sessions() as session:
            for each in INVARIANTS:
                assert (await session.execute(text(each.query))).all() == [], each.name


@pytest.fixture
async def coupons(context, brand) -> AsyncIterator[Coupons]:
    context = calling_fakes(context)
    remote = WordPress()
    await set_terms(context, brand, {"reward": {"kind": "credit"}})
    async with FakeWooCommerce(remote) as fake:
        actor = cli_actor(brand.id)
        shop = await make_shop(context, brand, Platform.woocommerce, url="https://fern.example")
        async with context.sessions.begin() as session:
            given = connection_of(fake, remote)
            await save_connection(session, context.tokens, brand.id, shop.id, given, actor=actor, now=NOW)
            await session.execute(update(ShopConnection).values(holds_credit=True))
        code = await make_referrer(context, brand, shop, first_name="Ana")
        owner = await owner_of(context, code)
        async with context.sessions() as session:
            email = await session.scalar(select(Customer.email).where(Customer.id == owner))
        yield Coupons(context, brand, shop, remote, code, owner, email)
        assert fake.violations == []


async def test_coupon_is_spent_in_parts_and_the_rest_stays_on_it(coupons):
    first = await coupons.earn()
    assert await coupons.hold() == 1
    assert coupons.coupon == ("10.00", 1, [coupons.email])
    async with coupons.context.sessions() as session:
        [message] = await session.scalars(select(Message).where(Message.template == REWARD.name))
    [there] = coupons.remote.coupons.values()
    assert message.template_params["code"] == there.code.upper()

    number, code, taken = coupons.buy("4.00")
    assert taken == 400
    # A change before the order arrives must not let the coupon be used once more at its old worth.
    await coupons.earn()
    await coupons.hold()
    assert coupons.coupon[:2] == ("20.00", 0)
    with pytest.raises(CartRefusal):
        coupons.buy("4.00")

    # The shop's prices are without tax, so the buyer pays 0.76 less besides.
    order_id = await coupons.report(code, taken + 76, spent=taken)
    for _ in range(2):
        await coupons.fold(order_id)
    assert await coupons.used() == [400, 0]
    await coupons.hold()
    assert coupons.coupon[:2] == ("16.00", 1)
    async with coupons.context.sessions() as session:
        subject = Subject(coupons.brand.id, coupons.code.referrer_id)
        page = await find_progress(session, "https://nps.example", subject, now=GRANTED)
    assert page is not None
    [line] = page.credit
    assert (line.code, line.amount) == (there.code.upper(), "€16")

    change_order(coupons.remote, number, "cancelled")
    await orders.change_order(coupons.context, coupons.brand, order_id, cancelled_at=GRANTED, now=GRANTED)
    await coupons.fold(order_id)
    await coupons.hold()
    assert (coupons.coupon[:2], await coupons.used()) == (("20.00", 1), [0, 0])

    _, code, taken = coupons.buy("12.00")
    await coupons.report(code, taken)
    await orders.change_order(coupons.context, coupons.brand, first, cancelled_at=GRANTED, now=GRANTED)
    await coupons.earn()
    await coupons.hold()
    assert coupons.coupon[:2] == ("8.00", 1), "what was spent of the reward that was lost is set off"
    await coupons.is_sound()


async def test_coupon_goes_with_the_balance_and_its_owner_and_is_made_once(coupons):
    order_id = await coupons.earn()
    async with coupons.context.sessions.begin() as session:
        await claim(session, coupons.context, coupons.brand.id, now=GRANTED)
    assert await coupons.hold() == 0, "another process has it"
    await coupons.hold(LEASE)
    assert coupons.coupon[0] == "10.00"
    [there] = coupons.remote.coupons.values()
    there.amount = Decimal(99)
    await coupons.hold(timedelta(days=8))
    assert coupons.coupon[0] == "10.00", "what somebody has changed is set back"
    await orders.change_order(coupons.context, coupons.brand, order_id, cancelled_at=GRANTED, now=GRANTED)
    await coupons.hold(timedelta(days=8))
    assert coupons.remote.coupons == {}
    await coupons.earn()
    await coupons.hold(LEASE)
    assert coupons.coupon[0] == "10.00"
    async with coupons.context.sessions.begin() as session:
        await erase_referrals(
            session, coupons.context.tokens, coupons.brand.id, [coupons.owner], now=GRANTED + LEASE
        )
    await coupons.hold(LEASE)
    assert coupons.remote.coupons == {}
    await coupons.is_sound()
