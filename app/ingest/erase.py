"""Erase people: in every package's tables at once, in raw deliveries by links and a later sweep.

A person is found by identity (customer, shop's id, e-mail, number) and never by a part of a text.
What waits is not touched: `strip_erased` takes the person out when its turn comes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import Select, func, insert, or_, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from app.base import due
from app.base.actor import Actor, ActorKind
from app.base.audit import AuditAction, erase_audit_values, record_action
from app.base.batch import in_ids
from app.base.ids import new_id
from app.base.outbox import Event, record_events
from app.base.tokens import Tokens
from app.brands.models import Brand, Shop
from app.brands.programme import Channel
from app.customers.consent import suppress
from app.customers.erase import erase_customer
from app.customers.erased import NOBODY, Identities, NewErasedIdentity, list_erased
from app.customers.rules import SuppressionReason
from app.ingest.bodies import empty_in_process, empty_linked
from app.ingest.identities import (
    find_named_customers,
    identities_of,
    load_identities,
    person_of,
)
from app.ingest.models import Erasure
from app.ingest.rules import ParsedEvent
from app.messaging.erase import erase_messages
from app.messaging.models import Message
from app.orders.erase import erase_orders
from app.platforms.events import CustomerErased
from app.referrals.erase import erase_referrals
from app.referrals.models import Code, Redemption, Referrer
from app.referrals.reward_models import Reward
from app.surveys.erase import erase_responses
from app.surveys.models import Response

SWEEP_NAME = "erasures"
CUSTOMER_ERASED = "customer.erased"
"""The kind of the domain event, whose subject is the customer."""


UNKNOWN: Sequence[UUID | None] = (None,)
"""The customers of a person whom no customer is."""


@dataclass(frozen=True, slots=True)
class PersonToErase:
    """One person: the customers they are, and what else is known to identify them."""

    customer_ids: frozenset[UUID]
    identities: Identities = NOBODY
    sequence: int | None = None
    """The erasure's place in the order of arrival; None: after all that has arrived."""


async def erase_requested(
    session: AsyncSession,
    tokens: Tokens,
    brand: Brand,
    shops: Mapping[UUID, Shop],
    events: Sequence[ParsedEvent],
    *,
    now: datetime,
) -> dict[ParsedEvent, frozenset[UUID]]:
    """Erase whom `customer.erased` events name; returns the customers found for each event.

    Somebody whom no customer is yet is put on the list and suppressed all the same, since a
    delivery that names them may be waiting for its fetch or a replay.
    """
    named = {each: _identities(each, shops) for each in events}
    found = await find_named_customers(session, brand.id, named)
    people = [PersonToErase(found[each], named[each], each.sequence) for each in events]
    actor = Actor(ActorKind.platform, brand.id, events[0].shop_id)
    await erase_people(session, tokens, brand, shops, people, actor=actor, now=now)
    await empty_in_process(session, brand.id, [each.delivery_id for each in events])
    return found


def _identities(each: ParsedEvent, shops: Mapping[UUID, Shop]) -> Identities:
    event = each.event
    person = person_of(event)
    if not isinstance(event, CustomerErased) or person is None:
        raise TypeError(f"{type(event).__name__} is no erasure")
    return identities_of(person, shops[each.shop_id])


async def erase_people(
    session: AsyncSession,
    tokens: Tokens,
    brand: Brand,
    shops: Mapping[UUID, Shop],
    people: Sequence[PersonToErase],
    *,
    actor: Actor,
    now: datetime,
) -> None:
    """Delete these people's personal data; amounts and scores stay under their ids. Idempotent.

    Processed deliveries that are linked to them lose their content at once. The sweep `erasures`
    does the rest: it reads deliveries that are linked to nobody, outside of every lock. Audited by
    the customers' ids alone.
    """
    ids = sorted({customer_id for person in people for customer_id in person.customer_ids})
    known = await load_identities(session, brand.id, shops, ids)
    await _mark(session, tokens, brand.id, people, known, now=now)
    every = Identities()
    for identities in (*known.values(), *(person.identities for person in people)):
        every |= identities
    await erase_rows(session, tokens, brand, ids, now=now)
    for channel, addresses in ((Channel.email, every.emails), (Channel.sms, every.phones)):
        await suppress(
            session, tokens, brand.id, channel, sorted(addresses), SuppressionReason.erased, now=now
        )
    for customer_id in ids:
        await record_action(session, actor, AuditAction.customer_erased, ("cus", customer_id))
    await due.wake(session, SWEEP_NAME)


async def _mark(
    session: AsyncSession,
    tokens: Tokens,
    brand_id: int,
    people: Sequence[PersonToErase],
    known: Mapping[UUID, Identities],
    *,
    now: datetime,
) -> None:
    """Put the people on the list of the erased, and write what the sweep has to do."""
    marks: list[NewErasedIdentity] = []
    rows = []
    for person in people:
        sequence = await next_sequence(session) if person.sequence is None else person.sequence
        ids = sorted(person.customer_ids)
        parts = [(ids[0] if ids else None, person.identities), *((one, known[one]) for one in ids)]
        for customer_id, identities in parts:
            marks += [NewErasedIdentity(key, customer_id, sequence, now) for key in identities.keys(tokens)]
        rows += [erasure_row(brand_id, sequence, now=now, customer_id=one) for one in (ids or UNKNOWN)]
    await list_erased(session, brand_id, marks)
    if rows:
        await session.execute(insert(Erasure), rows)


def erasure_row(
    brand_id: int,
    sequence: int,
    *,
    now: datetime,
    customer_id: UUID | None = None,
    shop_id: UUID | None = None,
) -> dict[str, object]:
    """The values of an `Erasure` whose first pass is due at once."""
    return {
        "brand_id": brand_id,
        "id": new_id(),
        "customer_id": customer_id,
        "shop_id": shop_id,
        "sequence": sequence,
        "passes": 0,
        "due_at": now,
        "erased_at": now,
    }


async def next_sequence(session: AsyncSession) -> int:
    """A place in the order of arrival behind every delivery that is stored."""
    found = await session.scalar(
        select(func.nextval(text("pg_get_serial_sequence('deliveries', 'sequence')::regclass")))
    )
    return int(found or 0)


async def erase_rows(
    session: AsyncSession, tokens: Tokens, brand: Brand, customer_ids: Sequence[UUID], *, now: datetime
) -> None:
    """Delete what the tables hold of these customers, linked raw content included. Idempotent."""
    ids = list(customer_ids)
    if not ids:
        return
    # Before the customers' rows are locked, so that a delivery's row is never waited for with them.
    await empty_linked(session, brand.id, ids)
    await erase_customer(session, tokens, brand.id, ids, now=now)
    await erase_orders(session, brand.id, ids)
    await erase_responses(session, brand.id, ids)
    await erase_referrals(session, tokens, brand.id, ids, now=now)
    await erase_messages(session, brand.id, ids)
    await erase_audit_values(session, brand.id, ids, *_subjects(brand.id, ids))
    await record_events(session, brand.id, [Event(CUSTOMER_ERASED, each, now) for each in ids])


def _subjects(brand_id: int, ids: Sequence[UUID]) -> list[Select[UUID]]:
    """The rows about these customers that an audit entry may be about."""
    referrers = select(Referrer.id).where(Referrer.brand_id == brand_id, in_ids(Referrer.customer_id, ids))
    return [
        referrers,
        select(Code.id).where(Code.brand_id == brand_id, Code.referrer_id.in_(referrers)),
        select(Reward.id).where(Reward.brand_id == brand_id, Reward.referrer_id.in_(referrers)),
        select(Message.id).where(Message.brand_id == brand_id, in_ids(Message.customer_id, ids)),
        select(Response.id).where(Response.brand_id == brand_id, in_ids(Response.customer_id, ids)),
        select(Redemption.id).where(
            Redemption.brand_id == brand_id,
            or_(Redemption.referrer_id.in_(referrers), in_ids(Redemption.friend_id, ids)),
        ),
    ]
