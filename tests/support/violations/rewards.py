"""Violations in what rewards become, in credit, and by friends who cannot be recognised."""

from app.base.ids import new_id, public_id
from app.ledger.rules import LedgerAccount
from app.referrals.templates import REWARD
from tests.support.violations.sound import Sound, breaks


@breaks("nobody_unknown_is_rewarded")
async def an_approved_redemption_of_nobody(sound: Sound) -> str:
    await sound.sql("UPDATE redemptions SET friend_email_key = NULL WHERE id = :id", id=sound.approved.id)
    return public_id("red", sound.approved.id)


@breaks("no_reward_above_the_order", "reward_follows_the_order")
async def a_reward_that_is_more_than_its_order(sound: Sound) -> str:
    await sound.sql("UPDATE orders SET total = 500 WHERE id = :id", id=sound.approved.order_id)
    return public_id("rwd", await sound.reward_id())


@breaks("reward_status_is_its_facts")
async def a_reward_that_is_used_and_was_not(sound: Sound) -> str:
    await sound.sql("UPDATE rewards SET status = 'used'")
    return public_id("rwd", await sound.reward_id())


@breaks("lapsed_is_what_cannot_be_spent", "credit_is_left_of_rewards")
async def a_reward_that_lapsed_in_its_time(sound: Sound) -> str:
    await sound.sql("UPDATE rewards SET lapsed_amount = 5")
    return public_id("rwd", await sound.reward_id())


@breaks("frozen_while_disputed")
async def a_reward_that_is_frozen_without_a_dispute(sound: Sound) -> str:
    await sound.sql("UPDATE rewards SET frozen = true")
    return public_id("rwd", await sound.reward_id())


@breaks("own_code_is_its_rewards")
async def a_reward_that_is_paid_with_a_code_for_friends(sound: Sound) -> str:
    await sound.sql("UPDATE rewards SET code_id = :code", code=sound.code.id)
    return public_id("rwd", await sound.reward_id())


@breaks("credit_is_in_the_ledger")
async def an_entry_about_credit_that_no_balance_has(sound: Sound) -> str:
    pair = (LedgerAccount.referrers, LedgerAccount.spent_rewards)
    await sound.rows.book(sound.approved, *pair, 5)
    return public_id("ref", sound.approved.referrer_id)


@breaks("credit_is_left_of_rewards", "credit_is_in_the_ledger")
async def a_balance_that_no_reward_left(sound: Sound) -> str:
    await sound.sql("UPDATE credit_accounts SET balance = balance + 5")
    return public_id("ref", sound.approved.referrer_id)


async def _reservation(sound: Sound, *, status: str, captured: int) -> str:
    await sound.sql(
        "INSERT INTO credit_reservations (brand_id, id, referrer_id, currency, order_id, amount, captured, "
        "refunded, status, expires_at) VALUES (:brand, :id, :referrer, 'EUR', 'o', 5, :captured, 0, "
        ":status, now())",
        brand=sound.rows.brand.id,
        id=new_id(),
        referrer=sound.approved.referrer_id,
        captured=captured,
        status=status,
    )
    return public_id("ref", sound.approved.referrer_id)


@breaks("spent_credit_was_captured")
async def a_capture_that_no_reward_paid_for(sound: Sound) -> str:
    return await _reservation(sound, status="captured", captured=5)


@breaks("reserved_is_open")
async def a_reservation_that_holds_nothing(sound: Sound) -> str:
    return await _reservation(sound, status="reserved", captured=0)


async def _placement(sound: Sound, *, placed: int | None, live: bool) -> str:
    reward_id = await sound.reward_id()
    await sound.sql(
        "INSERT INTO reward_placements (brand_id, reward_id, shop_id, code, uses, revision, attempt, placed, live_at) "
        "VALUES (:brand, :reward, :shop, 'OWN', 1, 0, 0, :placed, CASE WHEN :live THEN now() END)",
        brand=sound.rows.brand.id,
        reward=reward_id,
        shop=sound.rows.shop.id,
        placed=placed,
        live=live,
    )
    return public_id("rwd", reward_id)


@breaks("shop_has_what_is_left")
async def a_code_in_the_shop_that_is_worth_more_than_its_reward(sound: Sound) -> str:
    return await _placement(sound, placed=99_999, live=True)


@breaks("reward_works_before_its_message")
async def a_message_about_a_code_that_the_shop_does_not_know(sound: Sound) -> str:
    await sound.rows.message(REWARD, sound.response.customer_id, await sound.reward_id())
    return await _placement(sound, placed=None, live=False)


async def _shop_credit(sound: Sound, *, code: str | None, held: int, spent: int) -> str:
    await sound.sql(
        "INSERT INTO shop_credits (brand_id, id, referrer_id, currency, shop_id, code, held, spent, "
        "spent_elsewhere, revision, attempt) "
        "VALUES (:brand, :id, :referrer, 'EUR', :shop, :code, :held, :spent, 0, 0, 0)",
        brand=sound.rows.brand.id,
        id=new_id(),
        referrer=sound.approved.referrer_id,
        shop=sound.rows.shop.id,
        code=code,
        held=held,
        spent=spent,
    )
    return public_id("ref", sound.approved.referrer_id)


@breaks("nothing_is_spent_that_was_not_moved")
async def credit_in_a_shop_that_was_never_put_there(sound: Sound) -> str:
    return await _shop_credit(sound, code=None, held=5, spent=0)


@breaks("spent_by_coupon_is_by_orders", "spent_credit_was_captured")
async def a_coupon_that_no_order_has_used(sound: Sound) -> str:
    return await _shop_credit(sound, code="CREDIT", held=0, spent=5)


@breaks("goodwill_is_posted")
async def goodwill_that_is_not_in_the_ledger(sound: Sound) -> str:
    reward_id = new_id()
    await sound.sql(
        "INSERT INTO rewards (brand_id, id, referrer_id, kind, amount, net_amount, used_amount, lapsed_amount, "
        "currency, status, frozen, granted_at, expires_at, code_id) SELECT brand_id, :id, referrer_id, 'none', "
        "500, 500, 0, 0, currency, 'granted', false, now(), now() + interval '1 day', NULL FROM rewards LIMIT 1",
        id=reward_id,
    )
    return public_id("rwd", reward_id)
