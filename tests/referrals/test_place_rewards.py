"""A reward's code is in the connected shop before its owner hears of it, for them alone, once."""

import asyncio
import dataclasses
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from aiohttp import web
from sqlalchemy import select, text, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.base.actor import cli_actor
from app.base.context import AppContext
from app.base.due import sweep_once
from app.base.fence import raise_fence
from app.base.tokens import Subject
from app.brands.models import Brand, Shop
from app.brands.rules import Platform
from app.customers.models import Customer, CustomerReference
from app.demo.fakes.woocommerce.server import FakeWooCommerce
from app.demo.fakes.woocommerce.state import FakeShop as WordPress
from app.insight.referral_invariants import INVARIANTS
from app.messaging.models import Message
from app.orders.facts import record_facts
from app.orders.models import Order
from app.platforms.connection_types import Connection
from app.platforms.connections import load_connections, remove_connection, save_connection
from app.platforms.events import DisputeStatus, OrderDisputed
from app.referrals.disable import disable_code
from app.referrals.erase import erase_referrals
from app.referrals.fold_facts import fold_order_facts
from app.referrals.models import Code
from app.referrals.own_use import use_own_codes
from app.referrals.placing.call import call_platforms
from app.referrals.placing.claim import LEASE, claim
from app.referrals.placing.models import RewardPlacement
from app.referrals.placing.placements import place_again_of
from app.referrals.placing.record import record
from app.referrals.placing.rules import PlacementInput, wanted_amount
from app.referrals.placing.sweep import sweep
from app.referrals.progress import find_progress
from app.referrals.publishing.models import CodePublication
from app.referrals.publishing.revoke import revoke_publications
from app.referrals.publishing.upkeep import keep_up
from app.referrals.reward_models import Reward
from app.referrals.reward_notes import reward_problems
from app.referrals.rules import PublicationState, RewardStatus
from app.referrals.templates import REWARD
from tests.support.connected_shop import connected_shop
from tests.support.constants import NOW
from tests.support.factories.orders import change_order, make_order
from tests.support.factories.referrals import (
    code_of,
    friend_orders,
    make_referrer,
    owner_of,
    reward_of,
    settle,
)
from tests.support.factories.shops import calling_fakes, make_shop
from tests.support.fake_woocommerce import connection_of
from tests.support.locks import somebody_waits

GRANTED = NOW + timedelta(days=45)
Told = dict[str, tuple[str, int, Any]]


@dataclass
class Connected:
    """A shop that is connected, and its rewards' codes there: amount, uses and owner by code."""

    context: AppContext
    brand: Brand
    shop: Shop
    fake: Any
    there: Callable[[], Told]

    async def place(self, at=GRANTED) -> int:
        return await sweep_once(sweep(self.context), at)

    async def one(self, model: Any) -> Any:
        async with self.context.sessions() as session:
            return (await session.scalars(select(model))).one()

    async def told(self) -> list[Message]:
        async with self.context.sessions() as session:
            return list(await session.scalars(select(Message).where(Message.template == REWARD.name)))


@pytest.fixture(params=["shopify", "woocommerce"])
async def connected(request, context, brand) -> AsyncIterator[Connected]:
    if request.param == "shopify":
        async with connected_shop(context, brand) as fern:

            def discounts() -> Told:
                return {
                    code.code: (
                        each.given["customerGets"]["value"]["discountAmount"]["amount"],
                        each.given["usageLimit"],
                        each.given["context"].get("customers", {}).get("add", "anybody"),
                    )
                    for each in fern.remote.discounts.values()
                    for code in each.codes.values()
                }

            yield Connected(fern.context, brand, fern.shop, fern.fake, discounts)
        return
    remote = WordPress()
    context = calling_fakes(context)
    async with FakeWooCommerce(remote) as fake:
        actor = cli_actor(brand.id)
        shop = await make_shop(context, brand, Platform.woocommerce, url="https://fern.example")
        async with context.sessions.begin() as session:
            given = connection_of(fake, remote)
            await save_connection(session, context.tokens, brand.id, shop.id, given, actor=actor, now=NOW)

        def coupons() -> Told:
            return {
                each.code.upper(): (
                    f"{each.amount:.2f}",
                    each.given["usage_limit"],
                    each.given["email_restrictions"],
                )
                for each in remote.coupons.values()
            }

        yield Connected(context, brand, shop, fake, coupons)
        assert fake.violations == []


async def earned(shop: Connected) -> tuple[UUID, UUID, Code]:
    """The owner, the friend's order and the own code of a granted reward of 10.00."""
    share = await make_referrer(shop.context, shop.brand, shop.shop, first_name="Ana")
    owner = await owner_of(shop.context, share)
    async with shop.context.sessions.begin() as session:
        session.add(
            CustomerReference(
                brand_id=shop.brand.id, shop_id=shop.shop.id, external_id="7", customer_id=owner
            )
        )
    redemption = await friend_orders(shop.context, shop.brand, shop.shop, share.code)
    await settle(shop.context)
    reward = await reward_of(shop.context, shop.brand, redemption.id)
    assert reward is not None
    assert reward.code_id is not None
    return owner, redemption.order_id, await code_of(shop.context, shop.brand, reward.code_id)


async def page_of(shop: Connected, code: Code) -> str:
    async with shop.context.sessions() as session:
        subject = Subject(shop.brand.id, code.referrer_id)
        progress = await find_progress(session, "https://nps.example", subject, now=GRANTED)
    assert progress is not None
    return " ".join(order.result for order in progress.orders)


async def published(shop: Connected, code: Code) -> datetime | None:
    """Since when the code counts as live."""
    async with shop.context.sessions() as session:
        found = select(CodePublication).where(CodePublication.code_id == code.id)
        publication = (await session.scalars(found)).one()
    assert (publication.live_at is not None) == (publication.state is PublicationState.live)
    return publication.live_at


def worth(shop: Connected) -> dict[str, tuple[str, int]]:
    return {code: (amount, uses) for code, (amount, uses, _) in shop.there().items()}


async def test_code_is_there_for_its_owner_before_they_are_told_and_follows_the_reward(connected):
    owner, order_id, code = await earned(connected)
    assert await connected.told() == []
    assert await published(connected, code) is None
    assert code.display not in await page_of(connected, code)
    assert "is being added to the shop" in await page_of(connected, code)

    assert await connected.place() == 1

    [(shown, (amount, uses, of))] = connected.there().items()
    assert (shown, amount, uses) == (code.display, "10.00", 1)
    async with connected.context.sessions() as session:
        address = await session.scalar(select(Customer.email).where(Customer.id == owner))
    is_shopify = connected.shop.platform is Platform.shopify
    assert of == (["gid://shopify/Customer/7"] if is_shopify else [address])
    [message] = await connected.told()
    assert message.template_params["code"] == code.display
    assert await published(connected, code) == GRANTED
    assert code.display in await page_of(connected, code)
    assert await connected.place() == 0

    await change_order(connected.context, connected.brand, order_id, refunded=3600, now=GRANTED)
    await connected.place()
    assert worth(connected) == {code.display: ("5.00", 1)}
    await change_order(connected.context, connected.brand, order_id, cancelled_at=GRANTED, now=GRANTED)
    await connected.place()
    assert connected.there() == {}
    assert len(await connected.told()) == 1


@pytest.mark.parametrize("connected", ["shopify"], indirect=True)
async def test_owner_whom_the_shop_merged_with_another_customer_gets_a_code_that_works(connected):
    _, order_id, code = await earned(connected)
    [remote] = connected.fake.shops.values()
    remote.lost_customers.add("gid://shopify/Customer/7")
    await connected.place()
    assert connected.there() == {code.display: ("10.00", 1, "anybody")}
    assert len(await connected.told()) == 1
    await change_order(connected.context, connected.brand, order_id, refunded=3600, now=GRANTED)
    await connected.place()
    assert connected.there() == {code.display: ("5.00", 1, "anybody")}


async def test_used_code_stays_and_a_cancelled_use_may_be_made_again(connected):
    owner, _, code = await earned(connected)
    await connected.place()
    context, brand = connected.context, connected.brand
    own = await make_order(context, brand, connected.shop, owner, code.code, placed_at=GRANTED)

    async def fold() -> None:
        async with context.sessions.begin() as session:
            await use_own_codes(session, context.tokens, brand, [own], now=GRANTED)
        await connected.place()

    await fold()
    assert (await connected.one(Reward)).status is RewardStatus.used
    assert worth(connected) == {code.display: ("10.00", 1)}
    if connected.shop.platform is Platform.woocommerce:
        # A shop whose plugin does not take the use back; WooCommerce itself does.
        [coupon] = next(iter(connected.fake.shops.values())).coupons.values()
        coupon.used_by.append("ana@example.com")
    await change_order(context, brand, own, cancelled_at=GRANTED, now=GRANTED)
    await fold()
    assert (await connected.one(Reward)).status is RewardStatus.granted
    assert worth(connected) == {code.display: ("10.00", 2)}


async def test_call_that_broke_off_puts_nothing_there_twice(connected):
    await earned(connected)
    context, brand_id = connected.context, connected.brand.id
    async with context.sessions.begin() as session:
        lost = await claim(session, context, brand_id, now=GRANTED)
    outcomes = await call_platforms(context.settings, lost)
    there = connected.there()
    assert len(there) == 1
    assert await connected.place() == 0, "another process has it"
    assert await connected.place(GRANTED + LEASE) == 1
    assert connected.there() == there
    async with context.sessions.begin() as session:
        await record(session, context, brand_id, lost, outcomes, now=GRANTED)
    assert (await connected.one(RewardPlacement)).due_at is None
    assert len(await connected.told()) == 1


async def dispute(
    session: AsyncSession, shop: Connected, order_id: UUID, status: DisputeStatus, at: datetime
) -> None:
    order = (await session.scalars(select(Order).where(Order.id == order_id))).one()
    await record_facts(session, shop.brand, shop.shop, [OrderDisputed(order.external_id, "d1", status, at)])
    await fold_order_facts(session, shop.brand, [order_id], now=GRANTED)


async def test_change_during_a_call_is_made_after_it(connected):
    _, order_id, code = await earned(connected)
    context, brand_id = connected.context, connected.brand.id
    async with context.sessions.begin() as session:
        claimed = await claim(session, context, brand_id, now=GRANTED)
    outcomes = await call_platforms(context.settings, claimed)
    await change_order(context, connected.brand, order_id, refunded=3600, now=GRANTED)
    async with context.sessions.begin() as session:
        await dispute(session, connected, order_id, DisputeStatus.open, GRANTED)
        await record(session, context, brand_id, claimed, outcomes, now=GRANTED)
    assert await connected.place() == 1
    assert worth(connected) == {}
    assert await connected.told() == []
    async with context.sessions.begin() as session:
        await dispute(session, connected, order_id, DisputeStatus.won, GRANTED + timedelta(hours=1))
    await connected.place()
    assert worth(connected) == {code.display: ("5.00", 1)}
    assert len(await connected.told()) == 1


async def test_outcome_and_somebody_who_ends_the_code_do_not_deadlock(connected):
    _, _, code = await earned(connected)
    context, brand_id = connected.context, connected.brand.id
    async with context.sessions.begin() as session:
        claimed = await claim(session, context, brand_id, now=GRANTED)
    outcomes = await call_platforms(context.settings, claimed)

    async def write() -> None:
        async with context.sessions.begin() as session:
            await record(session, context, brand_id, claimed, outcomes, now=GRANTED)

    async with context.sessions.begin() as session:
        await revoke_publications(session, brand_id, [code.id], now=GRANTED)
        writing = asyncio.create_task(write())
        await somebody_waits(context)
        await place_again_of(session, brand_id, code_ids=[code.id], now=GRANTED)
    await writing
    assert (await connected.one(RewardPlacement)).due_at == GRANTED


async def test_shop_that_fails_is_asked_again_and_nobody_is_told_meanwhile(connected):
    await earned(connected)

    async def broken(_: web.Request) -> web.StreamResponse:
        return web.Response(status=503)

    connected.fake.intercept = broken
    await connected.place()
    placement = await connected.one(RewardPlacement)
    async with connected.context.sessions() as session:
        [problem] = await reward_problems(session)
        [goes_on] = [each for each in INVARIANTS if each.name == "publications_go_on"]
        assert (await session.execute(text(goes_on.query))).all() == []
    assert f"Shop fern: 1 rewards wait for their codes to be set in the shop: {placement.reason}" == problem
    assert placement.due_at > GRANTED
    assert await connected.told() == []
    connected.fake.intercept = None
    await connected.place(placement.due_at)
    assert len(connected.there()) == 1
    assert len(await connected.told()) == 1
    assert (await connected.one(RewardPlacement)).reason is None
    async with connected.context.sessions.begin() as session:
        await session.execute(update(RewardPlacement).values(due_at=GRANTED))
        await raise_fence(session, "a copy")
    assert await connected.place() == 0, "a fenced copy of the database calls nobody"


async def test_code_leaves_the_shop_with_its_owner_and_when_it_is_disabled(connected):
    owner, _, code = await earned(connected)
    await connected.place()
    context, brand = connected.context, connected.brand
    async with context.sessions.begin() as session:
        await disable_code(session, brand, code.code, actor=cli_actor(brand.id), now=GRANTED)
    await connected.place()
    assert connected.there() == {}
    async with context.sessions.begin() as session:
        await erase_referrals(session, context.tokens, brand.id, [owner], now=GRANTED)
    assert await connected.place() == 1
    assert connected.there() == {}


async def disconnect(shop: Connected) -> Connection:
    context, brand_id = shop.context, shop.brand.id
    async with context.sessions.begin() as session:
        [given] = (await load_connections(session, context.tokens, brand_id, [shop.shop.id])).values()
        await remove_connection(session, brand_id, shop.shop.id, actor=cli_actor(brand_id))
    return given


async def connect(shop: Connected, given: Connection, at=GRANTED) -> None:
    context, brand_id = shop.context, shop.brand.id
    async with context.sessions.begin() as session:
        actor = cli_actor(brand_id)
        await save_connection(session, context.tokens, brand_id, shop.shop.id, given, actor=actor, now=at)
    async with context.sessions.begin() as session:
        await keep_up(session, brand_id, now=at)


async def test_shop_that_is_connected_no_more_gets_nothing_and_the_code_counts(connected):
    given = await disconnect(connected)
    await connect(connected, given, NOW)
    _, _, code = await earned(connected)
    await disconnect(connected)
    await connected.place()
    assert connected.there() == {}
    assert len(await connected.told()) == 1
    await connect(connected, given)
    await connected.place()
    assert worth(connected) == {code.display: ("10.00", 1)}
    assert len(await connected.told()) == 1


async def test_shop_that_is_connected_later_or_anew_gets_the_codes_of_before(connected):
    given = await disconnect(connected)
    _, _, code = await earned(connected)
    assert len(await connected.told()) == 1, "in a shop that is not connected a code counts at once"
    await connect(connected, given)
    await connected.place()
    assert code.display in connected.there()
    assert len(await connected.told()) == 1


async def test_shop_that_is_connected_again_gets_what_changed_meanwhile(connected):
    given = await disconnect(connected)
    await connect(connected, given, NOW)
    _, order_id, code = await earned(connected)
    await connected.place()
    await disconnect(connected)
    await change_order(connected.context, connected.brand, order_id, refunded=3600, now=GRANTED)
    await connected.place()
    assert worth(connected)[code.display] == ("10.00", 1)
    await connect(connected, given)
    await connected.place()
    assert worth(connected)[code.display] == ("5.00", 1)
    await disconnect(connected)
    async with connected.context.sessions.begin() as session:
        actor = cli_actor(connected.brand.id)
        await disable_code(session, connected.brand, code.code, actor=actor, now=GRANTED)
    await connected.place()
    await connect(connected, given, GRANTED + timedelta(hours=1))
    await connected.place(GRANTED + timedelta(hours=1))
    assert code.display not in connected.there()


@pytest.mark.parametrize(
    ("changes", "wanted"),
    [
        ({}, 900),
        ({"status": RewardStatus.used}, None),
        ({"status": RewardStatus.used, "ended": True}, 0),
        ({"status": RewardStatus.reversed}, 0),
        ({"status": RewardStatus.expired}, 0),
        ({"frozen": True}, 0),
        ({"ended": True}, 0),
        ({"expires_at": NOW}, 0),
        ({"net_amount": 0}, 0),
    ],
)
def test_what_the_shop_must_have(changes, wanted):
    given = PlacementInput(RewardStatus.granted, 900, frozen=False, ended=False, expires_at=GRANTED)
    assert wanted_amount(dataclasses.replace(given, **changes), now=NOW) == wanted
