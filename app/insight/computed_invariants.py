"""The invariants that need money arithmetic or address keys: refunds, rewards, suppressions."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession

from app.base.tokens import Tokens
from app.brands.terms import Terms
from app.customers.models import Suppression
from app.insight.invariant_types import ComputedInvariant, ViolatingRow, shown_rows, stream_rows
from app.orders.facts_rules import FactKind, ReportedFact
from app.orders.parcel_rules import count_pieces
from app.orders.rules import OrderMoney, fold, refund_minor
from app.platforms.events import DisputeStatus
from app.referrals.amount_rules import reward_for, reward_left, reward_value

_GRACE = timedelta(minutes=1)
"""A message may have been claimed just before its address was suppressed."""


async def _find_refunds(session: AsyncSession, _tokens: Tokens) -> list[ViolatingRow]:
    query = """
        SELECT orders.brand_id, orders.id, orders.currency, orders.total, orders.refunded,
            orders.refunded_shipping, orders.refunded_wholly,
            greatest(
                coalesce(sum(order_facts.amount) FILTER (WHERE order_facts.key <> ''), 0),
                coalesce(max(order_facts.amount) FILTER (WHERE order_facts.key = ''), 0)
            ) AS reported,
            coalesce(sum(order_facts.shipping), 0) AS reported_shipping
        FROM orders LEFT JOIN order_facts ON order_facts.brand_id = orders.brand_id
            AND order_facts.shop_id = orders.shop_id
            AND order_facts.order_external_id = orders.external_id AND order_facts.kind = 'refunded'
            AND NOT EXISTS (
                SELECT 1 FROM order_facts AS deleted
                WHERE deleted.brand_id = order_facts.brand_id AND deleted.shop_id = order_facts.shop_id
                    AND deleted.order_external_id = order_facts.order_external_id
                    AND deleted.kind = 'refund_deleted' AND deleted.key = order_facts.key
            )
        GROUP BY orders.brand_id, orders.id
        HAVING orders.refunded <> 0 OR orders.refunded_wholly OR count(order_facts.id) > 0
    """
    violating = {(row.brand_id, row.id) async for row in stream_rows(session, query) if not _adds_up(row)}
    return shown_rows("ord", violating)


def _adds_up(row: Any) -> bool:
    refunded = refund_minor(row.reported, row.currency)
    if row.refunded_wholly:
        refunded = max(refunded, row.total)
    shipping = min(refund_minor(row.reported_shipping, row.currency), refunded)
    return (row.refunded, row.refunded_shipping) == (refunded, shipping)


async def _find_states(session: AsyncSession, _tokens: Tokens) -> list[ViolatingRow]:
    query = """
        SELECT orders.brand_id, orders.id, orders.currency, orders.items, orders.fulfilled_at,
            orders.delivered_at, orders.cancelled_at, orders.dispute, orders.stood_at,
            jsonb_agg(to_jsonb(order_facts)) FILTER (WHERE order_facts.id IS NOT NULL) AS facts
        FROM orders LEFT JOIN order_facts ON order_facts.brand_id = orders.brand_id
            AND order_facts.shop_id = orders.shop_id
            AND order_facts.order_external_id = orders.external_id
        GROUP BY orders.brand_id, orders.id
        HAVING count(order_facts.id) > 0 OR orders.fulfilled_at IS NOT NULL
            OR orders.delivered_at IS NOT NULL OR orders.dispute IS NOT NULL
    """
    violating = {(row.brand_id, row.id) async for row in stream_rows(session, query) if not _is_fold(row)}
    return shown_rows("ord", violating)


def _is_fold(row: Any) -> bool:
    """Whether what happened to an order is what its facts add up to."""
    known = row.facts or []
    if any(fact["kind"] not in set(FactKind) for fact in known):
        return False
    pieces = count_pieces(row.items)
    state = fold(map(_fact, known), total=0, currency=row.currency, pieces=pieces, stood_at=row.stood_at)
    found = (state.fulfilled_at, state.delivered_at, state.cancelled_at, state.dispute)
    return found == (row.fulfilled_at, row.delivered_at, row.cancelled_at, row.dispute)


def _fact(row: Mapping[str, Any]) -> ReportedFact:
    quantity = row["quantity"]
    return ReportedFact(
        FactKind(row["kind"]),
        datetime.fromisoformat(row["at"]),
        row["key"],
        dispute=None if row["dispute"] is None else DisputeStatus(row["dispute"]),
        quantity=None if quantity is None else Decimal(str(quantity)),
    )


async def _find_rewards(session: AsyncSession, _tokens: Tokens) -> list[ViolatingRow]:
    terms: dict[tuple[int, UUID], Terms] = {}
    for row in await session.execute(text("SELECT brand_id, id, offer, reward FROM terms")):
        terms[row.brand_id, row.id] = Terms.model_validate({"offer": row.offer, "reward": row.reward})
    query = """
        SELECT rewards.brand_id, rewards.id, rewards.amount, rewards.net_amount,
            rewards.currency AS reward_currency, rewards.reason,
            redemptions.status, redemptions.terms_id,
            orders.total, orders.shipping_total, orders.refunded, orders.refunded_shipping,
            orders.currency, orders.cancelled_at IS NOT NULL AS cancelled
        FROM rewards JOIN redemptions ON redemptions.brand_id = rewards.brand_id
            AND redemptions.id = rewards.redemption_id
        JOIN orders ON orders.brand_id = redemptions.brand_id AND orders.id = redemptions.order_id
    """
    violating = {
        (row.brand_id, row.id)
        async for row in stream_rows(session, query)
        if (row.amount, row.net_amount) != _amounts(row, terms[row.brand_id, row.terms_id])
    }
    return shown_rows("rwd", violating)


def _amounts(row: Any, terms: Terms) -> tuple[int, int]:
    """What a reward is, and what the order's facts leave of it.

    Nothing is left for a redemption that does not count.
    """
    order = OrderMoney(
        row.total, row.shipping_total, row.refunded, row.refunded_shipping, cancelled=row.cancelled
    )
    value = 0 if row.reason else reward_value(terms.reward, row.reward_currency)
    currencies = {"currency": row.currency, "reward_currency": row.reward_currency}
    amount = reward_for(value, order, **currencies)
    if row.status not in ("pending", "in_review", "approved"):
        return amount, 0
    return amount, reward_left(amount, order, terms.reward, terms.offer, **currencies)


async def _find_sent_to_suppressed(session: AsyncSession, tokens: Tokens) -> list[ViolatingRow]:
    suppressions = await session.execute(
        select(Suppression.brand_id, Suppression.channel, Suppression.address_key, Suppression.created_at)
        .where(Suppression.lifted_at.is_(None))
        .order_by(Suppression.created_at.desc())
    )
    # Of several reasons the first counts: it comes last here.
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
        "order_is_its_facts",
        "when an order was sent, arrived, cancelled or disputed follows from its facts",
        _find_states,
    ),
    ComputedInvariant(
        "reward_follows_the_order",
        "a reward is what its terms give for the order's worth, less what refunds leave",
        _find_rewards,
    ),
    ComputedInvariant(
        "suppressed_get_nothing",
        "no message goes to an address after it was suppressed",
        _find_sent_to_suppressed,
    ),
)
