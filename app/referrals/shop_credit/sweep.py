"""The sweep that brings credit in connected shops to what the rewards are.

Each step is one call of the platform, outside of every transaction. A move of an account is written
down before it; whatever breaks off after that is looked for in the account and never made twice.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import TypeVar

import aiohttp
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession

from app.base import money
from app.base.context import AppContext
from app.base.errors import Outcome, OutsideError
from app.base.fence import brands_unless_fenced
from app.base.log import logger
from app.base.retry import retry_unavailable
from app.base.turns import Sweep
from app.brands.find import load_brand
from app.brands.models import Brand
from app.platforms.calls import call_side_by_side, open_platform_session
from app.platforms.connection_types import Connection
from app.platforms.registry import adapter_of
from app.platforms.shop_credit import CreditKind, CreditMove, CreditReport, MovedCredit
from app.referrals.shop_credit.book import Superseded, lock_credit
from app.referrals.shop_credit.claim import ClaimedCredit, claim
from app.referrals.shop_credit.coupon import plan_coupon, record_coupon
from app.referrals.shop_credit.models import HOLDING_SWEEP, ShopCredit
from app.referrals.shop_credit.plan_move import PlannedMove, find_oldest, plan_move
from app.referrals.shop_credit.record_move import record_failure, record_move
from app.referrals.shop_credit.rules import Ambiguous

log = logger(__name__)

T = TypeVar("T")

CALL_SECONDS = 10.0
CLAIM_SECONDS = 100.0
"""The longest that a claim may take: well within its lease, so that no call is made after it."""
RECORD_SECONDS = 30.0
"""How long an outcome is recorded again where the database is unavailable."""
AT_ONCE = 5


def sweep(context: AppContext) -> Sweep:
    """Brings connected shops to what the rewards are now."""

    async def brands(now: datetime) -> Sequence[int]:
        is_due = ShopCredit.due_at <= now
        return await brands_unless_fenced(context.reading_sessions, ShopCredit.brand_id, is_due)

    async def work(brand_id: int, now: datetime) -> int:
        return await hold_batch(context, brand_id, now=now)

    return Sweep(HOLDING_SWEEP, brands, work)


async def hold_batch(context: AppContext, brand_id: int, *, now: datetime) -> int:
    """Do what is due about credit in shops, one step each; returns how many."""
    async with context.sessions.begin() as session:
        claimed = await claim(session, context, brand_id, now=now)
    if not claimed:
        return 0
    async with open_platform_session(
        context.settings, connections=AT_ONCE, total_seconds=CALL_SECONDS
    ) as http:
        # The lease of one that is late ends; then the entries of the account show its outcome.
        await call_side_by_side(
            claimed,
            lambda each: Attempt(context, http, each, now).run(),
            at_once=AT_ONCE,
            seconds=CLAIM_SECONDS,
        )
    return len(claimed)


class Attempt:
    """One attempt about one referrer's credit."""

    def __init__(
        self, context: AppContext, http: aiohttp.ClientSession, claimed: ClaimedCredit, now: datetime
    ) -> None:
        self._context, self._http, self._claimed, self._now = context, http, claimed, now
        self._adapter = adapter_of(claimed.shop.platform)

    async def run(self) -> None:
        """Call the platform and record what it did; it raises for the database alone."""
        claimed = self._claimed
        try:
            if claimed.ended and claimed.code is None:
                # What is in an account is its owner's and the shop's.
                await self._write(self._end)
            elif claimed.connection is None or claimed.kind is None:
                await self._fail(
                    OutsideError(Outcome.refused, "The shop is not connected any more.", permanent=True)
                )
            elif claimed.kind is CreditKind.coupon:
                await self._set_coupon(claimed.connection)
            else:
                await self._move(claimed.connection)
        except Superseded:
            pass
        except DBAPIError:
            raise
        except Exception as error:  # noqa: BLE001  # the others must not wait for this one's lease
            kind = type(error).__name__
            # Not the exception itself: its text may hold credentials.
            log.error("an attempt about credit broke", shop=claimed.shop.slug, error=kind)  # noqa: TRY400

    async def _move(self, connection: Connection) -> None:
        planned: PlannedMove | None = None
        try:
            planned = await self.plan(await self.read(connection))
            if planned is None:
                return
            made = await self.call(connection, planned)
        except OutsideError as error:
            await self._fail(error, planned)
        except Ambiguous as error:
            await self._fail(OutsideError(Outcome.refused, str(error), permanent=True))
        else:
            await self._record(planned, made)

    async def read(self, connection: Connection) -> CreditReport:
        """The account as far back as it matters. Raises `OutsideError`."""
        async with self._context.sessions() as session:
            oldest = await find_oldest(session, self._claimed, now=self._now)
        return await self._adapter.read_credit(self._http, connection, self._claimed.holder, oldest)

    async def plan(self, report: CreditReport) -> PlannedMove | None:
        """Book what was read; the next move, written down. Raises `Ambiguous`, `Superseded`."""
        return await self._write(
            lambda session, brand: plan_move(
                session, self._context, brand, self._claimed, report, now=self._now
            )
        )

    async def call(self, connection: Connection, planned: PlannedMove) -> MovedCredit:
        """Make the move. Raises `OutsideError`."""
        holder = replace(self._claimed.holder, account_id=planned.account_id)
        amount = money.to_decimal(planned.move.amount, holder.currency)
        move = CreditMove(amount, planned.move.expires_at)
        return await self._adapter.move_credit(self._http, connection, holder, move)

    async def _record(self, planned: PlannedMove, made: MovedCredit) -> None:
        await self._write(
            lambda session, brand: record_move(
                session, self._context, brand, self._claimed, planned, made, now=self._now
            )
        )

    async def _set_coupon(self, connection: Connection) -> None:
        async with self._context.sessions() as session:
            wanted = await plan_coupon(session, self._claimed, now=self._now)
        remote_id = None
        try:
            if wanted.amount:
                remote_id = await self._adapter.put_reward(
                    self._http, connection, wanted.coupon, wanted.remote_id
                )
            else:
                await self._adapter.remove_reward(self._http, connection, wanted.coupon, wanted.remote_id)
        except OutsideError as error:
            await self._fail(error)
            return
        await self._write(
            lambda session, brand: record_coupon(
                session, self._context, brand, self._claimed, wanted, remote_id, now=self._now
            )
        )

    async def _end(self, session: AsyncSession, _: Brand) -> None:
        row = await lock_credit(session, self._claimed)
        row.due_at, row.leased_until, row.reason, row.attempt = None, None, None, 0

    async def _fail(self, error: OutsideError, planned: PlannedMove | None = None) -> None:
        await self._write(
            lambda session, brand: record_failure(
                session, brand, self._claimed, error, planned, now=self._now
            )
        )

    async def _write(self, step: Callable[[AsyncSession, Brand], Awaitable[T]]) -> T:
        """Run a step in a transaction of its own, again where the database is away for a moment."""
        found: list[T] = []

        async def write() -> None:
            async with self._context.sessions.begin() as session:
                found.append(await step(session, await load_brand(session, self._claimed.shop.brand_id)))

        await retry_unavailable(write, name="shop credit", seconds=RECORD_SECONDS)
        return found[-1]
