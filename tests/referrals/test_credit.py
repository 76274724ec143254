"""Credit: reserved, captured, released and refunded; never spent twice, never somebody else's."""

import asyncio
from datetime import datetime, timedelta
from itertools import permutations
from uuid import UUID

import pytest
from sqlalchemy import func, select

from app.base.context import AppContext
from app.base.due import sweep_once
from app.base.errors import AppError, NotFound
from app.base.ids import new_id
from app.base.money import Money
from app.brands.models import Brand, Shop
from app.checkout import expire as reservations
from app.checkout.credit import find_balances, find_owner, reserve_credit
from app.checkout.credit_use import capture_credit, refund_credit, release_credit
from app.ledger.models import CreditAccount, LedgerEntry
from app.referrals import expire as rewards
from app.referrals.models import Redemption
from app.referrals.reward_models import Reward
from tests.support.constants import NOW
from tests.support.factories.customers import make_customer
from tests.support.factories.orders import change_order
from tests.support.factories.programme import set_terms
from tests.support.factories.referrals import (
    balances,
    friend_orders,
    make_referrer,
    owner_of,
    reward_of,
    settle,
)

LATER = NOW + timedelta(days=60)
DAY = timedelta(days=1)


async def earned(
    context: AppContext, brand: Brand, shop: Shop, count: int = 1
) -> tuple[UUID, list[Redemption]]:
    """A customer with that many rewards of 10.00 as credit, and the redemptions behind them."""
    await set_terms(context, brand, {"reward": {"kind": "credit"}})
    code = await make_referrer(context, brand, shop)
    redemptions = [await friend_orders(context, brand, shop, code.code) for _ in range(count)]
    await settle(context)
    return await owner_of(context, code), redemptions


async def reserve(
    context: AppContext, brand: Brand, customer_id: UUID, amount: int, *, now: datetime = LATER
) -> UUID:
    async with context.sessions.begin() as session:
        owner = await find_owner(session, brand.id, customer_id=customer_id)
        reservation = await reserve_credit(
            session, brand, owner, Money(amount, "EUR"), order_id="o-1", seconds=600, now=now
        )
        return reservation.id


async def capture(
    context: AppContext,
    brand: Brand,
    reservation_id: UUID,
    amount: str | None = None,
    *,
    now: datetime = LATER,
) -> None:
    async with context.sessions.begin() as session:
        await capture_credit(session, brand, reservation_id, amount, now=now)


async def release(context: AppContext, brand: Brand, reservation_id: UUID) -> None:
    async with context.sessions.begin() as session:
        await release_credit(session, brand, reservation_id)


async def refund(context: AppContext, brand: Brand, reservation_id: UUID, amount: str | None = None) -> None:
    async with context.sessions.begin() as session:
        await refund_credit(session, brand, reservation_id, amount, now=LATER)


async def balance(
    context: AppContext, brand: Brand, customer_id: UUID, *, now: datetime = LATER
) -> tuple[int, int, int]:
    """What is left, what of it is reserved, and what can be reserved."""
    async with context.sessions() as session:
        owner = await find_owner(session, brand.id, customer_id=customer_id)
        assert owner is not None
        assert owner.referrer_id is not None
        found = (await find_balances(session, brand.id, owner.referrer_id, now=now))["EUR"]
    return found.total, found.reserved, found.available


async def booked(context: AppContext, brand: Brand) -> int:
    """What the ledger says is owed, which the accounts must hold."""
    async with context.sessions() as session:
        owed = await session.scalar(
            select(func.coalesce(func.sum(LedgerEntry.amount), 0)).where(
                LedgerEntry.brand_id == brand.id, LedgerEntry.account == "referrers"
            )
        )
        held = await session.scalar(select(func.coalesce(func.sum(CreditAccount.balance), 0)))
    assert held == -(owed or 0)
    return int(held)


async def test_credit_is_reserved_captured_and_refunded(
    context: AppContext, brand: Brand, shop: Shop
) -> None:
    customer, _ = await earned(context, brand, shop)
    assert await balance(context, brand, customer) == (1000, 0, 1000)
    first = await reserve(context, brand, customer, 700)
    assert await balance(context, brand, customer) == (1000, 700, 300)
    with pytest.raises(AppError, match=r"Only 3\.00 EUR can be reserved"):
        await reserve(context, brand, customer, 301)
    for _ in range(2):
        await capture(context, brand, first, "5.00")
    assert await balance(context, brand, customer) == (500, 0, 500)
    await refund(context, brand, first, "2.00")
    assert await balance(context, brand, customer) == (700, 0, 700)
    await refund(context, brand, first)
    assert await balance(context, brand, customer) == (1000, 0, 1000)
    assert await booked(context, brand) == 1000
    assert (await balances(context, brand)).get("spent_rewards") is None


async def test_what_a_reservation_allows_and_what_not(context: AppContext, brand: Brand, shop: Shop) -> None:
    customer, _ = await earned(context, brand, shop)
    held = await reserve(context, brand, customer, 600)
    for wrong in ("6.01", "0", "-1", "1.005", "much"):
        with pytest.raises(AppError) as error:
            await capture(context, brand, held, wrong)
        assert error.value.code == "bad_amount"
    with pytest.raises(AppError, match="reserved cannot be refunded"):
        await refund(context, brand, held)
    for _ in range(2):
        await release(context, brand, held)
    with pytest.raises(AppError, match="released cannot be captured"):
        await capture(context, brand, held)
    spent = await reserve(context, brand, customer, 600)
    await capture(context, brand, spent)
    with pytest.raises(AppError, match="captured cannot be released"):
        await release(context, brand, spent)
    with pytest.raises(AppError, match="captured cannot be captured"):
        await capture(context, brand, spent, "1.00")
    with pytest.raises(AppError, match=r"at most the 6\.00 EUR"):
        await refund(context, brand, spent, "6.01")
    for act in (capture, release, refund):
        with pytest.raises(NotFound):
            await act(context, brand, new_id())


async def test_reservation_expires_by_itself(context: AppContext, brand: Brand, shop: Shop) -> None:
    customer, _ = await earned(context, brand, shop)
    first = await reserve(context, brand, customer, 1000)
    over = LATER + timedelta(seconds=600)
    assert await balance(context, brand, customer, now=over) == (1000, 0, 1000)
    with pytest.raises(AppError, match="has expired"):
        await capture(context, brand, first, now=over)
    await reserve(context, brand, customer, 1000, now=over)
    assert await sweep_once(reservations.sweep(context), over) == 0
    assert await sweep_once(reservations.sweep(context), over + timedelta(seconds=600)) == 1
    assert await balance(context, brand, customer, now=over) == (1000, 0, 1000)
    await release(context, brand, first)


async def test_sixty_four_reservations_at_once_never_exceed_the_balance(
    context: AppContext, brand: Brand, shop: Shop
) -> None:
    customer, _ = await earned(context, brand, shop, count=3)
    tries = [reserve(context, brand, customer, 700) for _ in range(64)]
    found = await asyncio.gather(*tries, return_exceptions=True)
    won = [one for one in found if isinstance(one, UUID)]
    lost = [one.code for one in found if isinstance(one, AppError)]
    assert (len(won), len(lost), set(lost)) == (4, 60, {"insufficient_balance"})
    assert await balance(context, brand, customer) == (3000, 2800, 200)
    await asyncio.gather(*(capture(context, brand, each) for each in won for _ in range(4)))
    assert await balance(context, brand, customer) == (200, 0, 200)
    refunds = [refund(context, brand, each) for each in won for _ in range(4)]
    done = await asyncio.gather(*refunds, return_exceptions=True)
    assert sum(one is None for one in done) == 4
    assert await balance(context, brand, customer) == (3000, 0, 3000)
    assert await booked(context, brand) == 3000


async def test_oldest_expiring_reward_is_used_first_and_says_so(
    context: AppContext, brand: Brand, shop: Shop
) -> None:
    customer, [first, second] = await earned(context, brand, shop, count=2)
    async with context.sessions.begin() as session:
        newer = (await session.scalars(select(Reward).where(Reward.redemption_id == first.id))).one()
        assert newer.expires_at is not None
        newer.expires_at += DAY
    await capture(context, brand, await reserve(context, brand, customer, 1300))
    older, later = await reward_of(context, brand, second.id), await reward_of(context, brand, first.id)
    assert older is not None
    assert later is not None
    assert (older.status, older.used_amount) == ("used", 1000)
    assert (later.status, later.used_amount) == ("granted", 300)


async def test_what_is_not_used_expires_but_for_what_is_reserved(
    context: AppContext, brand: Brand, shop: Shop
) -> None:
    customer, [redemption] = await earned(context, brand, shop)
    reward = await reward_of(context, brand, redemption.id)
    assert reward is not None
    assert reward.expires_at is not None
    end = reward.expires_at
    held = await reserve(context, brand, customer, 400, now=end - timedelta(seconds=60))
    assert await balance(context, brand, customer, now=end) == (400, 400, 0)
    assert await sweep_once(rewards.sweep(context), end) == 0
    await capture(context, brand, held, now=end)
    assert await sweep_once(rewards.sweep(context), end) == 1
    found = await reward_of(context, brand, redemption.id)
    assert found is not None
    assert (found.status, found.used_amount, found.lapsed_amount) == ("expired", 400, 600)
    assert await balance(context, brand, customer, now=end) == (0, 0, 0)
    assert await booked(context, brand) == 0
    with pytest.raises(AppError, match=r"Only 0\.00 EUR"):
        await reserve(context, brand, customer, 1, now=end)


@pytest.mark.parametrize("order", list(permutations(["spend", "half", "rest"])))
async def test_refund_before_or_after_spending_leaves_the_same_balance(
    context: AppContext, brand: Brand, shop: Shop, order: tuple[str, ...]
) -> None:
    customer, [first, _] = await earned(context, brand, shop, count=2)
    other, _ = await earned(context, brand, shop)
    refunded = 0
    for fact in order:
        if fact == "spend":
            await capture(context, brand, await reserve(context, brand, customer, 1000))
            continue
        refunded += 3600
        await change_order(context, brand, first.order_id, refunded=refunded)
    assert await balance(context, brand, customer) == (0, 0, 0)
    assert await balance(context, brand, other) == (1000, 0, 1000)
    assert await booked(context, brand) == 1000


async def test_overspent_credit_is_made_up_for_by_the_next_reward(
    context: AppContext, brand: Brand, shop: Shop
) -> None:
    customer, [redemption] = await earned(context, brand, shop)
    await capture(context, brand, await reserve(context, brand, customer, 1000))
    await change_order(context, brand, redemption.order_id, cancelled_at=LATER)
    reward = await reward_of(context, brand, redemption.id)
    assert reward is not None
    assert (reward.status, reward.net_amount, reward.used_amount) == ("reversed", 0, 1000)
    assert await balance(context, brand, customer) == (-1000, 0, 0)
    with pytest.raises(AppError, match=r"Only 0\.00 EUR"):
        await reserve(context, brand, customer, 1)
    assert await booked(context, brand) == -1000


async def test_customer_without_rewards_and_unknown_ones_have_nothing(
    context: AppContext, brand: Brand, shop: Shop
) -> None:
    customer = await make_customer(context, brand)
    with pytest.raises(AppError, match=r"Only 0\.00 EUR"):
        await reserve(context, brand, customer, 1)
    async with context.sessions() as session:
        assert await find_owner(session, brand.id, email="nobody@example.com") is None
        assert await find_owner(session, brand.id, customer_id=new_id()) is None
