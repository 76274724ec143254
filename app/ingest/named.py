"""Which raw deliveries name erased people, by the parsed values in them."""

from collections.abc import Collection, Mapping, Sequence
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.base.batch import recordset
from app.base.tokens import Tokens
from app.brands.models import Shop
from app.customers.erased import ErasedPerson, email_hash, find_erased, phone_hash, reference_hash
from app.customers.models import Customer
from app.ingest.claim import WaitingDelivery
from app.ingest.identities import people_in, regions_of
from app.ingest.mentions import Mentions, mentions_of
from app.ingest.rules import DeliveryStatus
from app.ingest.strip_erased import proofs_of
from app.orders.models import Order
from app.referrals.erase import find_erased_codes


async def find_named(
    session: AsyncSession,
    tokens: Tokens,
    brand_id: int,
    shops: Mapping[UUID, Shop],
    deliveries: Sequence[WaitingDelivery],
    *,
    codes_only: bool = False,
    listed: Mapping[bytes, ErasedPerson] | None = None,
) -> dict[UUID, UUID | None]:
    """Those of these deliveries that name an erased person, with the person's emptied customer.

    A failed delivery can still be replayed, so it only counts where the person is its buyer: what
    it holds of another buyer's order must not be lost. With `codes_only` only codes of erased
    referrers count, and the customer is None. `listed` is used
    instead of the list of erased people.
    """
    mentions = {each.id: _mentions(each, shops) for each in deliveries}
    if codes_only:
        return await _by_code(session, tokens, brand_id, deliveries, mentions)
    proofs = _buyers(tokens, shops, deliveries)
    keys = {
        each.id: [*proofs.get(each.id, ()), *_keys(tokens, each, mentions[each.id])] for each in deliveries
    }
    named: dict[UUID, UUID | None] = {}
    if listed is None:
        named |= await _by_code(session, tokens, brand_id, deliveries, mentions)
        named |= await _by_order(session, brand_id, deliveries, mentions)
        listed = await find_erased(session, brand_id, {key for one in keys.values() for key in one})
    for each in deliveries:
        person = _first(listed, keys[each.id], each.sequence)
        if person is not None:
            named[each.id] = person.customer_id
    return named


def _mentions(delivery: WaitingDelivery, shops: Mapping[UUID, Shop]) -> Mentions:
    regions = regions_of(shops[delivery.shop_id])
    found = mentions_of(delivery.body, topic=delivery.topic, regions=regions)
    if delivery.fetched:
        found.add(mentions_of(delivery.fetched, topic=delivery.topic, regions=regions))
    return found


def _buyers(
    tokens: Tokens, shops: Mapping[UUID, Shop], deliveries: Sequence[WaitingDelivery]
) -> dict[UUID, list[bytes]]:
    """What proves who the people are that the deliveries are about, where these can be parsed."""
    proofs: dict[UUID, list[bytes]] = {}
    for delivery_id, identities in people_in(deliveries, shops):
        proofs.setdefault(delivery_id, []).extend(proofs_of(identities, tokens))
    return proofs


def _keys(tokens: Tokens, delivery: WaitingDelivery, found: Mentions) -> list[bytes]:
    """The hashes of what counts in a delivery; a number counts where no e-mail address stands."""
    emails = found.buyer_emails if delivery.status is DeliveryStatus.failed else found.emails
    phones = set() if found.emails else found.phones
    return [
        *(reference_hash(tokens, delivery.shop_id, each) for each in sorted(found.references)),
        *(email_hash(tokens, each) for each in sorted(emails)),
        *(phone_hash(tokens, each) for each in sorted(phones)),
    ]


def _first(
    erased: Mapping[bytes, ErasedPerson], keys: Collection[bytes], sequence: int
) -> ErasedPerson | None:
    found = (erased[key] for key in keys if key in erased)
    return next((person for person in found if person.sequence > sequence), None)


async def _by_code(
    session: AsyncSession,
    tokens: Tokens,
    brand_id: int,
    deliveries: Sequence[WaitingDelivery],
    mentions: Mapping[UUID, Mentions],
) -> dict[UUID, UUID | None]:
    """The deliveries that hold a code of an erased referrer, and have not failed."""
    replaced = await find_erased_codes(
        session, tokens, brand_id, {code for one in mentions.values() for code in one.codes}
    )
    return {
        each.id: None
        for each in deliveries
        if each.status is not DeliveryStatus.failed and mentions[each.id].codes & replaced.keys()
    }


async def _by_order(
    session: AsyncSession,
    brand_id: int,
    deliveries: Sequence[WaitingDelivery],
    mentions: Mapping[UUID, Mentions],
) -> dict[UUID, UUID | None]:
    """The deliveries that report something about an order of an erased person."""
    rows = [
        {"shop_id": each.shop_id, "external_id": order_id}
        for each in deliveries
        for order_id in mentions[each.id].orders
    ]
    if not rows:
        return {}
    given = recordset(rows, [Order.shop_id, Order.external_id])
    found = await session.execute(
        select(Order.shop_id, Order.external_id, Order.customer_id)
        .join(Customer, (Customer.brand_id == Order.brand_id) & (Customer.id == Order.customer_id))
        .where(
            Order.brand_id == brand_id,
            Order.shop_id == given.c.shop_id,
            Order.external_id == given.c.external_id,
            Customer.erased_at.is_not(None),
        )
    )
    owners = {(row.shop_id, row.external_id): row.customer_id for row in found}
    return {
        each.id: owners[each.shop_id, order_id]
        for each in deliveries
        for order_id in mentions[each.id].orders
        if (each.shop_id, order_id) in owners
    }
