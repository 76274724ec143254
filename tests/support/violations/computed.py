"""Violations of the invariants that are computed, and of the words that the code knows."""

from datetime import timedelta

from app.base.ids import public_id
from app.brands.programme import Channel
from app.customers.models import Suppression
from app.customers.rules import SuppressionReason
from tests.support.factories.rows import START
from tests.support.violations.sound import Sound, breaks


@breaks("refunds_add_up")
async def a_refund_that_no_event_reported(sound: Sound) -> str:
    await sound.sql("UPDATE orders SET refunded = 10 WHERE id = :id", id=sound.response.order_id)
    return public_id("ord", sound.response.order_id)


@breaks("reward_follows_the_order", "rewards_are_posted", "credit_is_left_of_rewards")
async def a_reward_that_shrank_by_itself(sound: Sound) -> str:
    await sound.sql("UPDATE rewards SET net_amount = 999 WHERE redemption_id = :id", id=sound.approved.id)
    return public_id("rwd", await sound.reward_id())


@breaks("suppressed_get_nothing")
async def a_message_after_the_suppression(sound: Sound) -> str:
    message = await sound.sent_message()
    await sound.sql("UPDATE messages SET address = 'gone@example.com' WHERE id = :id", id=message.id)
    earlier = START - timedelta(days=1)
    sound.session.add(
        Suppression(
            brand_id=message.brand_id,
            channel=Channel.email,
            address_key=sound.context.tokens.address_key("gone@example.com"),
            reason=SuppressionReason.stopped,
            at=earlier,
            created_at=earlier,
        )
    )
    await sound.session.flush()
    return public_id("msg", message.id)


@breaks("words_are_known", "order_status_is_its_facts")
async def an_order_in_an_unknown_state(sound: Sound) -> str:
    await sound.sql("UPDATE orders SET status = 'vanished' WHERE id = :id", id=sound.response.order_id)
    return f"orders.status {sound.response.order_id}"


@breaks("words_are_known")
async def a_publication_in_an_unknown_state(sound: Sound) -> str:
    await sound.sql("UPDATE code_publications SET state = 'paused' WHERE code_id = :id", id=sound.code.id)
    return f"code_publications.state {sound.code.id} {sound.rows.shop.id}"


@breaks("order_is_its_facts", "order_status_is_its_facts")
async def an_arrival_that_nothing_reported(sound: Sound) -> str:
    await sound.sql("UPDATE orders SET delivered_at = now() WHERE id = :id", id=sound.response.order_id)
    return public_id("ord", sound.response.order_id)


@breaks("order_is_its_facts")
async def a_dispute_that_nothing_reported(sound: Sound) -> str:
    await sound.sql("UPDATE orders SET dispute = 'lost' WHERE id = :id", id=sound.response.order_id)
    return public_id("ord", sound.response.order_id)


@breaks("refunds_add_up")
async def a_refunded_order_that_kept_its_money(sound: Sound) -> str:
    await sound.sql("UPDATE orders SET refunded_wholly = true WHERE id = :id", id=sound.response.order_id)
    return public_id("ord", sound.response.order_id)
