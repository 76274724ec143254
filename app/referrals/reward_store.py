"""Write the outcome of rewards: their rows, the ledger and balances of credit, always together."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Self
from uuid import UUID

from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm.attributes import set_committed_value

from app.base.batch import as_row, recordset
from app.base.ids import new_id
from app.brands.models import Brand
from app.brands.programme import RewardKind
from app.ledger.credit import BalanceKey, change_balances
from app.ledger.post import LedgerTransaction, post_entries
from app.ledger.rules import CauseKind, LedgerAccount
from app.referrals.placing.placements import place_again
from app.referrals.reward_models import Reward
from app.referrals.reward_rules import RewardFacts, lapsed_amount, reward_status
from app.referrals.shop_credit.holdings import credit_again


@dataclass(frozen=True, slots=True)
class RewardValues:
    """The columns of a reward that are set; its status and `lapsed_amount` follow from them."""

    amount: int
    net_amount: int
    used_amount: int
    granted_at: datetime | None
    expires_at: datetime | None
    expired_at: datetime | None
    used_at: datetime | None
    used_order_id: UUID | None
    code_id: UUID | None
    frozen: bool

    @classmethod
    def of(cls, reward: Reward) -> Self:
        """The values as they are stored."""
        return cls(*(getattr(reward, name) for name in cls.__dataclass_fields__))


@dataclass(frozen=True, slots=True)
class RewardChange:
    """A reward as it is stored, locked, and what it becomes.

    `counts`: whether its redemption counts. `posts_use`: whether what is used is posted for this
    reward; not so for a spending of credit, which is one transaction over several rewards.
    """

    reward: Reward
    values: RewardValues
    counts: bool
    posts_use: bool = True

    @property
    def facts(self) -> RewardFacts:
        """What its status follows from."""
        values = self.values
        return RewardFacts(
            kind=self.reward.kind,
            counts=self.counts,
            granted=values.granted_at is not None,
            amount=values.amount,
            net=values.net_amount,
            used=values.used_amount,
            was_used=values.used_at is not None,
            expired=values.expired_at is not None,
        )


_WRITTEN = [
    Reward.id,
    Reward.amount,
    Reward.net_amount,
    Reward.used_amount,
    Reward.granted_at,
    Reward.expires_at,
    Reward.expired_at,
    Reward.used_at,
    Reward.used_order_id,
    Reward.code_id,
    Reward.frozen,
    Reward.status,
    Reward.lapsed_amount,
]


async def store_rewards(
    session: AsyncSession, brand: Brand, changes: Sequence[RewardChange], *, now: datetime
) -> None:
    """Write these rewards where they change, post the differences and update balances of credit.

    The caller holds the locks of the rows, so nothing is posted twice. The given rows are current
    afterwards.
    """
    rows, posted, balances = [], [], Counter[BalanceKey]()
    for change in changes:
        reward, facts = change.reward, change.facts
        row = as_row(change.values)
        row |= {"status": reward_status(facts), "lapsed_amount": lapsed_amount(facts)}
        if all(getattr(reward, name) == value for name, value in row.items()):
            continue
        rows.append({"id": reward.id, **row})
        before, after = _stored_amounts(reward), _Amounts.after(facts)
        posted += _transactions(change, before, after, now=now)
        if reward.kind is RewardKind.credit:
            balances[reward.referrer_id, reward.currency] += after.open - before.open
        for name, value in row.items():
            set_committed_value(reward, name, value)
    if not rows:
        return
    given = recordset(rows, _WRITTEN)
    written = {row["id"] for row in rows}
    await session.execute(
        update(Reward)
        .where(Reward.brand_id == brand.id, Reward.id == given.c.id)
        .values({column.key: given.c[column.key] for column in _WRITTEN[1:]})
        .execution_options(synchronize_session=False)
    )
    await post_entries(session, brand, posted, now=now)
    own = [change.reward.id for change in changes if change.reward.id in written and change.values.code_id]
    await place_again(session, brand.id, own, now=now)
    await change_balances(session, brand.id, balances)
    # After the balances, which a reservation locks first.
    await credit_again(session, brand.id, set(balances), now=now)


@dataclass(frozen=True, slots=True)
class _Amounts:
    """What a reward cost, what was spent of it and what lapsed; all 0 before it is granted."""

    cost: int
    used: int
    lapsed: int

    @property
    def open(self) -> int:
        """What is owed: positive while it can be spent, negative where too much was."""
        return self.cost - self.used - self.lapsed

    @classmethod
    def after(cls, facts: RewardFacts) -> Self:
        """What the facts leave."""
        return cls(facts.net, facts.used, lapsed_amount(facts)) if facts.granted else cls(0, 0, 0)


def _stored_amounts(reward: Reward) -> _Amounts:
    if reward.granted_at is None:
        return _Amounts(0, 0, 0)
    return _Amounts(reward.net_amount, reward.used_amount, reward.lapsed_amount)


def _transactions(
    change: RewardChange, before: _Amounts, after: _Amounts, *, now: datetime
) -> list[LedgerTransaction]:
    cost, referrers = LedgerAccount.reward_cost, LedgerAccount.referrers
    used = after.used - before.used if change.posts_use else 0
    lapsed = after.lapsed - before.lapsed
    return [
        _transaction(change.reward, cost, referrers, after.cost - before.cost, is_grant=True, now=now),
        _transaction(change.reward, referrers, LedgerAccount.spent_rewards, used, now=now),
        _transaction(change.reward, referrers, LedgerAccount.lapsed_rewards, lapsed, now=now),
    ]


def _transaction(
    reward: Reward,
    account: LedgerAccount,
    other: LedgerAccount,
    amount: int,
    *,
    is_grant: bool = False,
    now: datetime,
) -> LedgerTransaction:
    kind, cause_id = CauseKind.reward, reward.id
    if is_grant and reward.redemption_id is not None:
        kind, cause_id = CauseKind.redemption, reward.redemption_id
    elif is_grant:
        kind = CauseKind.adjustment if amount > 0 else CauseKind.withdrawal
    return reward_transaction(reward, account, other, amount, (kind, cause_id), now=now)


def reward_transaction(
    reward: Reward,
    account: LedgerAccount,
    other: LedgerAccount,
    amount: int,
    cause: tuple[CauseKind, UUID],
    *,
    now: datetime,
) -> LedgerTransaction:
    """An amount of a locked reward, in minor units, from one account to the other."""
    return LedgerTransaction(
        # What is posted follows from the stored row, which is locked: never twice.
        key=f"reward:{reward.id}:{new_id()}",
        account=account,
        other=other,
        amount=amount,
        currency=reward.currency,
        cause_kind=cause[0],
        cause_id=cause[1],
        referrer_id=reward.referrer_id,
        occurred_at=now,
    )
