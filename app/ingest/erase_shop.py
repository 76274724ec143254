"""Erase a shop's people, as a platform asks for once the shop has left it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import ColumnElement, delete, exists, insert, or_, select, union, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.base.actor import Actor, ActorKind
from app.base.batch import in_ids
from app.base.context import AppContext
from app.brands.find import load_brand, load_shops
from app.brands.models import Shop
from app.customers.models import Customer, CustomerReference, FormerReference
from app.ingest.bodies import empty_deliveries
from app.ingest.erase import PersonToErase, erase_people, erasure_row
from app.ingest.models import Delivery, DeliveryFetch, Erasure
from app.ingest.rules import DeliveryStatus, ParsedEvent
from app.orders.models import Order
from app.platforms.connections import load_rows
from app.platforms.events import ShopErased, Unparseable
from app.platforms.models import ShopConnection
from app.platforms.registry import adapter_of

CHUNK = 200
NIGHTLY = timedelta(hours=26)
"""A connection that is checked each night was checked within this time."""
SHOP_ERASED = "Its shop's people were erased."


@dataclass(frozen=True, slots=True)
class ShopErasure:
    """The erasure of a shop's people: whoever comes later is not concerned."""

    shop_id: UUID
    sequence: int
    """Its place in the order of arrival of deliveries."""
    written_at: datetime
    """By the database's clock, as `created_at` of customers and orders."""


async def request_shop_erasures(
    session: AsyncSession,
    brand_id: int,
    shops: Mapping[UUID, Shop],
    events: Sequence[ParsedEvent],
    *,
    now: datetime,
) -> None:
    """Write that the people of these events' shops are to be erased; the sweep does it.

    Raises `Unparseable` where an event names a shop that is not of the brand, and where the shop is
    still connected.
    """
    connections = await load_rows(session, brand_id)
    rows = []
    for each in events:
        shop_id = _shop_that_left(each, shops, connections)
        if shop_id in connections:
            _check_left(connections[shop_id], now=now)
        rows.append(erasure_row(brand_id, each.sequence, now=now, shop_id=shop_id))
    await session.execute(insert(Erasure), rows)


def _shop_that_left(
    each: ParsedEvent, shops: Mapping[UUID, Shop], connections: Mapping[UUID, ShopConnection]
) -> UUID:
    """The shop whose account the event names, else the one that it was delivered for.

    An app may be installed in several shops, as in one to try things in, and then delivers for all
    of them to one address.
    """
    stated = each.event.account if isinstance(each.event, ShopErased) else None
    if stated is None:
        return each.shop_id
    for shop_id, connection in connections.items():
        if adapter_of(shops[shop_id].platform).names_account(connection.account, stated):
            return shop_id
    if each.shop_id in connections:
        account = connections[each.shop_id].account
        raise Unparseable(
            f"The shop {stated} has left its platform; this one is {account}, so nobody was erased."
        )
    return each.shop_id


def _check_left(connection: ShopConnection, *, now: datetime) -> None:
    """A platform says so days after the app was removed, though it be there again since.

    Raises `Unparseable` for a shop whose connection worked in the last night.
    """
    checked_at = connection.checked_at
    if connection.webhooks and checked_at is not None and now - checked_at <= NIGHTLY:
        raise Unparseable(
            f"The shop {connection.account} is connected again since it was left, so nobody was erased."
            " If they must be: disconnect the shop, and replay this delivery."
        )


async def erase_shop_people(
    context: AppContext, brand_id: int, erasure: ShopErasure, *, now: datetime
) -> None:
    """Erase the people whom only this shop knew, and what it had delivered, at the erasure's time.

    Somebody whom another shop of the brand knows too stays there: they lose this shop's id, and the
    keyed hashes of the addresses that their orders of this shop went to.
    """
    while await _erase_some(context, brand_id, erasure, now=now):
        pass
    async with context.sessions.begin() as session:
        await _leave(session, brand_id, erasure)
    while True:
        async with context.sessions.begin() as session:
            if not await _empty_some(session, brand_id, erasure, now=now):
                return


async def _erase_some(context: AppContext, brand_id: int, erasure: ShopErasure, *, now: datetime) -> bool:
    async with context.sessions.begin() as session:
        ids = await _only_here(session, brand_id, erasure)
        if not ids:
            return False
        brand = await load_brand(session, brand_id)
        await erase_people(
            session,
            context.tokens,
            brand,
            await load_shops(session, brand_id),
            [PersonToErase(frozenset({each}), sequence=erasure.sequence) for each in ids],
            actor=Actor(ActorKind.platform, brand_id, erasure.shop_id),
            now=now,
        )
        return True


async def _only_here(session: AsyncSession, brand_id: int, erasure: ShopErasure) -> list[UUID]:
    """Some customers who are known, by an id or an order, to this shop and to no other."""
    shop_id = erasure.shop_id
    here = union(
        select(CustomerReference.customer_id).where(
            CustomerReference.brand_id == brand_id, CustomerReference.shop_id == shop_id
        ),
        select(Order.customer_id).where(Order.brand_id == brand_id, Order.shop_id == shop_id),
    ).subquery()
    found = await session.scalars(
        select(Customer.id)
        .where(
            Customer.brand_id == brand_id,
            Customer.erased_at.is_(None),
            Customer.created_at < erasure.written_at,
            Customer.id.in_(select(here.c.customer_id)),
            ~or_(
                exists().where(
                    CustomerReference.brand_id == brand_id,
                    CustomerReference.customer_id == Customer.id,
                    CustomerReference.shop_id != shop_id,
                ),
                exists().where(
                    Order.brand_id == brand_id, Order.customer_id == Customer.id, Order.shop_id != shop_id
                ),
            ),
        )
        .order_by(Customer.id)
        .limit(CHUNK)
    )
    return list(found)


async def _leave(session: AsyncSession, brand_id: int, erasure: ShopErasure) -> None:
    known_before = select(Customer.id).where(
        Customer.brand_id == brand_id, Customer.created_at < erasure.written_at
    )
    for table in (CustomerReference, FormerReference):
        await session.execute(
            delete(table)
            .where(
                table.brand_id == brand_id,
                table.shop_id == erasure.shop_id,
                table.customer_id.in_(known_before),
            )
            .execution_options(synchronize_session=False)
        )
    await session.execute(
        update(Order)
        .values(address_key=None, payment_key=None)
        .where(
            Order.brand_id == brand_id,
            Order.shop_id == erasure.shop_id,
            Order.created_at < erasure.written_at,
            or_(Order.address_key.is_not(None), Order.payment_key.is_not(None)),
        )
        .execution_options(synchronize_session=False)
    )


async def _empty_some(session: AsyncSession, brand_id: int, erasure: ShopErasure, *, now: datetime) -> bool:
    """Empty the shop's next deliveries; what was still to be fetched never will be."""
    of_shop: list[ColumnElement[bool]] = [
        Delivery.brand_id == brand_id,
        Delivery.shop_id == erasure.shop_id,
        Delivery.sequence < erasure.sequence,
    ]
    fetching = list(
        await session.scalars(
            update(Delivery)
            .where(*of_shop, Delivery.status == DeliveryStatus.fetching)
            .values(status=DeliveryStatus.ignored, reason=SHOP_ERASED, processed_at=now)
            .returning(Delivery.id)
            .execution_options(synchronize_session=False)
        )
    )
    await session.execute(
        update(DeliveryFetch)
        .where(DeliveryFetch.brand_id == brand_id, in_ids(DeliveryFetch.delivery_id, fetching))
        .values(due_at=None)
        .execution_options(synchronize_session=False)
    )
    ids = list(
        await session.scalars(
            select(Delivery.id)
            .outerjoin(
                DeliveryFetch,
                (DeliveryFetch.brand_id == brand_id) & (DeliveryFetch.delivery_id == Delivery.id),
            )
            .where(
                *of_shop,
                Delivery.status.not_in((DeliveryStatus.new, DeliveryStatus.fetching)),
                or_(Delivery.body != b"", DeliveryFetch.body != b""),
            )
            .order_by(Delivery.id)
            .limit(CHUNK)
        )
    )
    return await empty_deliveries(session, brand_id, ids) > 0
