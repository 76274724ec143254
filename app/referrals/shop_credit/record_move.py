"""Record the outcome of a move between us and a customer's account in a shop."""

from dataclasses import replace
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from app.base.context import AppContext
from app.base.errors import Outcome, OutsideError
from app.brands.models import Brand
from app.platforms.shop_credit import MovedCredit
from app.referrals.amount_rules import minor_of
from app.referrals.shop_credit.book import lock_credit
from app.referrals.shop_credit.claim import ClaimedCredit
from app.referrals.shop_credit.plan_move import PlannedMove, find_next, load_moves, write_move
from app.referrals.shop_credit.rules import MoveKind, MoveState, account_state_of, foreign_part
from app.referrals.shop_credit.settle import defer, settle


async def record_move(
    session: AsyncSession,
    context: AppContext,
    brand: Brand,
    claimed: ClaimedCredit,
    planned: PlannedMove,
    made: MovedCredit,
    *,
    now: datetime,
) -> None:
    """The move was made: settle the credit, or have it taken up at once where more is to be done.

    Raises `Superseded`; then the next reading finds the move in the account.
    """
    row = await lock_credit(session, claimed)
    [stored] = [each for each in await load_moves(session, brand.id, claimed.id) if each.id == planned.id]
    done: dict[str, object] = {"state": MoveState.done, "remote_id": made.entry_id}
    match stored.kind:
        case MoveKind.debit:
            balance = minor_of(made.balance_after, claimed.currency)
            done["foreign_amount"] = foreign_part(stored, balance)
        case MoveKind.credit:
            done["left"] = stored.amount
        case MoveKind.restore:
            pass
    await write_move(session, brand.id, planned.id, done)
    moves = await load_moves(session, brand.id, claimed.id)
    account = account_state_of(moves, (), now=now)
    if stored.kind is MoveKind.debit:
        # What is left of each credit is known with the next reading alone.
        left = max(0, (stored.held_before or 0) - stored.amount)
        account = replace(account, held=left)
    row.remote_id, row.held = made.account_id, account.held
    if await find_next(session, claimed, moves, account, now=now) is None:
        await settle(session, context, brand, claimed, row, moves, now=now)
    else:
        row.due_at, row.leased_until, row.reason = now, None, None


async def record_failure(
    session: AsyncSession,
    brand: Brand,
    claimed: ClaimedCredit,
    error: OutsideError,
    planned: PlannedMove | None = None,
    *,
    now: datetime,
) -> None:
    """A call failed: try again later. A move that was refused certainly was not made.

    Raises `Superseded`.
    """
    row = await lock_credit(session, claimed)
    if planned is not None and error.outcome is Outcome.refused:
        await write_move(session, brand.id, planned.id, {"state": MoveState.dropped})
    defer(row, error, now=now)
