"""How customers may be contacted (consent, the brand's basis), and suppressed addresses."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import ColumnElement, ScalarSelect, and_, bindparam, literal, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.base.batch import arrays_of_tuples, bound_recordset, in_bound_ids, recordset
from app.base.ids import new_id
from app.base.precedence import in_pieces
from app.base.prepared import Prepared
from app.base.tokens import Tokens
from app.brands.models import Brand
from app.brands.programme import Channel
from app.brands.rules import CountryRulesJson
from app.customers import rules
from app.customers.contact import email_identity, phone_e164
from app.customers.models import ConsentFact, Customer, Suppression
from app.customers.rules import OWN_DECISIONS, ContactOptions, NoContactReason, SuppressionReason


class _Person(NamedTuple):
    id: UUID
    email: str | None
    phone: str | None
    first_name: str | None
    last_name: str | None
    locale: str | None
    time_zone: str | None
    country: str | None
    erased: bool
    by_email: bool | None
    by_sms: bool | None


async def load_contact_options(
    session: AsyncSession, tokens: Tokens, brand: Brand, customer_ids: Collection[UUID]
) -> dict[UUID, ContactOptions]:
    """How each of these customers may be contacted: by consents, basis and suppressions.

    Customers of another brand are left out. An erased customer is included, without an address.
    """
    ids = list(set(customer_ids))
    if not ids:
        return {}
    people = await _PEOPLE.all(session, of_brand=brand.id, ids=ids)
    suppressed = await _load_suppressed(session, tokens, brand.id, people)
    countries = brand.countries
    return {person.id: _contact_options(person, suppressed, countries) async for person in in_pieces(people)}


async def countries_without_consent(session: AsyncSession, brand_id: int) -> frozenset[str]:
    """Where the brand writes with consent alone; none once a customer has consented to e-mail.

    A trial's consent is the operator's own: it says nothing of what the shop passes on.
    """
    known = select(ConsentFact.brand_id).where(
        ConsentFact.brand_id == brand_id,
        ConsentFact.channel == Channel.email,
        ConsentFact.given,
        ConsentFact.source.is_distinct_from(rules.TRIAL_SOURCE),
    )
    wanted = select(Brand.countries).where(Brand.id == brand_id, ~known.exists())
    countries = await session.scalar(wanted)
    return frozenset() if countries is None else rules.consent_countries(countries)


def latest_consent(channel: Channel) -> ScalarSelect[bool | None]:
    """What the `Customer` stated last about the channel, of two at one time the refusal; else null.

    A lookup by the key for each customer, whatever the planner knows of the tables.
    """
    return (
        select(ConsentFact.given)
        .where(
            ConsentFact.brand_id == Customer.brand_id,
            ConsentFact.customer_id == Customer.id,
            ConsentFact.channel == channel,
        )
        .order_by(ConsentFact.at.desc(), ConsentFact.given)
        .limit(1)
        .scalar_subquery()
    )


_PEOPLE = Prepared(
    select(
        Customer.id,
        Customer.email,
        Customer.phone,
        Customer.first_name,
        Customer.last_name,
        Customer.locale,
        Customer.time_zone,
        Customer.country,
        Customer.erased_at.is_not(None),
        latest_consent(Channel.email),
        latest_consent(Channel.sms),
    ).where(Customer.brand_id == bindparam("of_brand"), in_bound_ids(Customer.id, "ids")),
    _Person,
)


_NONE: Mapping[Channel, str] = {}


def _contact_options(
    person: _Person,
    suppressed: Mapping[tuple[Channel, str], SuppressionReason],
    countries: Mapping[str, CountryRulesJson],
) -> ContactOptions:
    # A row is unpacked at once: reading its values one by one costs more than the decision.
    customer_id, email, phone, first_name, last_name, locale, time_zone, country, erased, *consents = person
    addresses: dict[Channel, str] = {}
    without_consent: Mapping[Channel, str] = _NONE
    refusals: dict[Channel, NoContactReason] = {}
    basis = rules.email_basis(countries, country)
    reachable = zip((Channel.email, Channel.sms), (email, phone), consents, strict=True)
    for channel, address, consent in reachable:
        reason = suppressed.get((channel, address or ""))
        refusal = rules.refusal(channel, address, reason, consent, basis)
        if refusal is not None:
            refusals[channel] = refusal
            if refusal is NoContactReason.no_consent and address is not None:
                without_consent = {**without_consent, channel: address}
        elif address is not None:
            addresses[channel] = address
    return ContactOptions(
        customer_id,
        addresses,
        refusals,
        first_name,
        last_name,
        locale,
        time_zone,
        country,
        erased,
        without_consent,
    )


async def _load_suppressed(
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
    found = await _SUPPRESSED.all(session, of_brand=brand_id, **arrays_of_tuples(list(keyed), _ASKED))
    suppressed: dict[tuple[Channel, str], SuppressionReason] = {}
    for row in found:
        key = (row.channel, keyed[row.channel, row.address_key])
        # A bounce counts only where the person decided nothing themselves.
        if row.reason is not SuppressionReason.bounced or key not in suppressed:
            suppressed[key] = row.reason
    return suppressed


class _Suppressed(NamedTuple):
    channel: Channel
    address_key: bytes
    reason: SuppressionReason


_ASKED = (Suppression.channel, Suppression.address_key)
_asked = bound_recordset(_ASKED)
_SUPPRESSED = Prepared(
    select(Suppression.channel, Suppression.address_key, Suppression.reason).join(
        _asked,
        and_(
            Suppression.brand_id == bindparam("of_brand"),
            Suppression.channel == _asked.c.channel,
            Suppression.address_key == _asked.c.address_key,
            Suppression.lifted_at.is_(None),
        ),
    ),
    _Suppressed,
)


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
    """Suppress these addresses on this channel for a reason, beside any other reason. Idempotent.

    Addresses may come in a provider's spelling. Only the person's own undo lifts a suppression.
    """
    # Sorted keys: two calls with the same addresses wait for each other and never deadlock.
    keys = sorted({tokens.address_key(plain_address(channel, address)) for address in addresses})
    rows = [
        {"id": new_id(), "channel": channel, "address_key": key, "reason": reason, "at": now} for key in keys
    ]
    if not rows:
        return
    columns = [
        Suppression.id,
        Suppression.channel,
        Suppression.address_key,
        Suppression.reason,
        Suppression.at,
    ]
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


async def lift_suppression(
    session: AsyncSession,
    tokens: Tokens,
    brand_id: int,
    channel: Channel,
    address: str,
    reason: SuppressionReason,
    *,
    now: datetime,
) -> None:
    """Undo the person's own decision; any other suppression of the address stays. Idempotent.

    Raises `ValueError` for a reason that is not theirs to take back.
    """
    if reason not in OWN_DECISIONS:
        raise ValueError(f"a suppression for {reason} is never lifted")
    await session.execute(
        update(Suppression)
        .values(lifted_at=now, journaled=False)
        .where(*_of_address(tokens, brand_id, channel, address), Suppression.reason == reason)
        .where(Suppression.lifted_at.is_(None))
        .execution_options(synchronize_session=False)
    )


async def suppressions_of(
    session: AsyncSession, tokens: Tokens, brand_id: int, email: str | None, phone: str | None
) -> list[Suppression]:
    """The suppressions of one person's addresses, also those that were lifted; e-mail first."""
    suppressions: list[Suppression] = []
    for channel, address in ((Channel.email, email), (Channel.sms, phone)):
        if address is not None:
            suppressions += await session.scalars(
                select(Suppression)
                .where(*_of_address(tokens, brand_id, channel, address))
                .order_by(Suppression.at, Suppression.id)
            )
    return suppressions


def _of_address(
    tokens: Tokens, brand_id: int, channel: Channel, address: str
) -> tuple[ColumnElement[bool], ...]:
    key = tokens.address_key(plain_address(channel, address))
    return Suppression.brand_id == brand_id, Suppression.channel == channel, Suppression.address_key == key


def plain_address(channel: Channel, address: str) -> str:
    """The address as customers store it, so that its keyed hash matches.

    An unusable address is only trimmed and lowered.
    """
    normalized = email_identity(address) if channel is Channel.email else phone_e164(address, [])
    return normalized or address.strip().lower()
