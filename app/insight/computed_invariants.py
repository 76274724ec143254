"""The invariants that need money arithmetic or address keys: refunds, rewards, suppressions."""

from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession

from app.base import money
from app.base.tokens import Tokens
from app.brands.terms import Terms
from app.customers.models import Suppression
from app.insight.invariant_types import ComputedInvariant, ViolatingRow, shown_rows, stream_rows
from app.referrals.amount_rules import is_undone, minor_of, net_reward

_GRACE = timedelta(minutes=1)
"""A message may have been claimed just before its address was suppressed."""


async def _find_refunds(session: AsyncSession, _tokens: Tokens) -> list[ViolatingRow]:
    query = """
        SELECT orders.brand_id, orders.id, orders.currency, orders.refunded,
            coalesce(sum(order_facts.amount), 0) AS reported
        FROM orders LEFT JOIN order_facts ON order_facts.brand_id = orders.brand_id
            AND order_facts.shop_id = orders.shop_id
            AND order_facts.order_external_id = orders.external_id AND order_facts.kind = 'refunded'
        GROUP BY orders.brand_id, orders.id HAVING orders.refunded <> 0 OR count(order_facts.id) > 0
    """
    violating = {
        (row.brand_id, row.id)
        async for row in stream_rows(session, query)
        if not _is_sum(row.reported, row.refunded, row.currency)
    }
    return shown_rows("ord", violating)


def _is_sum(reported: Decimal, refunded: int, currency: str) -> bool:
    return reported.scaleb(money.exponent(currency)) == refunded


async def _find_rewards(session: AsyncSession, _tokens: Tokens) -> list[ViolatingRow]:
    terms: dict[tuple[int, UUID], Terms] = {}
    for row in await session.execute(text("SELECT brand_id, id, offer, reward FROM terms")):
        terms[row.brand_id, row.id] = Terms.model_validate({"offer": row.offer, "reward": row.reward})
    query = """
        SELECT rewards.brand_id, rewards.id, rewards.amount, rewards.net_amount,
            redemptions.status, redemptions.terms_id,
            orders.total, orders.refunded, orders.currency, orders.cancelled_at IS NOT NULL AS cancelled
        FROM rewards JOIN redemptions ON redemptions.brand_id = rewards.brand_id
            AND redemptions.id = rewards.redemption_id
        JOIN orders ON orders.brand_id = redemptions.brand_id AND orders.id = redemptions.order_id
    """
    violating = {
        (row.brand_id, row.id)
        async for row in stream_rows(session, query)
        if row.net_amount != _net(row, terms[row.brand_id, row.terms_id])
    }
    return shown_rows("rwd", violating)


def _net(row: Any, terms: Terms) -> int:
    """The rest of a reward after the order's refunds; 0 for a redemption that does not count."""
    if row.status not in ("pending", "in_review", "approved") or is_undone(
        row.total, row.refunded, cancelled=row.cancelled
    ):
        return 0
    minimum = terms.offer.minimum_subtotal
    return net_reward(
        row.amount,
        row.total,
        row.refunded,
        cancelled=row.cancelled,
        how=terms.reward.partial_refund,
        minimum=None if minimum is None else minor_of(minimum, row.currency),
    )


async def _find_sent_to_suppressed(session: AsyncSession, tokens: Tokens) -> list[ViolatingRow]:
    suppressions = await session.execute(
        select(Suppression.brand_id, Suppression.channel, Suppression.address_key, Suppression.created_at)
    )
    until = {
        (row.brand_id, str(row.channel), bytes(row.address_key)): row.created_at + _GRACE
        for row in suppressions
    }
    if not until:
        return []
    query = """
        SELECT messages.brand_id, messages.id, messages.channel, messages.address,
            max(attempts.created_at) AS attempted_at
        FROM messages JOIN attempts ON attempts.brand_id = messages.brand_id
            AND attempts.message_id = messages.id AND attempts.status = 'accepted'
        WHERE messages.address IS NOT NULL AND messages.brand_id IN (SELECT brand_id FROM suppressions)
        GROUP BY messages.brand_id, messages.id
    """
    violating = set()
    async for row in stream_rows(session, query):
        end = until.get((row.brand_id, row.channel, tokens.address_key(row.address)))
        if end is not None and row.attempted_at > end:
            violating.add((row.brand_id, row.id))
    return shown_rows("msg", violating)


INVARIANTS = (
    ComputedInvariant(
        "refunds_add_up", "what was refunded of an order is the sum of its refunds", _find_refunds
    ),
    ComputedInvariant(
        "reward_follows_the_order",
        "what is left of a reward is what its terms and the order's refunds leave",
        _find_rewards,
    ),
    ComputedInvariant(
        "suppressed_get_nothing",
        "no message goes to an address after it was suppressed",
        _find_sent_to_suppressed,
    ),
)
