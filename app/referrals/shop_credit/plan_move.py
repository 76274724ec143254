"""Book what an account in a shop tells, and write down the next move before it is made."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.base.context import AppContext
from app.base.ids import new_id
from app.brands.models import Brand
from app.platforms.shop_credit import CreditEntry, CreditReport
from app.referrals.amount_rules import minor_of
from app.referrals.shop_credit.book import book_spent
from app.referrals.shop_credit.claim import LEASE, ClaimedCredit
from app.referrals.shop_credit.models import ShopCreditMove
from app.referrals.shop_credit.rules import (
    AccountState,
    Entry,
    Move,
    MoveKind,
    MoveState,
    NextMove,
    account_state_of,
    find_entry,
    foreign_part,
    keeps_ends,
    next_move,
)
from app.referrals.shop_credit.settle import settle
from app.referrals.spend import load_reserved, load_shares

KEPT_IN_SIGHT = timedelta(days=7)
"""How long an account is read back to a credit that has ended."""


@dataclass(frozen=True, slots=True)
class PlannedMove:
    """A move that is written down as open, and that the platform is called for now."""

    id: UUID
    move: NextMove
    account_id: str | None


async def load_moves(session: AsyncSession, brand_id: int, credit_id: UUID) -> list[Move]:
    """All moves of an account, the oldest first."""
    rows = await session.scalars(
        select(ShopCreditMove)
        .where(ShopCreditMove.brand_id == brand_id, ShopCreditMove.shop_credit_id == credit_id)
        .order_by(ShopCreditMove.id)
        .execution_options(populate_existing=True)
    )
    return [Move(*(getattr(row, name) for name in Move.__dataclass_fields__)) for row in rows]


async def find_oldest(session: AsyncSession, claimed: ClaimedCredit, *, now: datetime) -> str | None:
    """The entry back to which the account is to be read: of our first credit that matters still.

    None: all of it.
    """
    return await session.scalar(
        select(ShopCreditMove.remote_id)
        .where(
            ShopCreditMove.brand_id == claimed.shop.brand_id,
            ShopCreditMove.shop_credit_id == claimed.id,
            ShopCreditMove.kind == MoveKind.credit,
            ShopCreditMove.state == MoveState.done,
            ShopCreditMove.expires_at > now - KEPT_IN_SIGHT,
        )
        .order_by(ShopCreditMove.id)
        .limit(1)
    )


async def plan_move(
    session: AsyncSession,
    context: AppContext,
    brand: Brand,
    claimed: ClaimedCredit,
    report: CreditReport,
    *,
    now: datetime,
) -> PlannedMove | None:
    """Record a reading of the account; returns the move that is to be made next, if any.

    An open move of before is taken as made where the account shows it, else as not made. Where no
    move is needed the credit is settled. Raises `Ambiguous`, and `Superseded` where a later attempt
    was begun.
    """
    entries = [_entry(each, claimed.currency) for each in report.entries]
    moves = await _resolve(session, brand.id, claimed, entries, is_complete=report.is_complete, now=now)
    account = account_state_of(moves, entries, now=now)
    # The rewards first: they are locked before the credit.
    row = await book_spent(session, brand, claimed, account.spent, now=now)
    await _write_left(session, brand.id, moves, account)
    row.remote_id, row.held, row.read_at = report.account_id, account.held, now
    planned = await find_next(session, claimed, moves, account, now=now)
    if planned is None:
        await settle(session, context, brand, claimed, row, moves, now=now)
        return None
    newest = next((each.id for each in entries if each.id is not None), None)
    move = ShopCreditMove(
        brand_id=brand.id,
        id=new_id(),
        shop_credit_id=claimed.id,
        reward_id=planned.reward_id,
        kind=planned.kind,
        state=MoveState.open,
        amount=planned.amount,
        expires_at=planned.expires_at,
        after_id=newest,
        balance_before=minor_of(report.balance, claimed.currency),
        held_before=account.held,
        tried_at=now,
    )
    session.add(move)
    row.due_at = row.leased_until = now + LEASE
    await session.flush()
    return PlannedMove(move.id, planned, report.account_id)


async def find_next(
    session: AsyncSession,
    claimed: ClaimedCredit,
    moves: Sequence[Move],
    account: AccountState,
    *,
    now: datetime,
) -> NextMove | None:
    """The move that the rewards as they are now ask for; the credit's row is locked."""
    brand_id = claimed.shop.brand_id
    shares = await load_shares(session, brand_id, claimed.referrer_id, claimed.currency)
    reserved = await load_reserved(session, brand_id, claimed.referrer_id, claimed.currency)
    return next_move(shares, reserved, moves, account, now=now)


async def _resolve(
    session: AsyncSession,
    brand_id: int,
    claimed: ClaimedCredit,
    entries: Sequence[Entry],
    *,
    is_complete: bool,
    now: datetime,
) -> list[Move]:
    """The moves, once those whose outcome was not known are looked for in the account."""
    moves = await load_moves(session, brand_id, claimed.id)
    known = {each.remote_id for each in moves if each.remote_id is not None}
    exact, changed = keeps_ends(moves, entries), False
    for move in moves:
        is_late_credit = move.state is MoveState.dropped and move.expires_at is not None
        if move.state is not MoveState.open and not is_late_credit:
            continue
        found = find_entry(move, entries, known, exact=exact, complete=is_complete, now=now)
        if found is None and move.state is MoveState.dropped:
            continue
        values: dict[str, object] = {"state": MoveState.dropped}
        if found is not None and found.id is not None:
            known.add(found.id)
            values = {"state": MoveState.done, "remote_id": found.id}
            if move.expires_at is None:
                values["foreign_amount"] = foreign_part(move, found.balance_after)
        await write_move(session, brand_id, move.id, values)
        changed = True
    return await load_moves(session, brand_id, claimed.id) if changed else moves


async def write_move(session: AsyncSession, brand_id: int, move_id: UUID, values: dict[str, object]) -> None:
    """Set columns of one move; a move is never deleted."""
    await session.execute(
        update(ShopCreditMove)
        .where(ShopCreditMove.brand_id == brand_id, ShopCreditMove.id == move_id)
        .values(values)
        .execution_options(synchronize_session=False)
    )


async def _write_left(
    session: AsyncSession, brand_id: int, moves: Sequence[Move], account: AccountState
) -> None:
    for move in moves:
        left = account.left.get(move.id)
        if left is not None and left != move.left:
            await write_move(session, brand_id, move.id, {"left": left})


def _entry(given: CreditEntry, currency: str) -> Entry:
    return Entry(
        given.kind,
        minor_of(given.amount, currency),
        given.id,
        given.is_adjustment,
        minor_of(given.balance_after or given.amount * 0, currency),
        given.expires_at,
        minor_of(given.remaining or given.amount * 0, currency),
        given.credit_id,
    )
