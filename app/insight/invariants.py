"""Check every promise of the data, read-only: those of `promises` by a query each, a few more that need our own arithmetic."""

from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from app.base import money
from app.base.ids import public_id
from app.base.tokens import Tokens
from app.brands.terms import Terms
from app.insight.invariant_queries import INVARIANT_QUERIES, Invariant
from app.referrals.rules import is_undone, minor_of, net_reward

MOST_ROWS = 100
"""Offending rows named for one promise and brand."""
GRACE = "1 minute"
"""A sending that was claimed just before its address was suppressed."""


@dataclass(frozen=True, slots=True)
class Violation:
    """A promise that some rows of a brand break.

    `rows` are ids as the API shows them, at most `MOST_ROWS`.
    """

    name: str
    promise: str
    brand_id: int
    rows: list[str]


ViolatingRow = tuple[int, UUID]
"""Brand and row."""


@dataclass(frozen=True, slots=True)
class ComputedInvariant:
    """A promise that no single query can check."""

    name: str
    said: str
    prefix: str
    find: Callable[[AsyncSession, Tokens], Awaitable[list[ViolatingRow]]]


async def check(session: AsyncSession, tokens: Tokens) -> list[Violation]:
    """Every broken promise of every brand; none where all is well.

    Looks at one moment of the database and may run beside everything else: in a fresh session it
    reads one snapshot, read-only.
    """
    if not session.in_transaction():
        await session.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY"))
    broken = []
    for rule in RULES:
        violating = await (
            _queried(session, rule) if isinstance(rule, Invariant) else rule.find(session, tokens)
        )
        rows: dict[int, list[str]] = defaultdict(list)
        for brand_id, row in sorted(violating):
            rows[brand_id].append(public_id(rule.prefix, row))
        broken += [
            Violation(rule.name, rule.said, brand_id, ids[:MOST_ROWS]) for brand_id, ids in rows.items()
        ]
    return broken


async def _queried(session: AsyncSession, promise: Invariant) -> list[ViolatingRow]:
    return [(row.brand_id, row.row) for row in await session.execute(text(promise.query))]


async def _stream(session: AsyncSession, query: str) -> AsyncIterator[Any]:
    found = await session.stream(text(query), execution_options={"yield_per": 1000})
    async for row in found:
        yield row


async def _refunds_add_up(session: AsyncSession, _tokens: Tokens) -> list[ViolatingRow]:
    query = """
        SELECT o.brand_id, o.id, o.currency, o.refunded, coalesce(sum(f.amount), 0) AS told FROM orders o
        LEFT JOIN order_facts f ON f.brand_id = o.brand_id AND f.shop_id = o.shop_id
            AND f.order_external_id = o.external_id AND f.kind = 'refunded'
        GROUP BY o.brand_id, o.id HAVING o.refunded <> 0 OR count(f.id) > 0
    """
    return [
        (row.brand_id, row.id)
        async for row in _stream(session, query)
        if not _is_sum(row.told, row.refunded, row.currency)
    ]


def _is_sum(told: Decimal, refunded: int, currency: str) -> bool:
    return told.scaleb(money.exponent(currency)) == refunded


async def _rewards_follow_the_order(session: AsyncSession, _tokens: Tokens) -> list[ViolatingRow]:
    terms: dict[tuple[int, UUID], Terms] = {}
    for row in await session.execute(text("SELECT brand_id, id, offer, reward FROM terms")):
        terms[row.brand_id, row.id] = Terms.model_validate({"offer": row.offer, "reward": row.reward})
    query = """
        SELECT w.brand_id, w.id, w.amount, w.net_amount, d.status, d.terms_id,
            o.total, o.refunded, o.currency, o.cancelled_at IS NOT NULL AS cancelled
        FROM rewards w JOIN redemptions d ON d.brand_id = w.brand_id AND d.id = w.redemption_id
        JOIN orders o ON o.brand_id = d.brand_id AND o.id = d.order_id
    """
    return [
        (row.brand_id, row.id)
        async for row in _stream(session, query)
        if row.net_amount != _net(row, terms[row.brand_id, row.terms_id])
    ]


def _net(row: Any, terms: Terms) -> int:
    """What the order's facts leave of a reward; 0 for a redemption that does not count."""
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


async def _suppressed_get_nothing(session: AsyncSession, tokens: Tokens) -> list[ViolatingRow]:
    since = {
        (row.brand_id, row.channel, bytes(row.address_key)): row.until
        for row in await session.execute(
            text(
                f"SELECT brand_id, channel, address_key, created_at + interval '{GRACE}' AS until FROM suppressions"
            )
        )
    }
    if not since:
        return []
    query = """
        SELECT m.brand_id, m.id, m.channel, m.address, max(a.created_at) AS tried FROM messages m
        JOIN attempts a ON a.brand_id = m.brand_id AND a.message_id = m.id AND a.status = 'accepted'
        WHERE m.address IS NOT NULL AND m.brand_id IN (SELECT brand_id FROM suppressions)
        GROUP BY m.brand_id, m.id
    """
    violating = []
    async for row in _stream(session, query):
        until = since.get((row.brand_id, row.channel, tokens.address_key(row.address)))
        if until is not None and row.tried > until:
            violating.append((row.brand_id, row.id))
    return violating


RULES: tuple[Invariant | ComputedInvariant, ...] = (
    *INVARIANT_QUERIES,
    ComputedInvariant(
        "refunds_add_up", "what was refunded of an order is the sum of its refunds", "ord", _refunds_add_up
    ),
    ComputedInvariant(
        "reward_follows_the_order",
        "what is left of a reward is what its terms and the order's refunds leave",
        "rwd",
        _rewards_follow_the_order,
    ),
    ComputedInvariant(
        "suppressed_get_nothing",
        "nothing goes to an address after it was suppressed",
        "msg",
        _suppressed_get_nothing,
    ),
)
