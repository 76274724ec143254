"""Who wins a use of a code, and why others do not."""

import asyncio
from collections import Counter
from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import func, select, update
from sqlalchemy.exc import IntegrityError

from app.base.actor import cli_actor
from app.base.context import AppContext
from app.base.ids import new_id
from app.base.money import Money
from app.brands.add import add_shop
from app.brands.models import Brand, Shop
from app.checkout.validate import validate_code
from app.customers.erased import Identities, NewErasedIdentity, list_erased
from app.customers.models import CustomerReference
from app.customers.person import Person
from app.referrals.disable import disable_code
from app.referrals.erase import erase_referrals
from app.referrals.models import Code, Redemption, Referrer
from app.referrals.redeem import redeem_orders
from app.referrals.rules import RedemptionStatus, RefusalReason
from tests.support.constants import NOW
from tests.support.factories.customers import make_customer, put_customer
from tests.support.factories.orders import change_order, make_order
from tests.support.factories.programme import set_terms
from tests.support.factories.referrals import (
    balances,
    code_of,
    friend_orders,
    issue,
    make_referrer,
    owner_of,
    redeem,
    redemption_of,
)


async def test_friends_order_takes_a_use_and_waits_out_its_hold(
    context: AppContext, brand: Brand, shop: Shop
) -> None:
    code = await make_referrer(context, brand, shop)
    redemption = await friend_orders(
        context, brand, shop, f" {code.display[:4].lower()}-{code.display[4:].lower()} "
    )
    assert (redemption.status, redemption.reason, redemption.amount_off) == (
        RedemptionStatus.pending,
        None,
        800,
    )
    assert (redemption.referrer_id, redemption.hold_until) == (code.referrer_id, NOW + timedelta(days=14))
    assert (await code_of(context, brand, code.id)).uses == 1
    assert await balances(context, brand) == {"discount_cost": 800, "friends": -800}


async def test_an_order_redeems_once_however_often_it_comes(
    context: AppContext, brand: Brand, shop: Shop
) -> None:
    code = await make_referrer(context, brand, shop)
    order_id = await make_order(
        context, brand, shop, await make_customer(context, brand), code.code, code.display
    )
    await redeem(context, brand, order_id, order_id)
    await asyncio.gather(*(redeem(context, brand, order_id) for _ in range(6)))
    assert (await code_of(context, brand, code.id)).uses == 1
    assert await balances(context, brand) == {"discount_cost": 800, "friends": -800}


async def test_codes_of_others_test_orders_and_history_redeem_nothing(
    context: AppContext, brand: Brand, shop: Shop
) -> None:
    code = await make_referrer(context, brand, shop)
    friend = await make_customer(context, brand)
    orders = [
        await make_order(context, brand, shop, friend, "SUMMER", "", "%_'\"\x01"),
        await make_order(context, brand, shop, friend, code.code, test=True),
        await make_order(context, brand, shop, friend, code.code, history=True),
        await make_order(context, brand, shop, friend, referral="no-such-slug"),
        await make_order(context, brand, shop, friend),
    ]
    assert await redeem(context, brand, *orders) == []


async def test_share_link_counts_where_no_code_does(context: AppContext, brand: Brand, shop: Shop) -> None:
    first, second = await make_referrer(context, brand, shop), await make_referrer(context, brand, shop)
    async with context.sessions() as session:
        slug = await session.scalar(select(Referrer.slug).where(Referrer.id == second.referrer_id))
    by_link = await friend_orders(context, brand, shop, "SUMMER", referral=slug.upper())
    assert (by_link.code_id, by_link.amount_off) == (second.id, 0), "the code took nothing off"
    at_once = await friend_orders(context, brand, shop, "", referral=slug)
    assert (at_once.code_id, at_once.amount_off) == (second.id, 800), "the link itself took it off"
    both = await friend_orders(context, brand, shop, first.code, referral=slug)
    assert (both.code_id, both.amount_off) == (first.id, 800)


async def test_share_link_of_a_disabled_code_is_refused_and_wins_no_later_code(
    context: AppContext, brand: Brand, shop: Shop
) -> None:
    old = await make_referrer(context, brand, shop)
    async with context.sessions.begin() as session:
        slug = await session.scalar(select(Referrer.slug).where(Referrer.id == old.referrer_id))
        await disable_code(session, brand, old.code, now=NOW, actor=cli_actor(brand.id))
    order_id = await make_order(context, brand, shop, await make_customer(context, brand), referral=slug)
    [refused] = await redeem(context, brand, order_id)
    assert (refused.code_id, refused.status, refused.reason) == (old.id, RedemptionStatus.refused, "disabled")
    new = await issue(context, brand, shop, await owner_of(context, old), now=NOW + timedelta(days=1))
    [again] = await redeem(context, brand, order_id)
    assert (again.id, again.status) == (refused.id, RedemptionStatus.refused)
    later = await friend_orders(context, brand, shop, "SUMMER", referral=slug)
    assert (later.code_id, later.status) == (new.id, RedemptionStatus.pending)
    async with context.sessions.begin() as session:
        await disable_code(session, brand, new.code, now=NOW, actor=cli_actor(brand.id))
    last = await friend_orders(context, brand, shop, "SUMMER", referral=slug)
    assert (last.code_id, last.reason) == (new.id, "disabled")


async def test_first_of_our_codes_that_may_win(context: AppContext, brand: Brand, shop: Shop) -> None:
    off, on = await make_referrer(context, brand, shop), await make_referrer(context, brand, shop)
    async with context.sessions.begin() as session:
        await disable_code(session, brand, off.code, now=NOW, actor=cli_actor(brand.id))
    friend = await make_customer(context, brand)
    won = await redeem(
        context, brand, await make_order(context, brand, shop, friend, "SUMMER", off.code, on.code)
    )
    assert (won[0].code_id, won[0].status) == (on.id, RedemptionStatus.pending)
    lost = await friend_orders(context, brand, shop, off.code)
    assert (lost.status, lost.reason, lost.holds_use) == (RedemptionStatus.refused, "disabled", False)


async def refusal(
    context: AppContext, brand: Brand, shop: Shop, code: Code, friend: UUID | None = None, **given: object
) -> str | None:
    friend = friend or await make_customer(context, brand)
    [redemption] = await redeem(
        context, brand, await make_order(context, brand, shop, friend, code.code, **given)
    )
    return redemption.reason


async def test_expiry_is_judged_by_when_the_order_was_placed(
    context: AppContext, brand: Brand, shop: Shop
) -> None:
    code = await make_referrer(context, brand, shop)
    assert await refusal(context, brand, shop, code, placed_at=code.expires_at) == "expired"
    late_webhook = await make_order(
        context,
        brand,
        shop,
        await make_customer(context, brand),
        code.code,
        placed_at=code.expires_at - timedelta(seconds=1),
    )
    [redemption] = await redeem(context, brand, late_webhook, now=code.expires_at + timedelta(days=1))
    assert redemption.status is RedemptionStatus.pending


async def test_own_orders_are_refused_by_row_alias_and_phone(
    context: AppContext, brand: Brand, shop: Shop
) -> None:
    ana = await put_customer(context, brand, email_key="ana@gmail.com", phone="+33612345678")
    code = await issue(context, brand, shop, ana)
    alias = await put_customer(context, brand, email_key="ana@gmail.com")
    same_phone = await make_customer(context, brand, phone="+33612345678")
    for friend in (await owner_of(context, code), alias, same_phone):
        assert await refusal(context, brand, shop, code, friend) == "own_order"


async def test_existing_customers_of_any_shop_and_of_history_are_not_new(
    context: AppContext, brand: Brand, shop: Shop
) -> None:
    code = await make_referrer(context, brand, shop)
    async with context.sessions.begin() as session:
        other, _ = await add_shop(
            session, context.tokens, brand, "acme-fr", name="Acme FR", actor=cli_actor(brand.id)
        )
    before = NOW - timedelta(days=400)
    friend = await put_customer(context, brand, email_key="ben@gmail.com", phone="+33612345679")
    await make_order(context, brand, other, friend, placed_at=before, history=True)
    alias = await put_customer(context, brand, email_key="ben@gmail.com")
    same_phone = await put_customer(context, brand, email=None, email_key=None, phone="+33612345679")
    for person in (friend, alias, same_phone):
        assert await refusal(context, brand, shop, code, person) == "existing_customer"
    async with context.sessions() as session:
        checked = await validate_code(
            session,
            context.tokens,
            brand,
            code.code,
            Person(phone="+33 6 12 34 56 79"),
            subtotal=Money(8000, "EUR"),
            now=NOW,
        )
    assert checked.reason is RefusalReason.existing_customer


async def test_later_test_and_cancelled_orders_leave_a_friend_new(
    context: AppContext, brand: Brand, shop: Shop
) -> None:
    code = await make_referrer(context, brand, shop)
    friend = await make_customer(context, brand)
    await make_order(context, brand, shop, friend, placed_at=NOW + timedelta(days=1))
    await make_order(context, brand, shop, friend, placed_at=NOW - timedelta(days=1), test=True)
    await make_order(context, brand, shop, friend, placed_at=NOW - timedelta(days=1), cancelled_at=NOW)
    assert await refusal(context, brand, shop, code, friend) is None


async def test_earlier_order_of_the_same_batch_counts(context: AppContext, brand: Brand, shop: Shop) -> None:
    await set_terms(context, brand, {"offer": {"one_per_friend": False}})
    code = await make_referrer(context, brand, shop)
    friend = await make_customer(context, brand)
    orders = [await make_order(context, brand, shop, friend, code.code) for _ in range(3)]
    reasons = [redemption.reason for redemption in await redeem(context, brand, *orders)]
    assert reasons == [None, "existing_customer", "existing_customer"]


async def test_a_friend_uses_one_code_only(context: AppContext, brand: Brand, shop: Shop) -> None:
    await set_terms(context, brand, {"offer": {"new_customers_only": False}})
    first, second = await make_referrer(context, brand, shop), await make_referrer(context, brand, shop)
    friend = await make_customer(context, brand)
    order_id = await make_order(context, brand, shop, friend, first.code)
    await redeem(context, brand, order_id)
    assert await refusal(context, brand, shop, second, friend) == "already_used_by_friend"
    await change_order(context, brand, order_id, cancelled_at=NOW)
    assert await refusal(context, brand, shop, second, friend) is None


async def test_minimum_currency_switch_and_programme_time(
    context: AppContext, brand: Brand, shop: Shop
) -> None:
    await set_terms(
        context,
        brand,
        {"offer": {"minimum_subtotal": "50.00", "friend_discount": {"kind": "amount", "value": "5.00"}}},
    )
    code = await make_referrer(context, brand, shop)
    assert await refusal(context, brand, shop, code, subtotal=4999) == "minimum_not_met"
    assert await refusal(context, brand, shop, code, currency="USD") == "currency_mismatch"
    assert await refusal(context, brand, shop, code, subtotal=5000) is None
    await set_terms(context, brand, {"redemptions_enabled": False})
    assert await refusal(context, brand, shop, code) == "not_active"
    await set_terms(context, brand, {"ends_at": NOW.isoformat()})
    assert await refusal(context, brand, shop, code) == "not_active"
    # The leaked discounts of the four: 5.00 each, one of them in dollars as the shop reports it.
    assert (await balances(context, brand))["leaked_discount"] == 500 + 800 + 500 + 500


async def test_codes_keep_the_terms_they_were_issued_under(
    context: AppContext, brand: Brand, shop: Shop
) -> None:
    code = await make_referrer(context, brand, shop)
    await set_terms(context, brand, {"offer": {"friend_discount": {"value": "50"}, "max_uses_per_code": 1}})
    redemption = await friend_orders(context, brand, shop, code.code)
    assert (redemption.amount_off, redemption.terms_id) == (800, code.terms_id)


async def test_cap_and_budget_leave_the_friend_their_discount_and_give_no_reward(
    context: AppContext, brand: Brand, shop: Shop
) -> None:
    await set_terms(context, brand, {"reward": {"cap_per_referrer": 1}})
    capped = await make_referrer(context, brand, shop)
    await set_terms(context, brand, {"reward": {"budget": {"amount": "25.00", "period": "month"}}})
    free = await make_referrer(context, brand, shop)
    first, second = [await friend_orders(context, brand, shop, capped.code) for _ in range(2)]
    assert (first.status, first.reason) == (RedemptionStatus.pending, None)
    assert (second.status, second.reason, second.holds_use) == (
        RedemptionStatus.pending,
        "cap_reached",
        True,
    )
    friends = [await make_customer(context, brand) for _ in range(3)]
    orders = [await make_order(context, brand, shop, friend, free.code) for friend in friends]
    assert [one.reason for one in await redeem(context, brand, *orders)] == [
        None,
        "budget_spent",
        "budget_spent",
    ]
    assert await refusal(context, brand, shop, free, placed_at=NOW + timedelta(days=31)) is None


async def test_friend_who_pays_like_the_referrer_is_put_in_review(
    context: AppContext, brand: Brand, shop: Shop
) -> None:
    code = await make_referrer(context, brand, shop)
    await make_order(context, brand, shop, await owner_of(context, code), payment_fingerprint="card")
    redemption = await friend_orders(context, brand, shop, code.code, payment_fingerprint="card")
    assert (redemption.status, redemption.reason, redemption.holds_use) == (
        RedemptionStatus.in_review,
        "suspected_fraud",
        True,
    )


@pytest.mark.slow
async def test_sixty_orders_at_once_win_ten_uses(context: AppContext, brand: Brand, shop: Shop) -> None:
    code = await make_referrer(context, brand, shop)
    orders = [
        await make_order(context, brand, shop, await make_customer(context, brand), code.code)
        for _ in range(60)
    ]
    await asyncio.gather(*(redeem(context, brand, order_id) for order_id in orders))
    async with context.sessions() as session:
        rows = await session.execute(
            select(Redemption.status, Redemption.reason, func.count()).group_by(
                Redemption.status, Redemption.reason
            )
        )
        found = {(status.value, reason): count for status, reason, count in rows}
    assert found == {("pending", None): 10, ("refused", "exhausted"): 50}
    assert (await code_of(context, brand, code.id)).uses == 10
    assert await balances(context, brand) == {
        "discount_cost": 8000,
        "leaked_discount": 40000,
        "friends": -48000,
    }


async def test_cap_and_budget_hold_under_many_at_once(context: AppContext, brand: Brand, shop: Shop) -> None:
    await set_terms(
        context, brand, {"reward": {"cap_per_referrer": 3, "budget": {"amount": "50.00", "period": "total"}}}
    )
    codes = [await make_referrer(context, brand, shop) for _ in range(2)]
    orders = [
        await make_order(context, brand, shop, await make_customer(context, brand), codes[turn % 2].code)
        for turn in range(20)
    ]
    await asyncio.gather(*(redeem(context, brand, order_id) for order_id in orders))
    async with context.sessions() as session:
        rows = await session.scalars(select(Redemption).where(Redemption.status == RedemptionStatus.pending))
        won = Counter(redemption.code_id for redemption in rows if redemption.reason is None)
    assert sum(won.values()) == 5
    assert max(won.values()) == 3


async def test_same_friend_twice_at_one_moment_wins_once(
    context: AppContext, brand: Brand, shop: Shop
) -> None:
    codes = [await make_referrer(context, brand, shop) for _ in range(4)]
    for _ in range(5):
        phone = f"+336{new_id().int % 10**8:08}"
        friends = [
            await put_customer(context, brand, email=None, email_key="cy@gmail.com", phone=None)
        ] * 2 + [
            await put_customer(context, brand, email_key="cy@gmail.com", phone=phone),
            await make_customer(context, brand, phone=phone),
        ]
        orders = [
            await make_order(context, brand, shop, friend, code.code)
            for friend, code in zip(friends, codes, strict=True)
        ]
        await asyncio.gather(*(redeem(context, brand, order_id) for order_id in orders))
        found = [await redemption_of(context, brand, order_id) for order_id in orders]
        statuses = [one.status.value for one in found if one is not None]
        assert len(statuses) == 4
        async with context.sessions.begin() as session:
            rows = await session.execute(
                select(Code.id, Code.uses, func.count(Redemption.id).filter(Redemption.holds_use))
                .join(Redemption, Redemption.code_id == Code.id)
                .group_by(Code.id, Code.uses)
            )
            assert all(uses == in_review for _, uses, in_review in rows)
            # The next round's friends are new ones.
            await session.execute(update(Redemption).values(friend_email_key=None, friend_phone=None))


async def test_two_batches_with_the_same_friends_in_opposite_order_both_end(
    context: AppContext, brand: Brand, shop: Shop
) -> None:
    codes = [await make_referrer(context, brand, shop) for _ in range(2)]
    friends = [await make_customer(context, brand) for _ in range(20)]
    batches = [
        [await make_order(context, brand, shop, friend, code.code) for friend in friends[::step]]
        for code, step in zip(codes, (1, -1), strict=True)
    ]
    await asyncio.gather(*(redeem(context, brand, *batch) for batch in batches))
    async with context.sessions() as session:
        rows = await session.execute(
            select(Redemption.friend_id, func.count())
            .where(Redemption.holds_use)
            .group_by(Redemption.friend_id)
        )
        assert {count for _, count in rows} == {1}


async def test_keys_of_the_database_refuse_a_second_use(
    context: AppContext, brand: Brand, shop: Shop
) -> None:
    code = await make_referrer(context, brand, shop)
    redemption = await friend_orders(context, brand, shop, code.code)
    second = await make_order(context, brand, shop, None, code.code)
    columns = [
        column.key for column in Redemption.__table__.columns if column.key not in ("id", "created_at")
    ]
    values = {key: getattr(redemption, key) for key in columns} | {"id": new_id()}
    for changed in ({}, {"order_id": second}):
        async with context.sessions() as session:
            session.add(Redemption(**(values | changed)))
            with pytest.raises(IntegrityError):
                await session.flush()
    async with context.sessions() as session:
        with pytest.raises(IntegrityError):
            await session.execute(update(Code).where(Code.id == code.id).values(uses=11))


async def test_order_cancelled_before_it_came_leaves_no_use_behind(
    context: AppContext, brand: Brand, shop: Shop
) -> None:
    code = await make_referrer(context, brand, shop)
    redemption = await friend_orders(context, brand, shop, code.code, cancelled_at=NOW)
    assert (redemption.status, redemption.reason, redemption.holds_use) == (
        RedemptionStatus.reversed,
        "cancelled",
        False,
    )
    assert (await code_of(context, brand, code.id)).uses == 0
    assert await balances(context, brand) == {}


async def test_a_friend_who_was_erased_is_no_new_customer(
    context: AppContext, brand: Brand, shop: Shop
) -> None:
    code = await make_referrer(context, brand, shop)
    erased = Identities(
        frozenset({"b.en+x@gmail.com"}), frozenset({"+33612345679"}), frozenset({(shop.id, "c7")})
    )
    async with context.sessions.begin() as session:
        await list_erased(
            session,
            brand.id,
            [NewErasedIdentity(key, None, 1, NOW) for key in erased.keys(context.tokens)],
        )
    by_mail = await put_customer(context, brand, email_key="ben@gmail.com")
    by_phone = await put_customer(context, brand, email=None, email_key=None, phone="+33612345679")
    by_reference = await make_customer(context, brand)
    async with context.sessions.begin() as session:
        session.add(
            CustomerReference(brand_id=brand.id, shop_id=shop.id, external_id="c7", customer_id=by_reference)
        )
    for person in (by_mail, by_phone, by_reference):
        assert await refusal(context, brand, shop, code, person) == "existing_customer"
    assert await refusal(context, brand, shop, code, await make_customer(context, brand)) is None


async def test_an_erased_friend_does_not_get_a_second_code(
    context: AppContext, brand: Brand, shop: Shop
) -> None:
    await set_terms(context, brand, {"offer": {"new_customers_only": False}})
    code = await make_referrer(context, brand, shop)
    friend = await put_customer(context, brand, email_key="ben@gmail.com")
    assert await refusal(context, brand, shop, code, friend) is None
    async with context.sessions.begin() as session:
        await erase_referrals(session, context.tokens, brand.id, [friend], now=NOW)
    again = await put_customer(context, brand, email_key="ben@gmail.com")
    assert await refusal(context, brand, shop, code, again) == "already_used_by_friend"


async def test_validating_a_code_reserves_nothing_and_changes_nothing(
    context: AppContext, brand: Brand, shop: Shop
) -> None:
    code = await make_referrer(context, brand, shop)
    async with context.sessions() as session:
        fine = await validate_code(
            session,
            context.tokens,
            brand,
            f" {code.code.lower()} ",
            Person(email="new@x.example"),
            subtotal=Money(8000, "EUR"),
            now=NOW,
        )
        unknown = await validate_code(
            session, context.tokens, brand, "NOSUCH", Person(), subtotal=Money(8000, "EUR"), now=NOW
        )
    assert (fine.reason, fine.amount_off) == (None, 800)
    assert (unknown.reason, unknown.discount, unknown.amount_off) == (RefusalReason.unknown_code, None, 0)
    assert (await code_of(context, brand, code.id)).uses == 0


async def test_another_brands_code_is_none_of_ours(context: AppContext, brand: Brand, shop: Shop) -> None:
    from app.brands.add import add_brand

    async with context.sessions.begin() as session:
        rival = await add_brand(session, "rival", name="Rival")
        rival_shop, _ = await add_shop(
            session, context.tokens, rival, "rival", name="Rival", actor=cli_actor(rival.id)
        )
    code = await issue(context, rival, rival_shop, await make_customer(context, rival))
    order_id = await make_order(context, brand, shop, await make_customer(context, brand), code.code)
    async with context.sessions.begin() as session:
        await redeem_orders(session, context.tokens, brand, [order_id], now=NOW)
    assert await redemption_of(context, brand, order_id) is None
