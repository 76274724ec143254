"""Everything that identifies the people to be erased: also former addresses, numbers and ids."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.base.batch import in_ids
from app.brands.models import Shop
from app.customers.contact import email_identity, phone_e164
from app.customers.erased import Identities
from app.customers.former import find_holders, find_owners, references_of
from app.customers.match import comparable
from app.customers.models import Customer
from app.customers.person import Person
from app.customers.places import shop_regions
from app.ingest.bodies import load_linked
from app.ingest.claim import WaitingDelivery
from app.ingest.models import DeliveryCustomer
from app.ingest.parse import parse_deliveries
from app.ingest.rules import ParsedEvent
from app.messaging.models import Message
from app.platforms.events import CustomerErased, CustomerUpdated, DataRequested, OrderPaid, PlatformEvent

_ANY_TIME = datetime.min.replace(tzinfo=UTC)
"""When something was stated does not matter to who it is about."""


def regions_of(shop: Shop) -> tuple[str, ...]:
    """The countries in which a national number of the shop's customers may be."""
    return shop_regions(shop.locale, shop.time_zone, shop.currency)


def identities_of(person: Person, shop: Shop) -> Identities:
    """What identifies a person of a delivery of this shop.

    A request for erasure names no country, so a national number is read in the shop's.
    """
    plain = comparable(person, now=_ANY_TIME)
    names_country = person.country or person.phone_country
    phone = plain.phone if names_country else phone_e164(person.phone, regions_of(shop))
    return Identities(
        _set(plain.email),
        _set(phone),
        frozenset({(shop.id, plain.external_id)} if plain.external_id else ()),
    )


def person_of(event: PlatformEvent) -> Person | None:
    """The person whom an event is about; None for a fact about an order."""
    match event:
        case OrderPaid() | CustomerUpdated():
            return event.person
        case CustomerErased() | DataRequested():
            return Person(external_id=event.external_id, email=event.email, phone=event.phone)
        case _:
            return None


async def find_named_customers(
    session: AsyncSession, brand_id: int, named: Mapping[ParsedEvent, Identities]
) -> dict[ParsedEvent, frozenset[UUID]]:
    """The customers that each event's person is: by the shop's id, by e-mail, else by phone.

    Who had one of their ids before is included, since they changed their address. A phone number
    alone is no proof, since families share a number: it finds those without an e-mail address.
    """
    every = Identities()
    for identities in named.values():
        every |= identities
    holders = await find_holders(session, brand_id, every.references)
    owners = await find_owners(session, brand_id, every.emails, every.phones, ())
    owned = await references_of(session, brand_id, list(set(owners.values())))
    former = await find_holders(
        session, brand_id, {(shop_id, external_id) for shop_id, external_id, _ in owned}
    )
    same: dict[UUID, set[UUID]] = {owner: {owner} for owner in owners.values()}
    for shop_id, external_id, owner in owned:
        same[owner] |= former.get((shop_id, external_id), set())
    return {
        each: frozenset(
            {
                *(holder for reference in one.references for holder in holders.get(reference, ())),
                *(
                    customer_id
                    for value in (*one.emails, *one.phones)
                    if value in owners
                    for customer_id in same[owners[value]]
                ),
            }
        )
        for each, one in named.items()
    }


async def load_identities(
    session: AsyncSession, brand_id: int, shops: Mapping[UUID, Shop], customer_ids: Sequence[UUID]
) -> dict[UUID, Identities]:
    """What identified each of these customers, at present and before.

    It comes from their rows, the messages they got, and the raw deliveries that name them. What
    belongs to somebody else by now is left out.
    """
    if not customer_ids:
        return {}
    found = dict.fromkeys(customer_ids, Identities())
    for part in (
        await _own(session, brand_id, customer_ids),
        await _written_to(session, brand_id, customer_ids),
        await _in_deliveries(session, brand_id, shops, customer_ids),
    ):
        for customer_id, identities in part:
            found[customer_id] |= identities
    return await _without_others(session, brand_id, found)


_Found = list[tuple[UUID, Identities]]


async def _own(session: AsyncSession, brand_id: int, customer_ids: Sequence[UUID]) -> _Found:
    rows = await session.execute(
        select(Customer.id, Customer.email, Customer.phone).where(
            Customer.brand_id == brand_id, in_ids(Customer.id, customer_ids)
        )
    )
    references = await references_of(session, brand_id, customer_ids, former=True)
    return [
        *((row.id, Identities(_set(row.email), _set(row.phone))) for row in rows),
        *(
            (customer_id, Identities(references=frozenset({(shop_id, external_id)})))
            for shop_id, external_id, customer_id in references
        ),
    ]


async def _written_to(session: AsyncSession, brand_id: int, customer_ids: Sequence[UUID]) -> _Found:
    rows = await session.execute(
        select(Message.customer_id, Message.address)
        .where(
            Message.brand_id == brand_id,
            in_ids(Message.customer_id, customer_ids),
            Message.address.is_not(None),
        )
        .distinct()
    )
    return [
        (row.customer_id, Identities(_set(email_identity(row.address)), _set(phone_e164(row.address, []))))
        for row in rows
    ]


async def _in_deliveries(
    session: AsyncSession, brand_id: int, shops: Mapping[UUID, Shop], customer_ids: Sequence[UUID]
) -> _Found:
    found: _Found = []
    after: UUID | None = None
    while linked := await load_linked(session, brand_id, customer_ids, after=after):
        after = linked[-1].id
        owners = await _owners(session, brand_id, customer_ids, [each.id for each in linked])
        for delivery_id, identities in people_in(linked, shops):
            found += [(owner, identities) for owner in owners.get(delivery_id, ())]
    return found


def people_in(
    deliveries: Sequence[WaitingDelivery], shops: Mapping[UUID, Shop]
) -> Iterable[tuple[UUID, Identities]]:
    """The people of each delivery that can be parsed, by the delivery's id."""
    for events in parse_deliveries(deliveries, shops).events:
        for each in events:
            person = person_of(each.event)
            if person is not None and each.shop_id in shops:
                yield each.delivery_id, identities_of(person, shops[each.shop_id])


async def _owners(
    session: AsyncSession, brand_id: int, customer_ids: Sequence[UUID], delivery_ids: Sequence[UUID]
) -> dict[UUID, list[UUID]]:
    """Which of these customers each delivery names; one that names several counts for none.

    Nobody knows whose address it then holds.
    """
    rows = await session.execute(
        select(DeliveryCustomer.delivery_id, DeliveryCustomer.customer_id).where(
            DeliveryCustomer.brand_id == brand_id, in_ids(DeliveryCustomer.delivery_id, delivery_ids)
        )
    )
    named: dict[UUID, list[UUID]] = {}
    for row in rows:
        named.setdefault(row.delivery_id, []).append(row.customer_id)
    wanted = set(customer_ids)
    return {delivery_id: ids for delivery_id, ids in named.items() if len(ids) == 1 and ids[0] in wanted}


async def _without_others(
    session: AsyncSession, brand_id: int, found: dict[UUID, Identities]
) -> dict[UUID, Identities]:
    owners = await find_owners(
        session,
        brand_id,
        {email for each in found.values() for email in each.emails},
        {phone for each in found.values() for phone in each.phones},
        {reference for each in found.values() for reference in each.references},
    )
    others = {value for value, owner in owners.items() if owner not in found}
    return {
        customer_id: Identities(
            frozenset(each.emails - others),
            frozenset(each.phones - others),
            frozenset(each.references - others),
        )
        for customer_id, each in found.items()
    }


def _set(value: str | None) -> frozenset[str]:
    return frozenset({value} if value else ())
