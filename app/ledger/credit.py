"""Balances of credit: what each referrer may spend, kept beside the entries that add up to it."""

from collections.abc import Mapping
from uuid import UUID

from sqlalchemy import literal, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.base.batch import recordset
from app.ledger.models import CreditAccount

BalanceKey = tuple[UUID, str]
"""A referrer and a currency."""


async def change_balances(session: AsyncSession, brand_id: int, changes: Mapping[BalanceKey, int]) -> None:
    """Add to balances, in minor units; an account is made with its first change.

    Accounts are locked in one order, after any reward.
    """
    rows = [
        {"referrer_id": referrer_id, "currency": currency, "balance": amount}
        for (referrer_id, currency), amount in changes.items()
        if amount
    ]
    if not rows:
        return
    given = recordset(rows, [CreditAccount.referrer_id, CreditAccount.currency, CreditAccount.balance])
    statement = insert(CreditAccount).from_select(
        ["brand_id", "referrer_id", "currency", "balance", "reserved"],
        select(
            literal(brand_id), given.c.referrer_id, given.c.currency, given.c.balance, literal(0)
        ).order_by(given.c.referrer_id, given.c.currency),
        include_defaults=False,
    )
    await session.execute(
        statement.on_conflict_do_update(
            index_elements=["brand_id", "referrer_id", "currency"],
            set_={"balance": CreditAccount.balance + statement.excluded.balance},
        )
    )
