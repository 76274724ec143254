"""What may be sent to whom: consent, the brand's basis, and addresses that get nothing any more."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import Row, and_, delete, literal, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.base.batch import in_ids, recordset
from app.base.tokens import Tokens
from app.brands.models import Brand
from app.brands.programme import Channel
from app.customers import rules
from app.customers.contact import email_identity, phone_e164
from app.customers.models import Consent, Customer, Suppression
from app.customers.rules import ContactOptions, NoContactReason, SuppressionReason

_Person = Row[UUID, str | None, str | None, str | None, str | None, str | None, str | None, str | None]


async def load_contact_options(
    session: AsyncSession, tokens: Tokens, brand: Brand, customer_ids: Collection[UUID]
) -> dict[UUID, ContactOptions]:
    """How each of these customers may be reached, by what is known now: consent, the brand's basis and suppressions.

    Customers of another brand are left out. Who was erased is there, without an address.
    """
    ids = list(set(customer_ids))
    if not ids:
        return {}
    people = await _people(session, brand.id, ids)
    said = await _said(session, brand.id, ids)
    suppressed = await _suppressed(session, tokens, brand.id, people)
    return {person.id: _reach_of(person, said, suppressed, brand) for person in people}


def _reach_of(
    person: _Person,
    said: Mapping[tuple[UUID, Channel], bool],
    suppressed: Mapping[tuple[Channel, str], SuppressionReason],
    brand: Brand,
) -> ContactOptions:
    # A row's values are unpacked at once: asked for one by one they cost more than the decision.
    customer_id, email, phone, first_name, last_name, locale, time_zone, country = person
    addresses: dict[Channel, str] = {}
    refusals: dict[Channel, NoContactReason] = {}
    basis = rules.email_basis(brand.countries, country)
    for channel, address in ((Channel.email, email), (Channel.sms, phone)):
        reason = suppressed.get((channel, address or ""))
        no = rules.refusal(channel, address, reason, said.get((customer_id, channel)), basis)
        if no is not None:
            refusals[channel] = no
        elif address is not None:
            addresses[channel] = address
    return ContactOptions(customer_id, addresses, refusals, first_name, last_name, locale, time_zone, country)


async def _people(session: AsyncSession, brand_id: int, ids: Sequence[UUID]) -> Sequence[_Person]:
    columns = (Customer.first_name, Customer.last_name, Customer.locale, Customer.time_zone, Customer.country)
    found = await session.execute(
        select(Customer.id, Customer.email, Customer.phone, *columns).where(
            Customer.brand_id == brand_id, in_ids(Customer.id, ids)
        )
    )
    return found.all()


async def _said(
    session: AsyncSession, brand_id: int, ids: Sequence[UUID]
) -> dict[tuple[UUID, Channel], bool]:
    found = await session.execute(
        select(Consent.customer_id, Consent.channel, Consent.given).where(
            Consent.brand_id == brand_id, in_ids(Consent.customer_id, ids)
        )
    )
    return {(row.customer_id, row.channel): row.given for row in found}


async def _suppressed(
    session: AsyncSession, tokens: Tokens, brand_id: int, people: Sequence[_Person]
) -> dict[tuple[Channel, str], SuppressionReason]:
    keyed = {
        (channel, tokens.address_key(address)): address
        for person in people
        for channel, address in ((Channel.email, person.email), (Channel.sms, person.phone))
        if address is not None
    }
    if not keyed:
        return {}
    rows = [{"channel": channel, "address_key": key} for channel, key in keyed]
    asked = recordset(rows, [Suppression.channel, Suppression.address_key])
    found = await session.execute(
        select(Suppression.channel, Suppression.address_key, Suppression.reason).join(
            asked,
            and_(
                Suppression.brand_id == brand_id,
                Suppression.channel == asked.c.channel,
                Suppression.address_key == asked.c.address_key,
            ),
        )
    )
    return {(row.channel, keyed[row.channel, row.address_key]): row.reason for row in found}


async def suppress(
    session: AsyncSession,
    tokens: Tokens,
    brand_id: int,
    channel: Channel,
    addresses: Sequence[str],
    reason: SuppressionReason,
    *,
    now: datetime,
) -> None:
    """Send nothing to these addresses on this channel any more; the first reason stays, so a repeat changes nothing.

    Addresses may come as a provider spells them. Nothing but the person's own undo ever lifts a suppression.
    """
    # One order of keys for everybody: two calls with the same addresses wait for each other rather than lock each other out.
    keys = sorted({tokens.address_key(plain_address(channel, address)) for address in addresses})
    rows = [{"channel": channel, "address_key": key, "reason": reason, "at": now} for key in keys]
    if not rows:
        return
    columns = [Suppression.channel, Suppression.address_key, Suppression.reason, Suppression.at]
    given = recordset(rows, columns)
    await session.execute(
        insert(Suppression)
        .from_select(
            ["brand_id", *(column.key for column in columns)],
            select(literal(brand_id), *given.c).order_by(given.c.address_key),
            include_defaults=False,
        )
        .on_conflict_do_nothing()
    )


async def lift_unsubscribe(
    session: AsyncSession, tokens: Tokens, brand_id: int, channel: Channel, address: str
) -> None:
    """Undo an unsubscription that the person takes back; any other suppression of the address stays."""
    await session.execute(
        delete(Suppression).where(
            Suppression.brand_id == brand_id,
            Suppression.channel == channel,
            Suppression.address_key == tokens.address_key(plain_address(channel, address)),
            Suppression.reason == SuppressionReason.unsubscribed,
        )
    )


async def suppressions_of(
    session: AsyncSession, tokens: Tokens, brand_id: int, email: str | None, phone: str | None
) -> list[tuple[Channel, SuppressionReason, datetime]]:
    """Which of one person's addresses get nothing any more, why and since when; e-mail first."""
    found_suppressions = []
    for channel, address in ((Channel.email, email), (Channel.sms, phone)):
        if address is None:
            continue
        found = await session.execute(
            select(Suppression.reason, Suppression.at).where(
                Suppression.brand_id == brand_id,
                Suppression.channel == channel,
                Suppression.address_key == tokens.address_key(plain_address(channel, address)),
            )
        )
        found_suppressions += [(channel, row.reason, row.at) for row in found]
    return found_suppressions


def plain_address(channel: Channel, address: str) -> str:
    """The address as customers keep it, so that its keyed hash is found again; what is unusable is only trimmed and lowered."""
    known = email_identity(address) if channel is Channel.email else phone_e164(address, [])
    return known or address.strip().lower()
