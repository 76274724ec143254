"""Claim due messages of one brand, and write an attempt for each before anything leaves the machine."""

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncSession

from app.base.context import AppContext
from app.base.i18n import language_of
from app.base.ids import new_id
from app.brands.find import load_brand, load_programme, load_shops
from app.brands.models import Brand, Shop
from app.brands.programme import Channel, QuietHours
from app.brands.rules import country_quiet_hours, next_daytime, zone_or
from app.customers.consent import load_contact_options
from app.customers.rules import ContactOptions, NoContactReason
from app.messaging.find_work import DUE, DUE_AGAIN, Grace
from app.messaging.render import Params
from app.messaging.rules import MessageStatus, Priority
from app.messaging.templates import TemplateSpec, find_template, read_params
from app.messaging.versions import VersionContent, branding_of, current_version, store_versions

AT_ONCE = 1_000
"""Messages of one claim: as many as one call to SendGrid carries."""


class _MessageRow(NamedTuple):
    """What is read of a due message, in the order of the columns."""

    id: UUID
    customer_id: UUID
    shop_id: UUID
    template: str
    subject_id: UUID
    channel: str
    locale: str
    template_params: Params
    status: str
    attempts: int
    unknowns: int


_COLUMNS = ", ".join(_MessageRow._fields)
_CLAIM_DUE = text(f"""
    SELECT {_COLUMNS} FROM messages WHERE brand_id = :brand_id AND priority = :priority AND {DUE}
    ORDER BY due_at LIMIT :most FOR UPDATE SKIP LOCKED
""").columns(template_params=JSONB)
_CLAIM_UNKNOWN = text(f"""
    SELECT {_COLUMNS} FROM messages WHERE brand_id = :brand_id AND priority = :priority AND {DUE_AGAIN}
    ORDER BY claimed_at LIMIT :most FOR UPDATE SKIP LOCKED
""").columns(template_params=JSONB)
_BEGIN = text("""
    WITH claimed AS (
        SELECT * FROM unnest(CAST(:ids AS uuid[]), CAST(:attempt_ids AS uuid[]), CAST(:numbers AS smallint[]),
                             CAST(:providers AS text[]), CAST(:addresses AS text[]), CAST(:versions AS bytea[]))
            AS claimed (id, attempt_id, number, provider, address, version_id)
    ), marked AS (
        UPDATE messages SET status = 'sending', claimed_at = :now, attempts = claimed.number,
            address = claimed.address, template_version_id = claimed.version_id,
            possible_duplicate = possible_duplicate OR status = 'unknown'
        FROM claimed WHERE messages.brand_id = :brand_id AND messages.id = claimed.id
    )
    INSERT INTO attempts (brand_id, id, message_id, number, provider, status, started_at)
    SELECT :brand_id, attempt_id, id, number, provider, 'sending', :now FROM claimed
""")
# Not `at_once` any more and due later than now, a deferred message is out of every claim of this `now`.
_DEFER = text("""
    UPDATE messages SET due_at = deferred.due_at, at_once = false
    FROM unnest(CAST(:ids AS uuid[]), CAST(:due_at AS timestamptz[])) AS deferred (id, due_at)
    WHERE messages.brand_id = :brand_id AND messages.id = deferred.id
""")
# It stays unknown whether an unknown one was sent: its reason alone keeps it from being sent again.
_DROP = text("""
    UPDATE messages SET reason = dropped.reason,
        status = CASE WHEN messages.status = 'unknown' THEN messages.status ELSE dropped.status END
    FROM unnest(CAST(:ids AS uuid[]), CAST(:statuses AS text[]), CAST(:reasons AS text[]))
        AS dropped (id, status, reason)
    WHERE messages.brand_id = :brand_id AND messages.id = dropped.id
""")


@dataclass(frozen=True, slots=True)
class ClaimedMessage:
    """A message with an attempt begun: whoever has this must send it."""

    message_id: UUID
    attempt_id: UUID
    number: int
    """Of the attempt, from 1."""
    unknowns: int
    """Earlier attempts of unknown outcome."""
    customer_id: UUID
    subject_id: UUID
    locale: str
    template_params: Params
    address: str
    version: VersionContent


@dataclass(frozen=True)
class Claim:
    """Claimed messages of one brand."""

    brand: Brand
    messages: Sequence[ClaimedMessage]
    moved: int
    """Rows taken, those that were deferred or dropped included."""
    versions: AbstractSet[tuple[int, bytes]]
    """Brand and id of the template versions of the messages, all stored once this is committed."""


@dataclass(frozen=True)
class ClaimTerms:
    """What one sender claims."""

    priorities: Sequence[Priority]
    """The first one that has messages due is claimed."""
    providers: Mapping[Channel, str]
    grace: Grace
    known_versions: AbstractSet[tuple[int, bytes]]
    """Template versions that are stored already."""


class _Decisions:
    """What is decided about each row of one brand: it is claimed, deferred to a later time, or dropped."""

    def __init__(
        self,
        brand: Brand,
        shops: Mapping[UUID, Shop],
        quiet_hours: QuietHours | None,
        people: Mapping[UUID, ContactOptions],
        now: datetime,
    ) -> None:
        self._brand = brand
        self._shops = shops
        self._brandings = {shop_id: branding_of(brand, shop) for shop_id, shop in shops.items()}
        self._quiet_hours = quiet_hours
        self._people = people
        self._now = now
        self._languages: dict[str, str] = {}
        self.claimed: list[ClaimedMessage] = []
        self.deferred: list[tuple[UUID, datetime]] = []
        self.dropped: list[tuple[UUID, MessageStatus, str]] = []

    def add(self, row: _MessageRow) -> None:
        """Decide about one row."""
        channel, template = Channel(row.channel), find_template(row.template)
        if template is None:
            self.dropped.append((row.id, MessageStatus.failed, "unknown_template"))
            return
        params, person = read_params(template, row.template_params), self._people.get(row.customer_id)
        if params is None:
            self.dropped.append((row.id, MessageStatus.cancelled, "erased"))
        elif person is None or (address := person.addresses.get(channel)) is None:
            refusal = person.refusals.get(channel) if person else None
            reason = (refusal or NoContactReason.no_address).value
            self.dropped.append((row.id, MessageStatus.suppressed, reason))
        elif (earliest := self._earliest(row, person, template, channel)) > self._now:
            self.deferred.append((row.id, earliest))
        else:
            self.claimed.append(self._claimed(row, template, channel, params, address))

    def _earliest(
        self, row: _MessageRow, person: ContactOptions, template: TemplateSpec, channel: Channel
    ) -> datetime:
        """From when the message may leave, by the reader's clock, else the shop's; `now` for at once."""
        if channel not in template.quiet_hours:
            return self._now
        zone = zone_or(person.time_zone, self._shops[row.shop_id].time_zone)
        country = country_quiet_hours(self._brand.countries, person.country)
        return next_daytime(self._now, zone, self._quiet_hours, country)

    def _claimed(
        self, row: _MessageRow, template: TemplateSpec, channel: Channel, params: Params, address: str
    ) -> ClaimedMessage:
        language = self._languages.get(row.locale)
        if language is None:
            language = self._languages[row.locale] = language_of(row.locale, self._brand.locale)
        return ClaimedMessage(
            message_id=row.id,
            attempt_id=new_id(),
            number=row.attempts + 1,
            unknowns=row.unknowns,
            customer_id=row.customer_id,
            subject_id=row.subject_id,
            locale=row.locale,
            template_params=params,
            address=address,
            version=current_version(template, channel, language, self._brandings[row.shop_id]),
        )


async def claim(
    session: AsyncSession, context: AppContext, brand_id: int, terms: ClaimTerms, *, now: datetime
) -> Claim | None:
    """Begin an attempt for up to `AT_ONCE` messages of one priority; None where none is due.

    Consent and suppression are checked here for the last time. A message that would leave in quiet
    hours, as after a refusal or an outage, is deferred to their end. The rows stay locked until the
    commit, so no other worker can claim them.
    """
    rows = await _due_rows(session, brand_id, terms, now)
    if not rows:
        return None
    brand = await load_brand(session, brand_id)
    shops = await load_shops(session, brand_id)
    people = await load_contact_options(session, context.tokens, brand, {row.customer_id for row in rows})
    quiet_hours = (await load_programme(session, brand_id)).programme.survey.quiet_hours
    decisions = _Decisions(brand, shops, quiet_hours, people, now)
    for row in rows:
        decisions.add(row)
    versions = {(brand_id, message.version.id): message.version for message in decisions.claimed}
    unknown = [version for key, version in versions.items() if key not in terms.known_versions]
    await store_versions(session, brand_id, unknown)
    await _begin(session, brand_id, decisions.claimed, terms.providers, now)
    await _drop(session, brand_id, decisions.dropped)
    await _defer(session, brand_id, decisions.deferred)
    return Claim(brand, decisions.claimed, len(rows), versions.keys())


async def _due_rows(
    session: AsyncSession, brand_id: int, terms: ClaimTerms, now: datetime
) -> Sequence[_MessageRow]:
    for priority in terms.priorities:
        common = {"brand_id": brand_id, "priority": priority.value, "most": AT_ONCE, "now": now}
        rows = (await session.execute(_CLAIM_DUE, common)).all()
        if not rows:
            given = {**common, "grace": terms.grace.until(now)}
            rows = (await session.execute(_CLAIM_UNKNOWN, given)).all()
        if rows:
            return [_MessageRow(*row) for row in rows]
    return []


async def _begin(
    session: AsyncSession,
    brand_id: int,
    claimed: Sequence[ClaimedMessage],
    providers: Mapping[Channel, str],
    now: datetime,
) -> None:
    if claimed:
        given = {
            "brand_id": brand_id,
            "now": now,
            "ids": [message.message_id for message in claimed],
            "attempt_ids": [message.attempt_id for message in claimed],
            "numbers": [message.number for message in claimed],
            "providers": [providers[message.version.channel] for message in claimed],
            "addresses": [message.address for message in claimed],
            "versions": [message.version.id for message in claimed],
        }
        await session.execute(_BEGIN, given)


async def _drop(
    session: AsyncSession, brand_id: int, dropped: Sequence[tuple[UUID, MessageStatus, str]]
) -> None:
    if dropped:
        ids, statuses, reasons = zip(*dropped, strict=True)
        given = {
            "ids": list(ids),
            "statuses": [status.value for status in statuses],
            "reasons": list(reasons),
        }
        await session.execute(_DROP, {"brand_id": brand_id, **given})


async def _defer(session: AsyncSession, brand_id: int, deferred: Sequence[tuple[UUID, datetime]]) -> None:
    if deferred:
        ids, due_at = zip(*deferred, strict=True)
        await session.execute(_DEFER, {"brand_id": brand_id, "ids": list(ids), "due_at": list(due_at)})
