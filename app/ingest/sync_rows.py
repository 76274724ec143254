"""The rows of synchronisations: begun, claimed by one process, written with each batch."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from sqlalchemy import or_, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.base.errors import AppError
from app.brands.models import Shop
from app.brands.rules import zone_or
from app.ingest.backfill_models import ShopSync
from app.platforms.models import ShopConnection
from app.platforms.rules import next_check

SWEEP_NAME = "sync"
LEASE = timedelta(minutes=2)
"""Longer than a page may take. One that a process began and never finished is free after this."""
NIGHTLY_DAYS = 2
"""What a nightly synchronisation reads at least."""
MARGIN = timedelta(hours=1)
"""Read once more before the last run: a platform's index may be behind its orders."""


_FIRST = datetime(1970, 1, 1, tzinfo=UTC)
NOT_CONNECTED = "The shop is not connected to its platform; connect it first (tenfold shop connect)."
TAKEN = "Another process synchronises this shop now."


@dataclass(frozen=True, slots=True)
class ClaimedSync:
    """A synchronisation that belongs to this process."""

    brand_id: int
    shop_id: UUID
    claim: int
    since: datetime
    cursor: str | None
    history: bool


@dataclass(frozen=True, slots=True)
class Counts:
    """What a batch came to."""

    orders: int = 0
    new: int = 0
    known: int = 0
    failed: int = 0


def night_after(shop: Shop, now: datetime) -> datetime:
    """When the shop is synchronised next by itself: with its connection's check."""
    return next_check(shop.id, zone_or(shop.time_zone, "UTC"), after=now)


async def ensure_row(session: AsyncSession, shop: Shop, connection: ShopConnection) -> None:
    """Make the row of a connected shop that has none: nothing is missing up to its connection."""
    connected_at = connection.created_at
    await session.execute(
        insert(ShopSync)
        .values(
            brand_id=shop.brand_id,
            shop_id=shop.id,
            since=connected_at,
            started_at=connected_at,
            finished_at=connected_at,
            due_at=night_after(shop, connected_at),
            history=False,
            **dict.fromkeys(("claims", "orders", "new", "known", "failed"), 0),
        )
        .on_conflict_do_nothing()
    )


def begin(row: ShopSync, *, since: datetime, history: bool, now: datetime) -> None:
    """Start a run over in a locked row."""
    row.since, row.cursor, row.history = since, None, history
    row.orders = row.new = row.known = row.failed = 0
    row.started_at, row.finished_at, row.problem = now, None, None


def nightly_since(row: ShopSync, connection: ShopConnection, now: datetime) -> datetime:
    """Where a nightly run begins: the last two days, and all since the last run that finished.

    It never reaches back to before the connection, from which on the shop reports to us.
    """
    wanted = min(now - timedelta(days=NIGHTLY_DAYS), row.started_at - MARGIN)
    return max(wanted, connection.created_at)


async def claim(
    session: AsyncSession, row: ShopSync, connection: ShopConnection, *, now: datetime
) -> ClaimedSync:
    """Claim a locked row for this process.

    A cursor is of no use at another account of the platform's.
    """
    if row.cursor is not None and connection.updated_at > row.started_at:
        row.cursor = None
    row.claims += 1
    row.leased_until = now + LEASE
    await session.flush()
    return ClaimedSync(row.brand_id, row.shop_id, row.claims, row.since, row.cursor, row.history)


async def claim_due(session: AsyncSession, brand_id: int, *, now: datetime) -> ClaimedSync | None:
    """Claim the brand's synchronisation that is due first and free; None where there is none."""
    found = await session.execute(
        select(ShopSync, ShopConnection)
        .join(
            ShopConnection,
            (ShopConnection.brand_id == ShopSync.brand_id) & (ShopConnection.shop_id == ShopSync.shop_id),
        )
        .where(
            ShopSync.brand_id == brand_id,
            ShopSync.due_at <= now,
            or_(ShopSync.leased_until.is_(None), ShopSync.leased_until <= now),
        )
        .order_by(ShopSync.due_at, ShopSync.shop_id)
        .limit(1)
        .with_for_update(of=ShopSync, skip_locked=True)
    )
    pair = found.first()
    if pair is None:
        return None
    row, connection = pair
    if row.finished_at is not None:
        begin(row, since=nightly_since(row, connection, now), history=False, now=now)
    return await claim(session, row, connection, now=now)


async def lock_row(session: AsyncSession, shop: Shop, *, now: datetime) -> tuple[ShopSync, ShopConnection]:
    """The shop's row, which is made where it has none, locked, and its connection.

    Raises `AppError`: `not_connected`, or `sync_taken` where another process works on it.
    """
    connection = await session.get(ShopConnection, (shop.brand_id, shop.id))
    if connection is None:
        raise AppError("not_connected", NOT_CONNECTED, status=404)
    await ensure_row(session, shop, connection)
    row = await session.get_one(
        ShopSync, (shop.brand_id, shop.id), with_for_update=True, populate_existing=True
    )
    if row.leased_until is not None and row.leased_until > now:
        raise AppError("sync_taken", f"{TAKEN} It has read {row.orders} orders; try again later.", status=409)
    return row, connection


async def claim_now(
    session: AsyncSession, shop: Shop, *, since: datetime | None, history: bool, now: datetime
) -> tuple[ClaimedSync, int]:
    """Claim the shop's synchronisation at once; returns how many orders its run has read before.

    One that broke off goes on, unless `since` is earlier or `history` differs: then it starts over
    at `since`. Without `since` a new one is as a nightly one. Raises `AppError`
    as `check_since` and `lock_row`.
    """
    if since is not None:
        check_since(since, now)
    row, connection = await lock_row(session, shop, now=now)
    goes_on = row.finished_at is None and row.history == history and (since is None or since >= row.since)
    if not goes_on:
        begin(row, since=since or nightly_since(row, connection, now), history=history, now=now)
    return await claim(session, row, connection, now=now), row.orders


def check_since(since: datetime, now: datetime) -> None:
    """Raise `AppError` `bad_time` for a time that is still to come, or from before shops were."""
    if not _FIRST <= since <= now:
        raise AppError("bad_time", "Choose a day that has begun, and after 1969: orders since then are read.")


async def write_batch(
    session: AsyncSession, claimed: ClaimedSync, cursor: str | None, counts: Counts, *, now: datetime
) -> bool:
    """Write how far it is, and keep it for `LEASE`; False where it belongs to another process."""
    return await _write(
        session,
        claimed,
        cursor=cursor,
        leased_until=now + LEASE,
        problem=None,
        orders=ShopSync.orders + counts.orders,
        new=ShopSync.new + counts.new,
        known=ShopSync.known + counts.known,
        failed=ShopSync.failed + counts.failed,
    )


async def keep(session: AsyncSession, claimed: ClaimedSync, *, now: datetime) -> bool:
    """Keep it for `LEASE`; False where it belongs to another process."""
    return await _write(session, claimed, leased_until=now + LEASE)


async def finish(session: AsyncSession, claimed: ClaimedSync, *, due_at: datetime, now: datetime) -> None:
    """It is done; a worker begins the next one at `due_at`."""
    await _write(
        session, claimed, finished_at=now, cursor=None, due_at=due_at, leased_until=None, problem=None
    )


async def release(
    session: AsyncSession, claimed: ClaimedSync, *, due_at: datetime, problem: str | None = None
) -> None:
    """Leave it to whoever goes on with it; a worker does at `due_at`."""
    await _write(session, claimed, due_at=due_at, leased_until=None, problem=problem)


async def _write(session: AsyncSession, claimed: ClaimedSync, **values: object) -> bool:
    written = await session.execute(
        update(ShopSync)
        .where(
            ShopSync.brand_id == claimed.brand_id,
            ShopSync.shop_id == claimed.shop_id,
            ShopSync.claims == claimed.claim,
        )
        .values(**values)
        .returning(ShopSync.shop_id)
        .execution_options(synchronize_session=False)
    )
    return written.first() is not None


async def find_sync_problems(session: AsyncSession) -> list[tuple[str, str]]:
    """Shops whose orders cannot be read from their platform now: slug and sentence, by slug."""
    found = await session.execute(
        select(Shop.slug, ShopSync.problem)
        .join(ShopSync, (ShopSync.brand_id == Shop.brand_id) & (ShopSync.shop_id == Shop.id))
        .where(ShopSync.problem.is_not(None), ShopSync.finished_at.is_(None))
        .order_by(Shop.slug)
    )
    return [(row.slug, row.problem or "") for row in found]
