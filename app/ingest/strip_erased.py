"""Take erased people, and codes that named them, out of the deliveries that waited meanwhile.

The order itself stays, under the emptied row of the person; the others of the batch are untouched.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from app.base.tokens import Tokens, plain_code
from app.brands.models import Shop
from app.customers.erased import (
    ErasedPerson,
    Identities,
    email_hash,
    find_erased,
    has_erased,
    phone_hash,
    reference_hash,
)
from app.customers.person import Person
from app.ingest.identities import identities_of, person_of
from app.ingest.rules import ParsedEvent
from app.platforms.events import CustomerErased, CustomerUpdated, DataRequested, OrderPaid
from app.referrals.erase import find_erased_codes


@dataclass(frozen=True, slots=True)
class StrippedEvents:
    """The events of a batch without erased people."""

    events: Sequence[ParsedEvent]
    owners: dict[ParsedEvent, UUID | None]
    """The emptied customer to whom an event belongs that named an erased person."""
    deliveries: frozenset[UUID]
    """Deliveries whose content must not be kept."""


async def without_erased(
    session: AsyncSession,
    tokens: Tokens,
    brand_id: int,
    shops: Mapping[UUID, Shop],
    events: Sequence[ParsedEvent],
) -> StrippedEvents:
    """The events without the people who were erased after they had arrived.

    One query where nobody was, and one more where there are codes.
    """
    erased = await _erased_people(session, tokens, brand_id, shops, events)
    codes = await _erased_codes(session, tokens, brand_id, events)
    if not erased and not codes:
        return StrippedEvents(events, {}, frozenset())
    kept: list[ParsedEvent] = []
    owners: dict[ParsedEvent, UUID | None] = {}
    deliveries = {each.delivery_id for each in erased}
    for each in events:
        event, person = each.event, erased.get(each)
        if person is not None and isinstance(event, (CustomerUpdated, DataRequested)):
            continue
        if isinstance(event, OrderPaid):
            plain = tuple(codes.get(plain_code(code), code) for code in event.discount_codes)
            if plain != event.discount_codes:
                event = replace(event, discount_codes=plain)
                deliveries.add(each.delivery_id)
            if person is not None:
                event = _without_person(event)
        stripped = each if event is each.event else replace(each, event=event, read=None)
        kept.append(stripped)
        if person is not None and person.customer_id is not None:
            owners[stripped] = person.customer_id
    return StrippedEvents(kept, owners, frozenset(deliveries))


def _without_person(order: OrderPaid) -> OrderPaid:
    return replace(order, person=Person(), shipping_address=(), payment_fingerprint=None, tags=())


async def _erased_people(
    session: AsyncSession,
    tokens: Tokens,
    brand_id: int,
    shops: Mapping[UUID, Shop],
    events: Sequence[ParsedEvent],
) -> dict[ParsedEvent, ErasedPerson]:
    """Who of the events was erased by an erasure that came after the event."""
    with_person = [
        (each, person)
        for each in events
        if not isinstance(each.event, CustomerErased) and (person := person_of(each.event)) is not None
    ]
    earliest = min((each.sequence for each, _ in with_person), default=None)
    if earliest is None or not await has_erased(session, brand_id, after=earliest):
        return {}
    hashes = {
        each: proofs_of(identities_of(person, shops[each.shop_id]), tokens) for each, person in with_person
    }
    found = await find_erased(session, brand_id, {key for keys in hashes.values() for key in keys})
    return {
        each: erased
        for each, keys in hashes.items()
        for key in reversed(keys)
        if (erased := found.get(key)) is not None and erased.sequence > each.sequence
    }


def proofs_of(identities: Identities, tokens: Tokens) -> list[bytes]:
    """The hashes that prove who a person is, the strongest first.

    A number alone is no proof beside an address or an id, since families share a number.
    """
    proofs = [reference_hash(tokens, *reference) for reference in identities.references]
    proofs += [email_hash(tokens, email) for email in identities.emails]
    return proofs or [phone_hash(tokens, phone) for phone in identities.phones]


async def _erased_codes(
    session: AsyncSession, tokens: Tokens, brand_id: int, events: Sequence[ParsedEvent]
) -> dict[str, str]:
    entered = {
        plain_code(code)
        for each in events
        if isinstance(each.event, OrderPaid)
        for code in each.event.discount_codes
    }
    return await find_erased_codes(session, tokens, brand_id, entered)
