"""Process a batch: raw deliveries become customers, orders, surveys and redemptions."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from uuid import UUID

from sqlalchemy import func, select, true
from sqlalchemy.ext.asyncio import AsyncSession

from app.base.context import AppContext
from app.base.retry import retry_conflicts
from app.base.tokens import Tokens
from app.base.touched import touch
from app.base.turns import Busy, Sweep
from app.brands.models import Brand, Shop
from app.brands.setup import load_setup
from app.customers.identify import identify
from app.ingest.bodies import empty_in_process
from app.ingest.claim import load_waiting, write_results
from app.ingest.data_requests import record_data_requests
from app.ingest.erase import erase_requested
from app.ingest.erase_shop import request_shop_erasures
from app.ingest.erase_sweep import rescan
from app.ingest.fetch_store import request_fetches
from app.ingest.isolate import process_isolated
from app.ingest.links import link_customers
from app.ingest.models import Delivery
from app.ingest.parse import parse_deliveries
from app.ingest.rules import (
    DeliveryStatus,
    ParsedEvent,
    customer_links,
    erased_links,
    facts_by_shop,
    orders_by_shop,
    people_by_shop,
)
from app.ingest.store import SWEEP_NAME
from app.ingest.strip_erased import without_erased
from app.ingest.unknown_orders import ignore_unknown
from app.orders.facts import record_facts, store_facts
from app.orders.record import record_orders
from app.orders.refunds import drop_deleted_refunds
from app.orders.rules import external_order_id
from app.platforms.connections import load_accounts
from app.platforms.events import CustomerErased, CustomerUpdated, FactEvent, OrderPaid, ShopErased
from app.platforms.registry import PARSERS
from app.referrals.amend import amend_discounts
from app.referrals.fold_facts import fold_order_facts
from app.referrals.own_use import use_own_codes
from app.referrals.redecide import redecide_orders
from app.referrals.redeem import redeem_orders
from app.surveys.schedule import reconsider, schedule_surveys, skip_history

BATCH = 500
"""Deliveries that are processed in one transaction."""
TURN = 0x7E50
"""Class of the advisory lock of a brand's processor."""
_TRIES = 3
PLAN_ONCE = func.set_config("plan_cache_mode", "force_generic_plan", true())
"""For this transaction. Whatever a batch holds, its rows are found by their indexes: one plan of a
statement fits every batch, where the planner would plan many of them anew each time."""
ERASURES = (CustomerErased, ShopErased)
"""Events that divide a batch."""


@dataclass(frozen=True, slots=True)
class Batch:
    """What every step of a batch of one brand needs."""

    session: AsyncSession
    tokens: Tokens
    brand: Brand
    shops: Mapping[UUID, Shop]
    now: datetime
    stored: bool = True
    """Whether the deliveries are rows; those of a file or of a synchronisation are none."""
    history: bool = False
    """Whether new orders are from before the start: they redeem nothing and cause no message."""
    new_orders: frozenset[str] = frozenset()
    """External ids of orders of its one shop that nobody knew before, if the caller has looked."""
    known_orders: frozenset[str] = frozenset()
    """Those that it found."""


async def process_events(batch: Batch, events: Sequence[ParsedEvent]) -> None:
    """Apply events in the order of their arrival; events that are known already change nothing.

    An erasure divides the batch: what came before is erased with the person, what comes after
    belongs to a new customer.
    """
    for are_erasures, part in groupby(events, key=lambda each: isinstance(each.event, ERASURES)):
        if are_erasures:
            await _erase(batch, list(part))
        else:
            await _record(batch, list(part))


async def _record(batch: Batch, events: Sequence[ParsedEvent]) -> None:
    session, tokens, brand, now = batch.session, batch.tokens, batch.brand, batch.now
    stripped = await without_erased(session, tokens, brand.id, batch.shops, events)
    events = stripped.events
    customers = await _identify(batch, events) | stripped.owners
    early = await _store_early_facts(batch, events)
    recorded, edited, known = await _record_orders(batch, events, customers)
    orders, known_before = _unique(recorded[each] for each in events if each in recorded), set(known)
    # What somebody else has recorded meanwhile was no new order.
    raced = {_order_of(each) for each, order_id in recorded.items() if order_id in known_before}
    late = [each for each in events if each not in early or _order_of(each) in raced]
    changed = _unique([*edited, *await _record_facts(batch, late), *await _drop_refunds(batch, events)])
    await touch(session, brand.id, "orders", _unique([*orders, *changed]))
    if batch.stored:
        await link_customers(session, brand.id, customer_links(events, customers))
        if stripped.deliveries:
            await empty_in_process(session, brand.id, stripped.deliveries)
        await record_data_requests(session, brand.id, batch.shops, events)
    if batch.history:
        await skip_history(session, brand.id, [each for each in orders if each not in known_before])
        # No fact about an order of history changes why its survey is skipped; its customer may.
        await schedule_surveys(session, tokens, brand, _unique(edited), shops=batch.shops, now=now)
        await _reconsider_surveys(batch, events, customers)
        return
    await schedule_surveys(session, tokens, brand, _unique([*orders, *changed]), shops=batch.shops, now=now)
    await _reconsider_surveys(batch, events, customers)
    # Orders of all shops together, since the first to arrive wins a limited use. This includes the
    # facts that were reported before their order.
    await redeem_orders(session, tokens, brand, orders, now=now)
    await redecide_orders(session, tokens, brand, known, edited, now=now)
    await amend_discounts(session, tokens, brand, edited, now=now)
    await fold_order_facts(session, brand, changed, now=now)
    await use_own_codes(session, tokens, brand, _unique([*orders, *changed]), now=now)


async def _identify(batch: Batch, events: Sequence[ParsedEvent]) -> dict[ParsedEvent, UUID | None]:
    """The customer of each event that has a person; None for a person who cannot be recognised."""
    customers: dict[ParsedEvent, UUID | None] = {}
    for shop_id, people in people_by_shop(events).items():
        persons = [person for _, person in people]
        read = [event.read.person if event.read else None for event, _ in people]
        shop = batch.shops[shop_id]
        ids = await identify(batch.session, batch.brand, shop, persons, now=batch.now, read=read)
        customers |= dict(zip((event for event, _ in people), ids, strict=True))
    return customers


async def _record_orders(
    batch: Batch, events: Sequence[ParsedEvent], customers: Mapping[ParsedEvent, UUID | None]
) -> tuple[dict[ParsedEvent, UUID], list[UUID], list[UUID]]:
    """The paid order of each event that has one, those that changed, and those known before."""
    ids: dict[ParsedEvent, UUID] = {}
    changed: list[UUID] = []
    known: list[UUID] = []
    for shop_id, orders in orders_by_shop(events).items():
        incoming = [(order, customers[event]) for event, order in orders]
        found = await record_orders(
            batch.session,
            batch.tokens,
            batch.brand,
            batch.shops[shop_id],
            incoming,
            history=batch.history,
            known=batch.known_orders,
            read=[event.read.order if event.read else None for event, _ in orders],
        )
        ids |= dict(zip((event for event, _ in orders), found.ids, strict=True))
        changed += found.changed
        known += found.known
    return ids, changed, known


async def _store_early_facts(batch: Batch, events: Sequence[ParsedEvent]) -> set[ParsedEvent]:
    """Store facts about new orders before those, which so are written once; returns the events."""
    brought = {_order_of(each) for each in events if isinstance(each.event, OrderPaid)} & batch.new_orders
    early = [each for each in events if isinstance(each.event, FactEvent) and _order_of(each) in brought]
    for shop_id, facts in facts_by_shop(early).items():
        await store_facts(batch.session, batch.brand, batch.shops[shop_id], facts)
    return set(early)


def _order_of(event: ParsedEvent) -> str | None:
    """The external id of the order that an event is about."""
    about = event.event
    return external_order_id(about.order_id) if isinstance(about, (OrderPaid, FactEvent)) else None


async def _record_facts(batch: Batch, events: Sequence[ParsedEvent]) -> list[UUID]:
    """The known orders that something was reported about."""
    changed: list[UUID] = []
    for shop_id, facts in facts_by_shop(events).items():
        changed += await record_facts(batch.session, batch.brand, batch.shops[shop_id], facts)
    return changed


async def _drop_refunds(batch: Batch, events: Sequence[ParsedEvent]) -> list[UUID]:
    """The orders that have fewer refunds than was reported before, or one of these again."""
    changed: list[UUID] = []
    for shop_id, orders in orders_by_shop(events).items():
        shop, paid = batch.shops[shop_id], [order for _, order in orders]
        changed += await drop_deleted_refunds(batch.session, batch.brand, shop, paid)
    return changed


async def _reconsider_surveys(
    batch: Batch, events: Sequence[ParsedEvent], customers: Mapping[ParsedEvent, UUID | None]
) -> None:
    updated = [customers[each] for each in events if isinstance(each.event, CustomerUpdated)]
    known = [customer for customer in updated if customer]
    if known:
        await reconsider(batch.session, batch.tokens, batch.brand, known, now=batch.now)


async def _erase(batch: Batch, events: Sequence[ParsedEvent]) -> None:
    of_shops = [each for each in events if isinstance(each.event, ShopErased)]
    if of_shops:
        await request_shop_erasures(batch.session, batch.brand.id, batch.shops, of_shops, now=batch.now)
    of_people = [each for each in events if isinstance(each.event, CustomerErased)]
    if of_people:
        erased = await erase_requested(
            batch.session, batch.tokens, batch.brand, batch.shops, of_people, now=batch.now
        )
        await link_customers(batch.session, batch.brand.id, erased_links(erased))


def _unique(ids: Iterable[UUID]) -> list[UUID]:
    return list(dict.fromkeys(ids))


async def process_waiting(context: AppContext, brand_id: int, *, now: datetime, limit: int = BATCH) -> int:
    """Process the brand's oldest `limit` deliveries in one transaction; returns how many.

    One processor a brand at a time, by an advisory lock that ends with the transaction: who wins a
    limited use is decided in the order of arrival, and batches that share customers cannot
    deadlock. Raises `Busy` where another processor has the lock: that one may be frozen, and a
    caller that gets 0 (`tenfold run-due`) relies on nothing being left.
    """
    async with context.sessions.begin() as session:
        turn = await session.execute(select(func.pg_try_advisory_xact_lock(TURN, brand_id), PLAN_ONCE))
        if not turn.scalar_one():
            raise Busy(brand_id)
        waiting = await load_waiting(session, brand_id, limit)
        if not waiting:
            return 0
        setup = await load_setup(session, brand_id)
        batch = Batch(session, context.tokens, setup.brand, setup.shops, now)
        compares = any(PARSERS[each.source].compares_account for each in waiting)
        accounts = await load_accounts(session, brand_id) if compares else {}
        parsed = parse_deliveries(waiting, batch.shops, accounts)
        await ignore_unknown(session, brand_id, parsed)
        results = await process_isolated(session, parsed.events, lambda events: process_events(batch, events))
        results |= parsed.results
        results |= await request_fetches(session, brand_id, parsed.fetches, now=now)
        await write_results(session, brand_id, results, now=now)
        first = waiting[0].sequence
        await rescan(session, brand_id, after=first, now=now)
        return len(waiting)


def sweep(context: AppContext) -> Sweep:
    """The sweep that processes deliveries, brand by brand.

    A delivery is due once it is stored, whatever `now` is.
    """

    async def brands(_now: datetime) -> list[int]:
        async with context.reading_sessions() as session:
            rows = await session.scalars(
                select(Delivery.brand_id)
                .where(Delivery.status == DeliveryStatus.new)
                .distinct()
                .order_by(Delivery.brand_id)
            )
            return list(rows)

    async def work(brand_id: int, now: datetime) -> int:
        return await retry_conflicts(
            lambda: process_waiting(context, brand_id, now=now), name=SWEEP_NAME, tries=_TRIES
        )

    return Sweep(SWEEP_NAME, brands, work)
