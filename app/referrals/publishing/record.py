"""Record what a call said about the codes of a claim, and announce those that are live now."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import case, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.base import due
from app.base.batch import as_row, in_ids, recordset
from app.base.context import AppContext
from app.base.errors import Fault
from app.platforms.discounts import NotSent
from app.platforms.models import ShopConnection
from app.referrals.announce_live import announce_live
from app.referrals.erase import surrogate_of
from app.referrals.publishing.call import CallOutcome
from app.referrals.publishing.claim import Claim
from app.referrals.publishing.locks import lock_publications
from app.referrals.publishing.models import PUBLISHING_SWEEPS, CodePublication, ShopDiscount, ShopPublishing
from app.referrals.publishing.rules import NextState, next_state, pause_after, wait_after
from app.referrals.rules import PublicationState

_MOVED = "The shop was connected to another account meanwhile."


async def record(
    session: AsyncSession, context: AppContext, claim: Claim, outcome: CallOutcome, *, now: datetime
) -> None:
    """Write the outcome of the claim's call, and queue the offers of codes that are live now.

    An outcome counts only where no later attempt was begun. A code that was revoked meanwhile stays
    to be revoked, and one that was put into another account than the shop has now is to be put
    there. Codes of one offer message are live before it exists, in the same commit.
    """
    await _record_shop(session, claim, outcome, now=now)
    has_moved = await _has_moved(session, claim)
    if has_moved:
        outcome = CallOutcome([NotSent(_MOVED)] * len(claim.codes), outcome.left)
    changes_discount = claim.makes_discount or (
        claim.discount is not None and outcome.discount_id != claim.discount.remote_id
    )
    if changes_discount and not claim.revoking and not has_moved:
        await _record_discount(session, claim, outcome)
    await _lock_codes(session, claim)
    if claim.revoking:
        await _record_revoked(session, claim, outcome, now=now)
        return
    states = [
        next_state(result, attempt=each.attempt, is_shown=each.is_shown, now=now)
        for each, result in zip(claim.codes, outcome.results, strict=True)
    ]
    live = await _record_published(session, claim, states, now=now)
    await announce_live(session, context, claim.brand_id, claim.shop, live, now=now)


async def _has_moved(session: AsyncSession, claim: Claim) -> bool:
    """Whether the shop is connected to another account than the platform was called for."""
    if claim.connection is None:
        return False
    account = await session.scalar(
        select(ShopConnection.account).where(
            ShopConnection.brand_id == claim.brand_id, ShopConnection.shop_id == claim.shop.id
        )
    )
    return account is not None and account != claim.connection.account


async def _lock_codes(session: AsyncSession, claim: Claim) -> None:
    await lock_publications(
        session,
        CodePublication.brand_id == claim.brand_id,
        CodePublication.shop_id == claim.shop.id,
        in_ids(CodePublication.code_id, [each.code_id for each in claim.codes]),
    )


async def _record_published(
    session: AsyncSession, claim: Claim, states: Sequence[NextState], *, now: datetime
) -> list[UUID]:
    """Write the states; returns the codes that are live for the first time."""
    rows = [
        {"code_id": each.code_id, "attempt": each.attempt, **as_row(state)}
        for each, state in zip(claim.codes, states, strict=True)
    ]
    table = CodePublication
    columns = (table.state, table.due_at, table.remote_id, table.job, table.reason)
    given = recordset(rows, (table.code_id, table.attempt, *columns)).c
    is_sending = table.state == PublicationState.sending
    is_live = given.state == PublicationState.live
    # Without a connection a code counts without being in the shop.
    attempt = table.attempt if claim.connection else 0
    changed = await session.execute(
        update(table)
        .values(
            state=case((is_sending, given.state), else_=table.state),
            due_at=case((is_sending, given.due_at), else_=func.least(table.due_at, now)),
            remote_id=func.coalesce(given.remote_id, table.remote_id),
            job=given.job,
            reason=given.reason,
            attempt=attempt,
            live_at=case((is_sending & is_live, func.coalesce(table.live_at, now)), else_=table.live_at),
        )
        .where(
            table.brand_id == claim.brand_id,
            table.shop_id == claim.shop.id,
            table.code_id == given.code_id,
            table.attempt == given.attempt,
        )
        .returning(table.code_id, table.state)
        .execution_options(synchronize_session=False)
    )
    shown = {each.code_id for each in claim.codes if each.is_shown}
    return [row.code_id for row in changed if row.state is PublicationState.live and row.code_id not in shown]


async def _record_revoked(
    session: AsyncSession, claim: Claim, outcome: CallOutcome, *, now: datetime
) -> None:
    """Codes that are gone are revoked; what the pool had of them is deleted by its upkeep."""
    rows: list[dict[str, Any]] = [
        {
            "code_id": each.code_id,
            "attempt": each.attempt,
            "state": PublicationState.revoking if reason else PublicationState.revoked,
            "due_at": now + wait_after(each.attempt) if reason else None,
            "reason": reason,
        }
        for each, reason in zip(claim.codes, outcome.left, strict=True)
    ]
    table = CodePublication
    given = recordset(rows, (table.code_id, table.attempt, table.state, table.due_at, table.reason)).c
    is_gone = given.state == PublicationState.revoked
    await session.execute(
        update(table)
        .values(
            state=given.state,
            due_at=given.due_at,
            reason=given.reason,
            job=None,
            # It may have a first name in it, and is used no more.
            code=case((is_gone, surrogate_of(table.code_id)), else_=table.code),
        )
        .where(
            table.brand_id == claim.brand_id,
            table.shop_id == claim.shop.id,
            table.code_id == given.code_id,
            table.attempt == given.attempt,
            table.state == PublicationState.revoking,
        )
        .execution_options(synchronize_session=False)
    )


async def _record_discount(session: AsyncSession, claim: Claim, outcome: CallOutcome) -> None:
    """Store the discount that the codes share, and let those go on that waited for it."""
    await session.execute(
        update(ShopDiscount)
        .values(remote_id=outcome.discount_id, leased_until=None)
        .where(
            ShopDiscount.brand_id == claim.brand_id,
            ShopDiscount.shop_id == claim.shop.id,
            ShopDiscount.terms_id == claim.terms_id,
        )
        .execution_options(synchronize_session=False)
    )
    await due.wake(session, *PUBLISHING_SWEEPS.values())


async def _record_shop(session: AsyncSession, claim: Claim, outcome: CallOutcome, *, now: datetime) -> None:
    """Leave a shop alone for a while whose platform refused the call as a whole."""
    error = outcome.error
    if error is None or error.fault is Fault.request:
        await session.execute(
            update(ShopPublishing)
            .values(paused_until=None, failures=0, reason=None)
            .where(
                ShopPublishing.brand_id == claim.brand_id,
                ShopPublishing.shop_id == claim.shop.id,
                ShopPublishing.failures > 0,
            )
            .execution_options(synchronize_session=False)
        )
        return
    key = {"brand_id": claim.brand_id, "shop_id": claim.shop.id}
    failures = await session.scalar(
        insert(ShopPublishing)
        .values(**key, failures=1, reason=error.reason)
        .on_conflict_do_update(
            index_elements=["brand_id", "shop_id"],
            set_={"failures": ShopPublishing.failures + 1, "reason": error.reason},
        )
        .returning(ShopPublishing.failures)
    )
    await session.execute(
        update(ShopPublishing)
        .values(paused_until=now + pause_after(error, failures or 1))
        .filter_by(**key)
        .execution_options(synchronize_session=False)
    )
