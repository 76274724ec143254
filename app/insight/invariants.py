"""Check every invariant of the data, read-only."""

from collections import defaultdict
from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from app.base.db import allow_long_reading
from app.base.tokens import Tokens
from app.insight import (
    computed_invariants,
    consent_invariants,
    erasure_invariants,
    invariant_queries,
    ledger_invariants,
    reference_invariants,
    referral_invariants,
    reward_invariants,
    rollup_invariants,
    word_invariants,
)
from app.insight.invariant_types import ComputedInvariant, Invariant

MOST_ROWS = 100
"""Violating rows that are named for one invariant and brand at most."""

INVARIANTS: tuple[Invariant | ComputedInvariant, ...] = (
    *invariant_queries.INVARIANTS,
    *referral_invariants.INVARIANTS,
    *ledger_invariants.INVARIANTS,
    *consent_invariants.INVARIANTS,
    *reward_invariants.INVARIANTS,
    *erasure_invariants.INVARIANTS,
    *computed_invariants.INVARIANTS,
    *rollup_invariants.INVARIANTS,
    *reference_invariants.INVARIANTS,
    *word_invariants.INVARIANTS,
)
"""Every invariant; names are unique."""


@dataclass(frozen=True, slots=True)
class Violation:
    """An invariant that some rows of a brand violate.

    `rows` are ids as the API shows them, at most `MOST_ROWS`; for an unknown word and a reference
    to no row, the table, the column and the key.
    """

    name: str
    statement: str
    brand_id: int
    rows: list[str]


async def check(session: AsyncSession, tokens: Tokens) -> list[Violation]:
    """Every violation in every brand; empty where every invariant holds.

    In a session without a transaction it reads one snapshot of the database, read-only, so that it
    may run while everything else does.
    """
    if not session.in_transaction():
        await session.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY"))
    violations = []
    for invariant in INVARIANTS:
        rows: dict[int, list[str]] = defaultdict(list)
        for brand_id, row in await invariant.find(session, tokens):
            rows[brand_id].append(row)
        violations += [
            Violation(invariant.name, invariant.statement, brand_id, rows[brand_id][:MOST_ROWS])
            for brand_id in sorted(rows)
        ]
    return violations


async def check_brand(session: AsyncSession, tokens: Tokens, brand_id: int) -> list[Violation]:
    """Every violation in one brand; it may read for minutes."""
    await allow_long_reading(session)
    return [each for each in await check(session, tokens) if each.brand_id == brand_id]
