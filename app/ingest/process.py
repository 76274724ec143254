"""From raw deliveries to what follows from them: customers, orders, surveys, redemptions. One story, for a batch of one brand."""

import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import groupby
from uuid import UUID

from sqlalchemy import BigInteger, Row, func, select, update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession

from app.base.batch import recordset
from app.base.due import Sweep
from app.base.log import logger, scrub
from app.base.money import MoneyError
from app.base.tokens import Tokens
from app.base.web.context import AppContext
from app.brands.find import load_brand, load_shops
from app.brands.models import Brand, Shop
from app.customers.contact import dated
from app.customers.identify import identify
from app.ingest.erase import erase_requested
from app.ingest.models import Delivery
from app.ingest.rules import (
    NOTHING_USED,
    DeliveryStatus,
    ParsedEvent,
    facts_by_shop,
    orders_by_shop,
    people_by_shop,
)
from app.ingest.store import SWEEP_NAME
from app.orders.record import record_facts, record_orders
from app.platforms.events import CustomerErased, CustomerUpdated, OrderPaid, PlatformEvent, Unparseable
from app.platforms.registry import PARSERS
from app.referrals.redeem import redeem_orders
from app.referrals.reverse import reverse_orders
from app.surveys.schedule import reconsider, schedule_surveys

log = logger(__name__)

BATCH = 500
"""Deliveries worked off in one transaction."""
BATCH_BYTES = 16 * 1024 * 1024
"""What their bodies may take in memory."""
_TURN = 0x7E50
"""Advisory lock class: whose turn it is to process a brand."""
_PASSING = ("08", "40", "53", "55", "57")
"""SQLSTATE classes that say nothing about the data: connection, rollback, resources, locks, operator."""
_TRIES = 3


@dataclass(frozen=True, slots=True)
class ProcessingResult:
    """What became of a delivery, and why where it came to nothing."""

    status: DeliveryStatus
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Work:
    """What every step of a batch needs."""

    session: AsyncSession
    tokens: Tokens
    brand: Brand
    shops: Mapping[UUID, Shop]
    now: datetime


async def process_events(work: Work, said: Sequence[ParsedEvent]) -> None:
    """Carry out what deliveries say, in the order of their arrival; known facts change nothing.

    Orders of all shops are redeemed in one line, since the first to arrive wins a limited use. A person who is forgotten parts the
    batch: what came before is forgotten with them, what comes after is about somebody new.
    """
    for is_erasure, chapter in groupby(said, key=lambda each: isinstance(each.event, CustomerErased)):
        if is_erasure:
            await erase_requested(
                work.session, work.tokens, work.brand, work.shops, list(chapter), now=work.now
            )
        else:
            await _fold_in(work, list(chapter))


async def _fold_in(work: Work, said: Sequence[ParsedEvent]) -> None:
    session, tokens, brand, now = work.session, work.tokens, work.brand, work.now
    customers = await _identify(work, said)
    orders, touched = await _record(work, said, customers)
    every_order = list(dict.fromkeys([*orders, *touched]))
    await schedule_surveys(session, tokens, brand, every_order, now=now)
    updated = [customers[each] for each in said if isinstance(each.event, CustomerUpdated)]
    if updated:
        await reconsider(session, tokens, brand, [customer for customer in updated if customer], now=now)
    # What was reported before an order came is folded in with its redemption.
    await redeem_orders(session, brand, orders, now=now)
    await reverse_orders(session, brand, touched, now=now)


async def _identify(work: Work, said: Sequence[ParsedEvent]) -> dict[ParsedEvent, UUID | None]:
    """The customer each event speaks of."""
    found: dict[ParsedEvent, UUID | None] = {}
    for shop_id, spoken in people_by_shop(said).items():
        people = [person for _, person in spoken]
        ids = await identify(work.session, work.brand, work.shops[shop_id], people, now=work.now)
        found |= dict(zip((each for each, _ in spoken), ids, strict=True))
    return found


async def _record(
    work: Work, said: Sequence[ParsedEvent], customers: Mapping[ParsedEvent, UUID | None]
) -> tuple[list[UUID], list[UUID]]:
    """The paid orders in the order of their arrival, and the known orders that something was reported about."""
    ids: dict[ParsedEvent, UUID] = {}
    touched: list[UUID] = []
    for shop_id, first_said in orders_by_shop(said).items():
        incoming = [(order, customers[each]) for each, order in first_said]
        shop = work.shops[shop_id]
        made = await record_orders(work.session, work.tokens, work.brand, shop, incoming, now=work.now)
        ids |= dict(zip((each for each, _ in first_said), made, strict=True))
    for shop_id, facts in facts_by_shop(said).items():
        touched += await record_facts(work.session, work.brand, work.shops[shop_id], facts, now=work.now)
    return [ids[each] for each in said if each in ids], touched


def sweep(context: AppContext) -> Sweep:
    """Works deliveries off, brand by brand. A delivery is due from its acceptance on, whatever time it is said to be."""

    async def brands(_now: datetime) -> list[int]:
        async with context.sessions() as session:
            rows = await session.scalars(
                select(Delivery.brand_id)
                .where(Delivery.status == DeliveryStatus.new)
                .distinct()
                .order_by(Delivery.brand_id)
            )
            return list(rows)

    async def work(brand_id: int, now: datetime) -> int:
        for _ in range(_TRIES - 1):
            try:
                return await process_waiting(context, brand_id, now=now)
            except DBAPIError as error:
                if _sqlstate(error)[:2] != "40":
                    raise
                log.warning("two transactions were in each other's way; once more", name=SWEEP_NAME)
        return await process_waiting(context, brand_id, now=now)

    return Sweep(SWEEP_NAME, brands, work)


async def process_waiting(context: AppContext, brand_id: int, *, now: datetime, limit: int = BATCH) -> int:
    """Work off the brand's oldest `limit` deliveries in one transaction; answers how many.

    One processor a brand at a time, others wait in line: who wins a limited use is decided in the order of arrival, which two
    batches side by side would break, and batches that share customers cannot deadlock. It waits rather than passes by, because
    whoever is told that nothing is left (`tenfold run-due`) must be able to rely on it. The lock is the transaction's first and
    ends with it, so a crash frees it.
    """
    async with context.sessions.begin() as session:
        await session.execute(select(func.pg_advisory_xact_lock(_TURN, brand_id)))
        waiting = await _next_batch(session, brand_id, limit)
        if not waiting:
            return 0
        work = Work(
            session,
            context.tokens,
            await load_brand(session, brand_id),
            await load_shops(session, brand_id),
            now,
        )
        results = await _judge(work, waiting)
        await _mark(session, brand_id, results, now=now)
        return len(waiting)


async def _next_batch(
    session: AsyncSession, brand_id: int, limit: int
) -> Sequence[Row[tuple[UUID, int, UUID, str, str, bytes, datetime]]]:
    oldest = (
        select(
            Delivery.id,
            Delivery.sequence,
            Delivery.shop_id,
            Delivery.source,
            Delivery.topic,
            Delivery.body,
            Delivery.received_at,
        )
        .where(Delivery.brand_id == brand_id, Delivery.status == DeliveryStatus.new)
        .order_by(Delivery.sequence)
        .limit(limit)
        .subquery()
    )
    size = func.octet_length(oldest.c.body, type_=BigInteger)
    before = (func.sum(size).over(order_by=oldest.c.sequence) - size).label("before")
    measured = select(oldest, before).subquery()
    columns = [
        measured.c[name] for name in ("id", "sequence", "shop_id", "source", "topic", "body", "received_at")
    ]
    rows = await session.execute(
        select(*columns).where(measured.c.before < BATCH_BYTES).order_by(measured.c.sequence)
    )
    return rows.all()


async def _judge(
    work: Work, waiting: Sequence[Row[tuple[UUID, int, UUID, str, str, bytes, datetime]]]
) -> dict[UUID, ProcessingResult]:
    """Understand each delivery by itself, then carry out all that were understood."""
    results: dict[UUID, ProcessingResult] = {}
    understood: list[list[ParsedEvent]] = []
    for row in waiting:
        try:
            events = PARSERS[row.source].parse(row.topic, row.body, received_at=row.received_at)
        except Exception as error:  # noqa: BLE001  # no delivery may hold up the others
            results[row.id] = _failed(row.id, error)
            continue
        if events:
            known = [_dated(event, row.received_at) for event in events]
            understood.append(
                [
                    ParsedEvent(row.id, row.sequence, place, row.shop_id, event)
                    for place, event in enumerate(known)
                ]
            )
        else:
            results[row.id] = ProcessingResult(DeliveryStatus.ignored, NOTHING_USED)
    results |= await _carry_out(work, understood)
    return results


def _dated(event: PlatformEvent, received_at: datetime) -> PlatformEvent:
    if isinstance(event, (OrderPaid, CustomerUpdated)):
        return replace(event, person=dated(event.person, received_at))
    return event


async def _carry_out(work: Work, deliveries: Sequence[Sequence[ParsedEvent]]) -> dict[UUID, ProcessingResult]:
    """Process deliveries together; where that breaks, halve them until the culprit stands alone and the others went through."""
    if not deliveries:
        return {}
    try:
        async with work.session.begin_nested():
            await process_events(work, [said for delivery in deliveries for said in delivery])
    except Exception as error:
        if _is_passing(error):
            raise
        if len(deliveries) == 1:
            delivery_id = deliveries[0][0].delivery_id
            return {delivery_id: _failed(delivery_id, error)}
        half = len(deliveries) // 2
        return await _carry_out(work, deliveries[:half]) | await _carry_out(work, deliveries[half:])
    return {delivery[0].delivery_id: ProcessingResult(DeliveryStatus.processed) for delivery in deliveries}


def _failed(delivery_id: UUID, error: Exception) -> ProcessingResult:
    """A reason that people can read; of an error of our own only its kind, since its text may hold anybody's data."""
    if isinstance(error, (Unparseable, MoneyError)):
        return ProcessingResult(DeliveryStatus.failed, scrub(str(error)))
    frames = traceback.extract_tb(error.__traceback__)
    where = [f"{frame.filename}:{frame.lineno}" for frame in frames if "/app/" in frame.filename][-3:]
    log.error(
        "a delivery could not be processed",
        delivery=str(delivery_id),
        error=type(error).__name__,
        where=where,
    )
    return ProcessingResult(
        DeliveryStatus.failed,
        f"It could not be processed ({type(error).__name__}); replay it once that is mended.",
    )


def _is_passing(error: Exception) -> bool:
    """Whether the failure is the moment's and not the delivery's: the whole batch is tried again then."""
    if isinstance(error, DBAPIError):
        return error.connection_invalidated or _sqlstate(error)[:2] in _PASSING
    return isinstance(error, OSError)


def _sqlstate(error: DBAPIError) -> str:
    return getattr(error.orig, "sqlstate", None) or ""


async def _mark(
    session: AsyncSession, brand_id: int, results: Mapping[UUID, ProcessingResult], *, now: datetime
) -> None:
    rows = [
        {"id": delivery_id, "status": result.status, "reason": result.reason}
        for delivery_id, result in results.items()
    ]
    given = recordset(rows, [Delivery.id, Delivery.status, Delivery.reason])
    await session.execute(
        update(Delivery)
        .where(Delivery.brand_id == brand_id, Delivery.id == given.c.id)
        .values(status=given.c.status, reason=given.c.reason, processed_at=now)
        .execution_options(synchronize_session=False)
    )
