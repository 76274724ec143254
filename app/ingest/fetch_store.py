"""The rows of fetches: requested, claimed for an attempt, and their results."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import literal, null, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.base import due
from app.base.batch import in_ids, recordset
from app.base.tokens import Tokens
from app.ingest.models import Delivery, DeliveryFetch
from app.ingest.rules import MAX_FETCH_ATTEMPTS, DeliveryStatus, ProcessingResult, fetch_delay
from app.ingest.store import SWEEP_NAME
from app.platforms.connection_types import Connection
from app.platforms.connections import load_connections
from app.platforms.delivery_types import NeedsFetch

FETCH_SWEEP_NAME = "ingest_fetch"
LEASE = timedelta(minutes=5)
"""An attempt that a process started and never finished is made again after this."""


@dataclass(frozen=True, slots=True)
class ClaimedFetch:
    """One fetch that this process is to do."""

    delivery_id: UUID
    source: str
    resource: str
    attempts: int
    """Including this one."""
    connection: Connection | None


@dataclass(frozen=True, slots=True)
class FetchResult:
    """The result of a fetch: its content, or why there is none."""

    fetch: ClaimedFetch
    body: bytes | None = None
    error: str | None = None
    permanent: bool = False
    retry_after: float | None = None
    """Seconds."""

    @property
    def is_given_up(self) -> bool:
        """Whether no further attempt is made."""
        return self.body is None and (self.permanent or self.fetch.attempts >= MAX_FETCH_ATTEMPTS)


async def request_fetches(
    session: AsyncSession, brand_id: int, fetches: Mapping[UUID, NeedsFetch], *, now: datetime
) -> dict[UUID, ProcessingResult]:
    """Write that these deliveries need a fetch, due at `now`; returns their results (`fetching`).

    A delivery that is replayed after its fetch was given up starts again.
    """
    if not fetches:
        return {}
    rows = [
        {"delivery_id": delivery_id, "resource": needed.resource, "due_at": now, "attempts": 0}
        for delivery_id, needed in fetches.items()
    ]
    columns = [
        DeliveryFetch.delivery_id,
        DeliveryFetch.resource,
        DeliveryFetch.due_at,
        DeliveryFetch.attempts,
    ]
    given = recordset(rows, columns)
    statement = insert(DeliveryFetch).from_select(
        ["brand_id", *given.c.keys()], select(literal(brand_id), *given.c), include_defaults=False
    )
    new = statement.excluded
    await session.execute(
        statement.on_conflict_do_update(
            index_elements=["brand_id", "delivery_id"],
            set_={"resource": new.resource, "due_at": new.due_at, "attempts": new.attempts, "body": null()},
        )
    )
    await due.wake(session, FETCH_SWEEP_NAME)
    return {delivery_id: ProcessingResult(DeliveryStatus.fetching) for delivery_id in fetches}


async def claim_fetches(
    session: AsyncSession, tokens: Tokens, brand_id: int, limit: int, *, now: datetime
) -> list[ClaimedFetch]:
    """Claim the brand's oldest due fetches; no other process gets them for `LEASE`."""
    oldest = (
        select(DeliveryFetch.delivery_id)
        .where(DeliveryFetch.brand_id == brand_id, DeliveryFetch.due_at <= now)
        .order_by(DeliveryFetch.due_at, DeliveryFetch.delivery_id)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    ids = list(await session.scalars(oldest))
    if not ids:
        return []
    found = await session.execute(
        update(DeliveryFetch)
        .where(
            DeliveryFetch.brand_id == brand_id,
            in_ids(DeliveryFetch.delivery_id, ids),
            Delivery.brand_id == brand_id,
            Delivery.id == DeliveryFetch.delivery_id,
        )
        .values(due_at=now + LEASE, attempts=DeliveryFetch.attempts + 1)
        .returning(
            Delivery.id,
            Delivery.source,
            DeliveryFetch.resource,
            DeliveryFetch.attempts,
            Delivery.shop_id,
        )
        .execution_options(synchronize_session=False)
    )
    rows = found.all()
    shops = {row.shop_id for row in rows}
    connections = await load_connections(session, tokens, brand_id, shops)
    return [
        ClaimedFetch(row.id, row.source, row.resource, row.attempts, connections.get(row.shop_id))
        for row in rows
    ]


async def write_fetch_results(
    session: AsyncSession, brand_id: int, results: Sequence[FetchResult], *, now: datetime
) -> None:
    """Store what was fetched, and when the failed ones are retried.

    An attempt counts only while it is the newest: one that took longer than its lease changes
    nothing.
    """
    newest = await _write_fetches(session, brand_id, results, now=now)
    current = [each for each in results if each.fetch.delivery_id in newest]
    await _write_deliveries(session, brand_id, current, now=now)
    if any(each.body is not None for each in current):
        await due.wake(session, SWEEP_NAME)


async def _write_fetches(
    session: AsyncSession, brand_id: int, results: Sequence[FetchResult], *, now: datetime
) -> set[UUID]:
    rows = [
        {
            "delivery_id": each.fetch.delivery_id,
            "attempts": each.fetch.attempts,
            "body": each.body,
            "due_at": None
            if each.body is not None or each.is_given_up
            else now + fetch_delay(each.fetch.attempts, each.retry_after),
        }
        for each in results
    ]
    columns = [
        DeliveryFetch.delivery_id,
        DeliveryFetch.attempts,
        DeliveryFetch.body,
        DeliveryFetch.due_at,
    ]
    given = recordset(rows, columns)
    written = await session.scalars(
        update(DeliveryFetch)
        .where(
            DeliveryFetch.brand_id == brand_id,
            DeliveryFetch.delivery_id == given.c.delivery_id,
            DeliveryFetch.attempts == given.c.attempts,
            DeliveryFetch.due_at.is_not(None),
        )
        .values(body=given.c.body, due_at=given.c.due_at)
        .returning(DeliveryFetch.delivery_id)
        .execution_options(synchronize_session=False)
    )
    return set(written)


async def _write_deliveries(
    session: AsyncSession, brand_id: int, results: Sequence[FetchResult], *, now: datetime
) -> None:
    """Set `new` again, or `failed` with the last error; one that is retried shows why it waits."""
    rows = [
        {
            "id": each.fetch.delivery_id,
            "status": _status(each),
            "reason": each.error,
            "processed_at": now if each.is_given_up else None,
        }
        for each in results
    ]
    if not rows:
        return
    given = recordset(rows, [Delivery.id, Delivery.status, Delivery.reason, Delivery.processed_at])
    await session.execute(
        update(Delivery)
        .where(
            Delivery.brand_id == brand_id,
            Delivery.id == given.c.id,
            Delivery.status == DeliveryStatus.fetching,
        )
        .values(status=given.c.status, reason=given.c.reason, processed_at=given.c.processed_at)
        .execution_options(synchronize_session=False)
    )


def _status(result: FetchResult) -> DeliveryStatus:
    if result.body is not None:
        return DeliveryStatus.new
    return DeliveryStatus.failed if result.is_given_up else DeliveryStatus.fetching
