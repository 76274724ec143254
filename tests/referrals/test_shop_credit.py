"""Credit at Shopify is there before its owner is told, never twice, and taken back if unspent."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from aiohttp import web
from sqlalchemy import delete, select, text, update

from app.base.actor import cli_actor
from app.base.due import sweep_once
from app.base.errors import AppError
from app.base.fence import raise_fence
from app.base.money import Money
from app.base.tokens import Subject
from app.checkout.credit import find_balances, find_owner, reserve_credit
from app.customers.models import CustomerReference, FormerReference
from app.demo.fakes.shopify.buying import FakeBuyer, FakeLine, pay_with_credit, place_order
from app.demo.fakes.shopify.credit_state import FakeAccount
from app.demo.fakes.shopify.state import FakeShop
from app.insight.reward_invariants import INVARIANTS
from app.messaging.models import Message
from app.orders.facts import record_facts
from app.orders.models import Order
from app.platforms.calls import open_platform_session
from app.platforms.connections import remove_connection, save_connection
from app.platforms.events import DisputeStatus, OrderDisputed
from app.platforms.models import ShopConnection
from app.referrals import expire
from app.referrals.erase import erase_referrals
from app.referrals.fold_facts import fold_order_facts
from app.referrals.models import Code
from app.referrals.own_use import use_own_codes
from app.referrals.placing import sweep as place_rewards
from app.referrals.progress import Progress, find_progress
from app.referrals.publishing.upkeep import keep_up
from app.referrals.reward_models import Reward
from app.referrals.reward_notes import reward_problems
from app.referrals.rules import KindReason, RewardStatus
from app.referrals.shop_credit.claim import LEASE, claim
from app.referrals.shop_credit.models import ShopCredit, ShopCreditMove
from app.referrals.shop_credit.rules import MoveKind
from app.referrals.shop_credit.sweep import Attempt, sweep
from app.referrals.templates import REWARD
from tests.support.connected_shop import ConnectedShop, connected_shop
from tests.support.constants import NOW
from tests.support.factories.customers import make_customer
from tests.support.factories.orders import change_order, make_order
from tests.support.factories.programme import set_terms
from tests.support.factories.referrals import balances, friend_orders, make_referrer, owner_of, settle
from tests.support.fake_shopify import custom_token

GRANTED = NOW + timedelta(days=45)
OWNER = "gid://shopify/Customer/7"


@dataclass
class Holding:
    """A shop at Shopify that holds credit, and a referrer whom it knows as customer 7."""

    shop: ConnectedShop
    code: Code
    owner: UUID
    at: datetime = GRANTED

    @property
    def account(self) -> FakeAccount:
        found = self.shop.remote.credit.account(OWNER, "EUR")
        assert found is not None
        return found

    @property
    def balance(self) -> str:
        found = self.shop.remote.credit.account(OWNER, "EUR")
        return "none" if found is None else str(found.balance)

    async def earn(self, *, days: int = 45) -> UUID:
        """A reward of 10.00 is granted; the friend's order."""
        redemption = await friend_orders(self.shop.context, self.shop.brand, self.shop.shop, self.code.code)
        await settle(self.shop.context, days=days)
        return redemption.order_id

    async def hold(self, later: timedelta = timedelta(0)) -> int:
        self.at += later
        return await sweep_once(sweep(self.shop.context), self.at)

    async def refund(self, order_id: UUID, amount: int) -> None:
        await change_order(self.shop.context, self.shop.brand, order_id, refunded=amount, now=self.at)

    async def row(self) -> ShopCredit:
        async with self.shop.context.sessions() as session:
            return (await session.scalars(select(ShopCredit))).one()

    async def moves(self) -> list[tuple[str, str, int]]:
        async with self.shop.context.sessions() as session:
            rows = await session.scalars(select(ShopCreditMove).order_by(ShopCreditMove.id))
            return [(each.kind.value, each.state.value, each.amount) for each in rows]

    async def rewards(self) -> list[Reward]:
        async with self.shop.context.sessions() as session:
            return list(await session.scalars(select(Reward).order_by(Reward.id)))

    async def told(self) -> int:
        async with self.shop.context.sessions() as session:
            return len((await session.scalars(select(Message).where(Message.template == REWARD.name))).all())

    async def page(self) -> Progress:
        async with self.shop.context.sessions() as session:
            subject = Subject(self.shop.brand.id, self.code.referrer_id)
            found = await find_progress(session, "https://nps.example", subject, now=self.at)
        assert found is not None
        return found

    async def is_sound(self) -> None:
        async with self.shop.context.sessions() as session:
            for each in INVARIANTS:
                assert (await session.execute(text(each.query))).all() == [], each.name


@pytest.fixture
async def holding(context, brand) -> AsyncIterator[Holding]:
    async with connected_shop(context, brand) as shop:
        await set_terms(shop.context, brand, {"reward": {"kind": "credit"}})
        async with shop.context.sessions.begin() as session:
            await session.execute(update(ShopConnection).values(holds_credit=True))
        code = await make_referrer(shop.context, brand, shop.shop, first_name="Ana")
        owner = await owner_of(shop.context, code)
        async with shop.context.sessions.begin() as session:
            session.add(
                CustomerReference(brand_id=brand.id, shop_id=shop.shop.id, external_id="7", customer_id=owner)
            )
        found = Holding(shop, code, owner)
        shop.remote.clock = lambda: found.at
        yield found


async def test_credit_is_in_the_account_before_its_owner_is_told_and_follows_the_reward(holding):
    order_id = await holding.earn()
    assert await holding.told() == 0
    assert (await holding.page()).credit == []
    assert await holding.hold() == 1
    assert (holding.balance, await holding.told()) == ("10.00", 1)
    async with holding.shop.context.sessions() as session:
        said = await session.scalar(select(Message.template_params).where(Message.template == REWARD.name))
    assert (said["code"], said["spent_in"]) == (None, "account")
    [line] = (await holding.page()).credit
    assert line.text == "€10 is in your customer account at Fern. Sign in at the checkout to pay with it."
    [entry] = holding.account.entries
    [reward] = await holding.rewards()
    assert reward.expires_at - timedelta(hours=2) < entry.expires_at <= reward.expires_at - timedelta(hours=1)
    assert await holding.hold() == 0

    await holding.refund(order_id, 3600)
    await holding.hold()
    assert holding.balance == "5.00"
    await holding.earn()
    await holding.hold()
    assert (holding.balance, await holding.told()) == ("15.00", 2)
    await change_order(
        holding.shop.context, holding.shop.brand, order_id, cancelled_at=holding.at, now=holding.at
    )
    await holding.hold()
    assert holding.balance == "10.00"
    assert await holding.moves() == [
        ("credit", "done", 1000),
        ("debit", "done", 500),
        ("credit", "done", 1000),
        ("debit", "done", 500),
    ]
    await holding.is_sound()


async def test_spent_credit_is_booked_once_and_what_a_refund_takes_of_it_is_carried(holding):
    order_id = await holding.earn()
    await holding.hold()
    order = place_order(
        holding.shop.remote,
        FakeBuyer(7, "ana@example.com"),
        [FakeLine("Linen shirt", Decimal("80.00"))],
        number=8_001,
        at=holding.at,
    )
    pay_with_credit(holding.shop.remote, order, Decimal("7.00"), at=holding.at)
    assert "shopify_store_credit" in order["payment_gateway_names"]
    payment = holding.account.entries[-1]
    assert await holding.hold() == 0, "nothing tells of it yet"
    context, brand = holding.shop.context, holding.shop.brand
    own = await make_order(context, brand, holding.shop.shop, holding.owner)
    async with context.sessions.begin() as session:
        await use_own_codes(session, context.tokens, brand, [own], now=holding.at)
    assert await holding.hold() == 1, "an order of the owner has the account read"
    await holding.hold()
    assert (await holding.rewards())[0].used_amount == 700
    await change_order(
        holding.shop.context, holding.shop.brand, order_id, cancelled_at=holding.at, now=holding.at
    )
    await holding.hold()
    assert holding.balance == "0.00", "what is unspent is taken back"
    assert (await holding.row()).reason is None
    [line] = (await holding.page()).credit
    assert line.text.startswith("€7 of what you spent was for orders that were returned later. It is set off")
    await holding.earn()
    await holding.hold()
    assert holding.balance == "3.00", "7.00 that were spent of the first are set off"
    holding.account.revert(payment, holding.at)
    await holding.hold(timedelta(days=1))
    await holding.hold()
    assert holding.balance == "10.00", "the payment was taken back"
    assert (await balances(holding.shop.context, holding.shop.brand)).get("spent_rewards") is None
    await holding.is_sound()


@pytest.mark.parametrize("kind", [MoveKind.credit, MoveKind.debit])
@pytest.mark.parametrize("moved", [True, False], ids=["moved", "not moved"])
async def test_crash_between_the_call_and_its_record_moves_nothing_twice(holding, kind, moved):
    order_id = await holding.earn()
    if kind is MoveKind.debit:
        await holding.hold()
        holding.account.credit(Decimal("50.00"), holding.at)
        await holding.refund(order_id, 3600)
    context, brand_id = holding.shop.context, holding.shop.brand.id
    async with context.sessions.begin() as session:
        [claimed] = await claim(session, context, brand_id, now=holding.at)
    async with open_platform_session(context.settings, connections=1, total_seconds=5) as http:
        attempt = Attempt(context, http, claimed, holding.at)
        report = await attempt.read(claimed.connection)
        planned = await attempt.plan(report)
        assert planned.move.kind is kind
        if moved:
            await attempt.call(claimed.connection, planned)
    # A change meanwhile must not have it taken up by another process.
    await holding.refund(order_id, 3600 if kind is MoveKind.debit else 0)
    assert await holding.hold() == 0, "its lease runs"
    assert await holding.hold(LEASE) == 1
    state = "done" if moved else "dropped"
    amount = 1000 if kind is MoveKind.credit else 500
    found = [each for each in await holding.moves() if each[0] == kind]
    assert found == [(kind, state, amount), *([] if moved else [(kind, "done", amount)])]
    assert holding.balance == ("10.00" if kind is MoveKind.credit else "55.00")
    assert await holding.told() == 1
    await holding.is_sound()


async def test_fenced_copy_of_the_database_moves_nothing(holding):
    await holding.earn()
    async with holding.shop.context.sessions.begin() as session:
        await raise_fence(session, "a copy")
    assert await holding.hold() == 0
    assert await holding.moves() == []


async def test_call_whose_outcome_is_unknown_is_looked_for_and_a_late_one_is_taken_back(holding):
    await holding.earn()
    lost: list[Any] = []

    async def cut_off(request: web.Request) -> web.StreamResponse | None:
        if b"storeCreditAccountCredit" in await request.read():
            lost.append(await request.json())
            return web.Response(status=502)
        return None

    holding.shop.fake.intercept = cut_off
    await holding.hold()
    assert (await holding.row()).reason is not None
    async with holding.shop.context.sessions() as session:
        [problem] = await reward_problems(session)
    assert problem.startswith("Shop fern: the credit of 1 people is not what it must be: Shopify")
    assert await holding.told() == 0
    holding.shop.fake.intercept = None
    await holding.hold(LEASE)
    assert holding.balance == "10.00"
    # The first call arrives after all.
    given = lost[0]["variables"]["credit"]
    holding.account.credit(
        Decimal(given["creditAmount"]["amount"]), holding.at, datetime.fromisoformat(given["expiresAt"])
    )
    await holding.hold(timedelta(days=1))
    assert holding.balance == "10.00"
    assert (await holding.moves())[-1] == ("debit", "done", 1000)
    assert await holding.told() == 1
    await holding.is_sound()


async def test_payment_between_the_reading_and_the_debit_takes_nothing_of_anybody_else(holding):
    order_id = await holding.earn()
    await holding.hold()
    holding.account.credit(Decimal("50.00"), holding.at)
    await holding.refund(order_id, 7200)

    async def pay_first(request: web.Request) -> web.StreamResponse | None:
        if b"storeCreditAccountDebit(" in await request.read():
            holding.shop.fake.intercept = None
            holding.account.pay(Decimal("8.00"), holding.at)
        return None

    holding.shop.fake.intercept = pay_first
    await holding.hold()
    await holding.hold()
    # 60.00 less the 8.00 that were spent of ours, less the 2.00 that were left to take back.
    assert holding.balance == "50.00"
    await holding.hold(timedelta(days=1))
    assert holding.balance == "50.00"
    [reward] = await holding.rewards()
    assert (reward.status, reward.used_amount) == (RewardStatus.reversed, 800)
    await holding.is_sound()


async def test_debit_that_may_be_one_of_several_waits_for_a_person_and_is_not_made_again(holding):
    order_id = await holding.earn()
    await holding.hold()
    holding.account.credit(Decimal("50.00"), holding.at)
    await holding.refund(order_id, 3600)

    async def lose(request: web.Request) -> web.StreamResponse | None:
        if b"storeCreditAccountDebit(" not in await request.read():
            return None
        for _ in range(2):
            holding.account.debit(Decimal("5.00"), holding.at)
        return web.Response(status=502)

    holding.shop.fake.intercept = lose
    await holding.hold()
    holding.shop.fake.intercept = None
    await holding.hold(LEASE)
    assert "may be one of several" in ((await holding.row()).reason or "")
    assert holding.balance == "50.00"
    await holding.hold(timedelta(days=8))
    assert holding.balance == "50.00"
    assert (await holding.row()).reason is None
    assert [each for each in await holding.moves() if each[0] == "debit"] == [("debit", "done", 500)]
    await holding.is_sound()


@pytest.mark.parametrize("is_told_before", [True, False])
async def test_dispute_takes_credit_out_of_the_account_until_it_is_won(holding, is_told_before):
    order_id = await holding.earn()
    if is_told_before:
        await holding.hold()
    context, brand = holding.shop.context, holding.shop.brand
    for status, balance in ((DisputeStatus.open, "10.00"), (DisputeStatus.won, "20.00")):
        if status is DisputeStatus.open:
            await holding.earn(days=46)
        async with context.sessions.begin() as session:
            order = (await session.scalars(select(Order).where(Order.id == order_id))).one()
            holding.at += timedelta(hours=1)
            event = OrderDisputed(order.external_id, "d1", status, holding.at)
            await record_facts(session, brand, holding.shop.shop, [event])
            await fold_order_facts(session, brand, [order_id], now=holding.at)
        await holding.hold()
        assert holding.balance == balance
    assert await holding.told() == 2
    await holding.is_sound()


async def test_credit_ends_in_the_shop_first_and_what_was_spent_to_the_last_is_no_debt(holding):
    await holding.earn()
    await holding.hold()
    [reward] = await holding.rewards()
    [entry] = holding.account.entries
    holding.account.pay(Decimal("4.00"), entry.expires_at - timedelta(minutes=1))
    holding.account.expire(entry.expires_at)
    holding.at = reward.expires_at
    assert await sweep_once(expire.sweep(holding.shop.context), holding.at) == 0, "it is not read yet"
    holding.at = entry.expires_at + timedelta(minutes=1)
    await holding.hold()
    await holding.hold()
    assert await sweep_once(expire.sweep(holding.shop.context), reward.expires_at) == 1
    [reward] = await holding.rewards()
    assert (reward.used_amount, reward.lapsed_amount) == (400, 600)
    await holding.hold(timedelta(days=1))
    assert [each[0] for each in await holding.moves()] == ["credit"]
    await holding.is_sound()


async def test_credit_of_a_shop_is_not_spent_by_the_checkout_too(holding):
    await holding.earn()
    context, brand = holding.shop.context, holding.shop.brand
    async with context.sessions.begin() as session:
        owner = await find_owner(session, brand.id, customer_id=holding.owner)
        with pytest.raises(AppError, match="is spent in the cart of Fern") as refused:
            await reserve_credit(
                session, brand, owner, Money(100, "EUR"), order_id="o", seconds=60, now=holding.at
            )
        assert owner is not None
        assert owner.referrer_id is not None
        balance = (await find_balances(session, brand.id, owner.referrer_id, now=holding.at))["EUR"]
    assert (refused.value.code, refused.value.status) == ("credit_in_shop", 409)
    assert (balance.total, balance.available, balance.shop) == (1000, 0, "fern")


@pytest.mark.parametrize(("holders", "balance"), [(1, "10.00"), (4, "none")])
async def test_owner_who_changed_their_address_has_the_credit_in_their_account(holding, holders, balance):
    await holding.earn()
    context, brand, shop_id = holding.shop.context, holding.shop.brand, holding.shop.shop.id
    former = [holding.owner, *[await make_customer(context, brand) for _ in range(holders - 1)]]
    async with context.sessions.begin() as session:
        await session.execute(delete(CustomerReference))
        key = {"brand_id": brand.id, "shop_id": shop_id, "external_id": "7"}
        session.add_all(FormerReference(**key, customer_id=each) for each in former)
    await holding.hold()
    assert holding.balance == balance
    await holding.is_sound()


async def test_customer_whom_the_shop_does_not_know_gets_a_code(holding):
    async with holding.shop.context.sessions.begin() as session:
        await session.execute(CustomerReference.__table__.delete())
    await holding.earn()
    [reward] = await holding.rewards()
    assert (reward.kind, reward.kind_reason) == ("code", KindReason.no_account)
    assert reward.code_id is not None
    assert await holding.hold() == 0
    await sweep_once(place_rewards.sweep(holding.shop.context), holding.at)
    [order] = (await holding.page()).orders
    assert order.result.endswith(
        "It is a code rather than credit, since the shop knows no customer account of yours."
    )
    await holding.is_sound()


async def test_shop_that_refuses_is_asked_again_and_nobody_is_told_meanwhile(holding):
    await holding.earn()
    holding.shop.remote.credit.limit = Decimal(5)
    await holding.hold()
    assert "credit limit" in ((await holding.row()).reason or "")
    assert await holding.told() == 0
    holding.shop.remote.credit.limit = Decimal(500)
    await holding.hold(timedelta(hours=6))
    assert (holding.balance, await holding.told()) == ("10.00", 1)
    holding.shop.remote.lost_customers.add(OWNER)
    await holding.earn()
    await holding.hold()
    assert holding.balance == "20.00", "the account is known by its own id"


@pytest.mark.slow
async def test_erased_owner_keeps_the_account_and_a_shop_that_left_gets_no_more(holding):
    order_id = await holding.earn()
    await holding.hold()
    context, brand = holding.shop.context, holding.shop.brand
    async with context.sessions.begin() as session:
        await remove_connection(session, brand.id, holding.shop.shop.id, actor=cli_actor(brand.id))
    await holding.earn()
    _, second = await holding.rewards()
    assert (second.kind, second.kind_reason) == ("code", KindReason.shop_left)
    async with context.sessions.begin() as session:
        await erase_referrals(session, context.tokens, brand.id, [holding.owner], now=holding.at)
    row = await holding.row()
    assert (row.remote_id, row.due_at) == (None, None)
    await holding.refund(order_id, 7200)
    await holding.hold()
    assert holding.balance == "10.00"
    async with context.sessions() as session:
        assert {each.remote_id for each in await session.scalars(select(ShopCreditMove))} == {None}


@pytest.mark.slow
async def test_balance_of_before_is_put_into_the_shop_and_anew_into_another_account(holding):
    context, brand, shop = holding.shop.context, holding.shop.brand, holding.shop.shop

    async def keep_up_shop(**values: Any) -> None:
        async with context.sessions.begin() as session:
            if values:
                await session.execute(update(ShopConnection).values(**values))
        async with context.sessions.begin() as session:
            await keep_up(session, brand.id, now=holding.at)

    await keep_up_shop(holds_credit=False)
    await holding.earn()
    assert await holding.told() == 1, "until then it is spent by the checkout API"
    holding.at += timedelta(minutes=1)
    await keep_up_shop(holds_credit=True)
    assert await holding.hold() == 1
    assert (holding.balance, await holding.told()) == ("10.00", 1)
    holding.account.pay(Decimal("4.00"), holding.at)
    await holding.hold(timedelta(days=1))
    await holding.hold()

    other = FakeShop("other.myshopify.com", clock=holding.shop.remote.clock)
    holding.shop.fake.shops[other.domain] = other
    async with context.sessions.begin() as session:
        given = custom_token(holding.shop.fake, other)
        actor = cli_actor(brand.id)
        await save_connection(session, context.tokens, brand.id, shop.id, given, actor=actor, now=holding.at)
    await keep_up_shop()
    await holding.hold()
    [account] = other.credit.accounts.values()
    assert str(account.balance) == "6.00"
    await holding.hold(timedelta(days=1))
    assert str(account.balance) == "6.00"
    [reward] = await holding.rewards()
    assert reward.used_amount == 400
    await holding.is_sound()
