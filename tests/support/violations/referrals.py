"""Violations in codes, redemptions and referrers' figures."""

from app.base.ids import public_id
from app.referrals.figures import refresh_figures
from tests.support.constants import NOW
from tests.support.violations.sound import Sound, breaks


@breaks("uses_are_redemptions")
async def a_use_without_a_redemption(sound: Sound) -> str:
    await sound.sql("UPDATE codes SET uses = uses + 1 WHERE id = :id", id=sound.code.id)
    return public_id("cod", sound.code.id)


@breaks("uses_are_redemptions")
async def more_uses_than_allowed(sound: Sound) -> str:
    await sound.without("codes", "ck_codes_uses_within_max")
    await sound.sql("UPDATE codes SET max_uses = 0 WHERE id = :id", id=sound.code.id)
    return public_id("cod", sound.code.id)


@breaks("friend_code_is_its_parents", "codes_are_published")
async def a_friends_code_of_a_code_that_all_may_enter(sound: Sound) -> str:
    given = {"kind": "friend", "parent_id": str(sound.code.id), "uses": "0", "max_uses": "1"}
    code_id = await sound.copy("codes", sound.code.id, code="FRIEND", **given)
    return public_id("cod", code_id)


@breaks("one_active_code")
async def two_active_codes(sound: Sound) -> str:
    await sound.sql("DROP INDEX uq_codes_active_share")
    copy_id = await sound.copy("codes", sound.code.id, code="OTHER", uses="0")
    await sound.sql(
        "INSERT INTO code_publications (brand_id, code_id, shop_id, issued_id, code, terms_id, expires_at, state,"
        " urgent, attempt, trial) SELECT brand_id, :copy, shop_id, :copy, code, terms_id, expires_at, state, urgent,"
        " attempt, trial FROM code_publications WHERE code_id = :code",
        copy=copy_id,
        code=sound.code.id,
    )
    return public_id("ref", sound.code.referrer_id)


@breaks("one_active_code")
async def a_disabled_code_that_is_active(sound: Sound) -> str:
    await sound.sql("UPDATE codes SET disabled_at = now() WHERE id = :id", id=sound.code.id)
    return public_id("ref", sound.code.referrer_id)


@breaks("one_redemption_per_order")
async def a_redemption_of_another_referrers_code(sound: Sound) -> str:
    other = await sound.rows.answer(9)
    code = await sound.rows.code(other.customer_id, other.survey_id)
    await sound.sql(
        "UPDATE redemptions SET referrer_id = :other WHERE id = :id",
        other=code.referrer_id,
        id=sound.approved.id,
    )
    return public_id("red", sound.approved.id)


@breaks("no_own_order")
async def a_reward_for_an_own_order(sound: Sound) -> str:
    await sound.sql(
        "UPDATE redemptions SET friend_id = :me WHERE id = :id",
        me=sound.response.customer_id,
        id=sound.approved.id,
    )
    return public_id("red", sound.approved.id)


@breaks("redemption_is_of_its_orders_shop")
async def a_redemption_of_another_shop(sound: Sound) -> str:
    await sound.sql("UPDATE redemptions SET shop_id = gen_random_uuid() WHERE id = :id", id=sound.refused.id)
    return public_id("red", sound.refused.id)


@breaks("refusal_has_known_reason")
async def a_refusal_for_an_unknown_reason(sound: Sound) -> str:
    await sound.sql("UPDATE redemptions SET reason = 'because' WHERE id = :id", id=sound.refused.id)
    return public_id("red", sound.refused.id)


@breaks(
    "undone_order_earns_nothing",
    "discounts_are_posted",
    "order_status_is_its_facts",
    "reward_follows_the_order",
)
async def a_cancelled_order_that_counts(sound: Sound) -> str:
    await sound.sql("UPDATE orders SET cancelled_at = now() WHERE id = :id", id=sound.approved.order_id)
    return public_id("red", sound.approved.id)


@breaks("approved_is_rewarded", "rewards_are_posted", "credit_is_in_the_ledger", "credit_is_left_of_rewards")
async def a_redemption_without_its_reward(sound: Sound) -> str:
    await sound.sql("DELETE FROM rewards WHERE redemption_id = :id", id=sound.approved.id)
    return public_id("red", sound.approved.id)


@breaks("only_approved_is_rewarded", "reward_status_is_its_facts")
async def a_pending_reward_of_an_approved_redemption(sound: Sound) -> str:
    await sound.sql("UPDATE rewards SET status = 'pending' WHERE redemption_id = :id", id=sound.approved.id)
    return public_id("red", sound.approved.id)


@breaks("only_approved_is_rewarded", "reward_follows_the_order", "reward_status_is_its_facts")
async def a_granted_reward_of_a_reversed_redemption(sound: Sound) -> str:
    await sound.sql("UPDATE redemptions SET status = 'reversed' WHERE id = :id", id=sound.approved.id)
    return public_id("red", sound.approved.id)


@breaks("codes_are_published", "offers_are_of_live_codes")
async def a_code_without_a_publication(sound: Sound) -> str:
    await sound.sql("DELETE FROM code_publications WHERE code_id = :id", id=sound.code.id)
    return public_id("cod", sound.code.id)


@breaks("refund_reverses_only_what_is_gone", "rewards_are_posted", "credit_is_left_of_rewards")
async def a_reversal_by_a_refund_that_was_none(sound: Sound) -> str:
    await sound.sql(
        "UPDATE redemptions SET status = 'reversed', reason = 'refunded' WHERE id = :id", id=sound.approved.id
    )
    await sound.sql(
        "UPDATE rewards SET status = 'reversed', net_amount = 0 WHERE redemption_id = :id",
        id=sound.approved.id,
    )
    return public_id("red", sound.approved.id)


@breaks("offers_are_of_live_codes")
async def an_offer_of_a_code_that_was_never_live(sound: Sound) -> str:
    await sound.sql(
        "UPDATE code_publications SET live_at = NULL, state = 'wanted', due_at = now() WHERE code_id = :id",
        id=sound.code.id,
    )
    found = await sound.value("SELECT id FROM messages WHERE subject_id = :id", id=sound.code.id)
    return public_id("msg", found)


@breaks("publications_go_on")
async def a_publication_that_nobody_goes_on_with(sound: Sound) -> str:
    await sound.sql("UPDATE code_publications SET state = 'revoking' WHERE code_id = :id", id=sound.code.id)
    return public_id("cod", sound.code.id)


@breaks("disabled_codes_leave_the_shop")
async def a_disabled_code_that_works_in_the_shop(sound: Sound) -> str:
    await sound.sql("UPDATE codes SET disabled_at = now(), active = false WHERE id = :id", id=sound.code.id)
    await sound.sql("UPDATE code_publications SET attempt = 1 WHERE code_id = :id", id=sound.code.id)
    return public_id("cod", sound.code.id)


@breaks("pooled_codes_are_nobodys")
async def an_issued_code_that_is_still_in_the_pool(sound: Sound) -> str:
    await sound.sql("UPDATE code_publications SET issued_id = NULL WHERE code_id = :id", id=sound.code.id)
    return public_id("cod", sound.code.id)


@breaks("referrer_figures_are_sums")
async def a_figure_that_nobody_computed(sound: Sound) -> str:
    brand_id = sound.rows.brand.id
    await refresh_figures(sound.session, brand_id, now=NOW)
    await refresh_figures(sound.session, brand_id, now=NOW)
    await sound.sql("UPDATE referrer_figures SET revenue = revenue + 1 WHERE span = 'all'")
    return public_id("ref", sound.code.referrer_id)
