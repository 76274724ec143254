"""Apply events that no webhook brought: those of a file, or of a platform's own list of orders.

They go the way of deliveries, without being stored raw. Compared with erasures, an event has the
place in the order of arrival that its own time gives it: an old order never brings an erased person
back.
"""

from bisect import bisect_right
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import Integer, bindparam, func, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from app.base.batch import in_bound_texts
from app.base.context import AppContext
from app.base.frozen import quick
from app.base.prepared import Prepared
from app.base.tokens import Tokens
from app.base.turns import Busy
from app.brands.setup import load_setup
from app.customers.models import ErasedIdentity
from app.ingest.isolate import process_isolated
from app.ingest.models import Delivery
from app.ingest.process import PLAN_ONCE, TURN, Batch, process_events, process_waiting
from app.ingest.read_orders import ReadEvent
from app.ingest.rules import DeliveryStatus, ParsedEvent, ProcessingResult
from app.orders.models import Order
from app.orders.rules import external_order_id
from app.platforms.events import CustomerUpdated, FactEvent, OrderPaid

_FILLED = """
    customers (brand_id, id, email, phone, erased_at),
    customer_references (brand_id, shop_id, external_id, customer_id),
    consent_facts (brand_id, customer_id, channel),
    orders (brand_id, id, shop_id, external_id, customer_id),
    order_facts (brand_id, shop_id, order_external_id),
    surveys (brand_id, cause_id, customer_id)
"""
"""The tables that a backfill fills, and the columns by which it finds their rows. All columns would
cost twice as much; the database's own worker collects theirs."""
_LAST = 2**62
"""A place in the order of arrival after every other."""


@quick
@dataclass(frozen=True, slots=True)
class BackfillItem:
    """One order's events, or none; `id` names it in the results and is stored nowhere."""

    id: UUID
    events: Sequence[ReadEvent]


@dataclass(frozen=True, slots=True)
class BackfillResult:
    """The results of a batch. An item in neither of the two waits for a locked row."""

    done: frozenset[UUID]
    failed: dict[UUID, str]
    """Why, in a sentence."""
    new: int
    """Orders that were not known before."""
    known: int
    """Orders that were."""


async def record_backfill(
    session: AsyncSession,
    tokens: Tokens,
    brand_id: int,
    shop_id: UUID,
    items: Sequence[BackfillItem],
    *,
    history: bool,
    now: datetime,
) -> BackfillResult:
    """Apply the items to one shop, in their order, under the lock of the brand's processor.

    Events that are known already change nothing. With `history` new orders are from before the
    start: they redeem nothing and cause no message; an order that was reported live is left as it
    is. An item that cannot be processed fails alone.
    """
    await _TURN_OF.run(session, of_brand=brand_id)
    setup = await load_setup(session, brand_id)
    named = {item.id: _orders_of(item) for item in items}
    is_history = await _known_orders(session, brand_id, shop_id, named.values())
    place_of = await _places(session, brand_id)
    kept = [
        item
        for item in items
        if not history or not any(is_history.get(each) is False for each in named[item.id])
    ]
    deliveries = [
        [_parsed(item.id, shop_id, event, place_of, now) for event in item.events]
        for item in kept
        if item.events
    ]
    new_orders = frozenset().union(*named.values()) - is_history.keys()
    batch = Batch(
        session,
        tokens,
        setup.brand,
        setup.shops,
        now,
        stored=False,
        history=history,
        new_orders=new_orders,
        known_orders=frozenset(is_history),
    )
    results = await process_isolated(session, deliveries, lambda events: process_events(batch, events))
    left_alone = {item.id for item in items} - {item.id for item in kept if item.events}
    return _result_of(items, results, left_alone, is_history.keys())


def _result_of(
    items: Sequence[BackfillItem],
    results: Mapping[UUID, ProcessingResult],
    left_alone: Collection[UUID],
    known: Collection[str],
) -> BackfillResult:
    """What became of the items, of which some were `left_alone` and so are done."""
    failed = {each: result.reason or "" for each, result in results.items() if not _is_done(result)}
    done = {*left_alone, *(each for each, result in results.items() if _is_done(result))}
    orders = {each for item in items if item.id in done for each in _paid_of(item)}
    new = sum(each not in known for each in orders)
    return BackfillResult(frozenset(done), failed, new, len(orders) - new)


_TURN_OF = Prepared(
    select(func.pg_advisory_xact_lock(TURN, bindparam("of_brand", type_=Integer)), PLAN_ONCE), tuple
)


def _is_done(result: ProcessingResult) -> bool:
    return result.status is DeliveryStatus.processed


def _paid_of(item: BackfillItem) -> set[str]:
    events = (each.event for each in item.events)
    return {external_order_id(each.order_id) for each in events if isinstance(each, OrderPaid)}


def _orders_of(item: BackfillItem) -> set[str]:
    events = (each.event for each in item.events)
    return {external_order_id(each.order_id) for each in events if isinstance(each, (OrderPaid, FactEvent))}


async def _known_orders(
    session: AsyncSession, brand_id: int, shop_id: UUID, orders: Iterable[set[str]]
) -> dict[str, bool]:
    """Of these orders of a shop those that are known: whether each is history."""
    named = sorted(set().union(*orders))
    return dict(await _KNOWN.all(session, of_brand=brand_id, of_shop=shop_id, named=named))


_KNOWN = Prepared(
    select(Order.external_id, Order.history).where(
        Order.brand_id == bindparam("of_brand"),
        Order.shop_id == bindparam("of_shop"),
        in_bound_texts(Order.external_id, "named"),
    ),
    lambda external_id, history: (external_id, history),
)


async def _places(session: AsyncSession, brand_id: int) -> Callable[[datetime], int]:
    """A function that returns a time's place in the order of arrival, beside erasures."""
    times: list[datetime] = []
    earliest: list[int] = []
    for erased_at, sequence in await _ERASURES.all(session, of_brand=brand_id):
        times.insert(0, erased_at)
        earliest.insert(0, min(sequence, earliest[0] if earliest else _LAST))
    earliest.append(_LAST)
    return lambda at: earliest[bisect_right(times, at)] - 1


_ERASURES = Prepared(
    select(ErasedIdentity.erased_at, func.min(ErasedIdentity.sequence))
    .where(ErasedIdentity.brand_id == bindparam("of_brand"))
    .group_by(ErasedIdentity.erased_at)
    .order_by(ErasedIdentity.erased_at.desc()),
    lambda erased_at, sequence: (erased_at, sequence),
)


def _parsed(
    item_id: UUID, shop_id: UUID, read: ReadEvent, place_of: Callable[[datetime], int], now: datetime
) -> ParsedEvent:
    match read.event:
        case OrderPaid() as order:
            at = order.version_at or order.placed_at
        case CustomerUpdated() as updated:
            at = updated.at
        case _:
            at = now
    return ParsedEvent(item_id, place_of(at), shop_id, read.event, read.order)


async def give_way(context: AppContext, brand_id: int, *, now: datetime) -> None:
    """Process a batch of the brand's waiting deliveries, if any.

    Called between batches of a backfill, which would else hold up what shops report now.
    """
    async with context.reading() as session:
        waits = await _WAITING.first(session, of_brand=brand_id)
    if waits is not None:
        try:
            await process_waiting(context, brand_id, now=now)
        except Busy:
            return


_WAITING = Prepared(
    select(Delivery.id)
    .where(Delivery.brand_id == bindparam("of_brand"), Delivery.status == DeliveryStatus.new)
    .limit(1),
    lambda delivery_id: delivery_id,
)


class Statistics:
    """Keeps the planner informed while a backfill fills tables.

    Plans that were made for empty tables, or for a brand that the planner knows nothing of, read
    all of its rows, for each row anew: the checks of foreign keys too. The database finds out by
    itself only after a minute or more. New statistics make it plan anew.
    """

    def __init__(self) -> None:
        self._batches = 0

    async def after_batch(self, context: AppContext, *, new: int) -> None:
        """Collect statistics after the first batch, and whenever their number has doubled.

        A batch that brought no new order fills nothing.
        """
        if not new:
            return
        self._batches += 1
        if self._batches & (self._batches - 1) == 0:
            async with context.sessions.begin() as session:
                await session.execute(text(f"ANALYZE {_FILLED}"))
