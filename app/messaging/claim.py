"""Take messages that are due, one brand at a time, and write an attempt for each before anything leaves the machine."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncSession

from app.base.ids import new_id
from app.base.web.context import AppContext
from app.brands.find import load_brand, load_programme, load_shops
from app.brands.models import Brand, Shop
from app.brands.programme import Channel, QuietHours
from app.brands.rules import country_quiet_hours, next_daytime, zone_or
from app.customers.consent import load_contact_options
from app.customers.rules import ContactOptions, NoContactReason
from app.messaging.render import Item, template_hash
from app.messaging.rules import MOST_UNKNOWNS, REVIEW, MessageStatus, Priority, Template, waits_for_day
from app.messaging.templates import language_of, read_params

AT_ONCE = 1_000
"""Messages of one claim: as many as one call to SendGrid carries."""
FLIGHT_SECONDS = 60
"""How long a provider call may be under way; where the grace is shorter, so is this."""


class _Taken(NamedTuple):
    """What is read of a message that is taken, in the order of the columns."""

    id: UUID
    customer_id: UUID
    shop_id: UUID
    template: str
    subject_id: UUID
    channel: str
    locale: str
    template_params: Mapping[str, Any]
    status: str
    attempts: int
    unknowns: int


_COLUMNS = ", ".join(_Taken._fields)
_IN_TIME = "(at_once OR due_at <= :now)"
_DUE = f"status = 'planned' AND {_IN_TIME}"
_SENT_AGAIN = f"status = 'unknown' AND reason IS NULL AND claimed_at <= :grace AND {_IN_TIME}"
_BRANDS = text(f"""
    SELECT id FROM brands WHERE
        EXISTS (SELECT FROM messages WHERE brand_id = brands.id AND priority = ANY(CAST(:priorities AS text[])) AND {_DUE})
        OR EXISTS (SELECT FROM messages WHERE brand_id = brands.id AND priority = ANY(CAST(:priorities AS text[]))
                   AND (({_SENT_AGAIN}) OR (status = 'sending' AND claimed_at <= :grace)))
    ORDER BY id
""")
_TAKE_DUE = text(f"""
    SELECT {_COLUMNS} FROM messages WHERE brand_id = :brand_id AND priority = :priority AND {_DUE}
    ORDER BY due_at LIMIT :most FOR UPDATE SKIP LOCKED
""").columns(template_params=JSONB)
_TAKE_UNKNOWN = text(f"""
    SELECT {_COLUMNS} FROM messages WHERE brand_id = :brand_id AND priority = :priority AND {_SENT_AGAIN}
    ORDER BY claimed_at LIMIT :most FOR UPDATE SKIP LOCKED
""").columns(template_params=JSONB)
# The attempt's own row is timed by the database, so a run at a simulated time cannot mistake a call that is under way for a crash.
_GIVE_UP = text(f"""
    WITH stuck AS (
        SELECT messages.id, attempts.id AS attempt_id FROM messages
        JOIN attempts ON attempts.brand_id = messages.brand_id AND attempts.message_id = messages.id
                     AND attempts.number = messages.attempts
        WHERE messages.brand_id = :brand_id AND messages.status = 'sending' AND messages.claimed_at <= :grace
          AND attempts.created_at <= clock_timestamp() - make_interval(secs => :flight)
          AND attempts.id <> ALL(CAST(:under_way AS uuid[]))
        ORDER BY messages.id LIMIT :most FOR UPDATE OF messages SKIP LOCKED
    ), given_up AS (
        UPDATE attempts SET status = 'unknown', error = 'the sender stopped', finished_at = :now
        FROM stuck WHERE attempts.brand_id = :brand_id AND attempts.id = stuck.attempt_id AND attempts.status = 'sending'
    )
    UPDATE messages SET status = 'unknown', unknowns = unknowns + 1,
        reason = CASE WHEN unknowns + 1 >= {MOST_UNKNOWNS} THEN coalesce(reason, '{REVIEW}') ELSE reason END
    FROM stuck WHERE messages.brand_id = :brand_id AND messages.id = stuck.id
""")
_BEGIN = text("""
    WITH begun AS (
        SELECT * FROM unnest(CAST(:ids AS uuid[]), CAST(:attempt_ids AS uuid[]), CAST(:numbers AS smallint[]),
                             CAST(:providers AS text[]), CAST(:addresses AS text[]), CAST(:hashes AS text[]))
            AS begun (id, attempt_id, number, provider, address, hash)
    ), marked AS (
        UPDATE messages SET status = 'sending', claimed_at = :now, attempts = begun.number, address = begun.address,
            template_hash = begun.hash, possible_duplicate = possible_duplicate OR status = 'unknown'
        FROM begun WHERE messages.brand_id = :brand_id AND messages.id = begun.id
    )
    INSERT INTO attempts (brand_id, id, message_id, number, provider, status, started_at)
    SELECT :brand_id, attempt_id, id, number, provider, 'sending', :now FROM begun
""")
# Not `at_once` any more and due later than now, a deferred message is out of every claim of this `now`.
_POSTPONE = text("""
    UPDATE messages SET due_at = deferred.due_at, at_once = false
    FROM unnest(CAST(:ids AS uuid[]), CAST(:due_at AS timestamptz[])) AS deferred (id, due_at)
    WHERE messages.brand_id = :brand_id AND messages.id = deferred.id
""")
# Nobody knows whether an unknown one was sent, and that stays so: the reason alone keeps it from being sent again.
_DROP = text("""
    UPDATE messages SET reason = dropped.reason,
        status = CASE WHEN messages.status = 'unknown' THEN messages.status ELSE dropped.status END
    FROM unnest(CAST(:ids AS uuid[]), CAST(:statuses AS text[]), CAST(:reasons AS text[])) AS dropped (id, status, reason)
    WHERE messages.brand_id = :brand_id AND messages.id = dropped.id
""")


@dataclass(frozen=True, slots=True)
class ClaimedMessage:
    """A message with an attempt begun: whoever holds this is the one to send it."""

    item: Item
    message_id: UUID
    attempt_id: UUID
    number: int
    """Which attempt this is, from 1."""
    unknowns: int
    """Earlier attempts of unknown outcome."""
    shop_id: UUID
    address: str


@dataclass(frozen=True)
class Claim:
    """Messages of one brand, and what their letters need of it. `moved` counts also what was taken but is not to be sent."""

    brand: Brand
    shops: Mapping[UUID, Shop]
    claimed: Sequence[ClaimedMessage]
    moved: int


@dataclass(frozen=True)
class _QuietHours:
    """When people are left in peace: by the terms in force, and by the rules of their countries."""

    brand: Brand
    shops: Mapping[UUID, Shop]
    programme: QuietHours | None

    def over(self, people: Mapping[UUID, ContactOptions], row: _Taken, now: datetime) -> datetime:
        """From when on the message may leave, by the clock of its reader, else of their shop; `now` where that is at once."""
        person = people.get(row.customer_id)
        if person is None or not waits_for_day(Template(row.template), Channel(row.channel)):
            return now
        zone = zone_or(person.time_zone, self.shops[row.shop_id].time_zone)
        return next_daytime(
            now, zone, self.programme, country_quiet_hours(self.brand.countries, person.country)
        )


@dataclass(frozen=True, slots=True)
class Grace:
    """When a send of unknown outcome, or one that stands still, may be taken up again."""

    grace_seconds: int

    def until(self, now: datetime) -> datetime:
        """Claims up to this time have waited long enough."""
        return now - timedelta(seconds=self.grace_seconds)

    @property
    def flight_seconds(self) -> int:
        """Younger attempts by the database's clock may still be under way in some process."""
        return min(self.grace_seconds, FLIGHT_SECONDS)


async def brands_with_work(
    session: AsyncSession, priorities: Collection[Priority], grace: Grace, *, now: datetime
) -> list[int]:
    """Brands that have messages due, or sends to be looked after."""
    given = {"priorities": [priority.value for priority in priorities], "now": now, "grace": grace.until(now)}
    return list(await session.scalars(_BRANDS, given))


async def give_up_stuck(
    session: AsyncSession, brand_id: int, under_way: Collection[UUID], grace: Grace, *, now: datetime
) -> int:
    """Call sends unknown whose sender died; `under_way` are the attempts of this process. Answers how many."""
    given = {
        "brand_id": brand_id,
        "under_way": list(under_way),
        "flight": grace.flight_seconds,
        "most": AT_ONCE,
    }
    done = await session.execute(_GIVE_UP, {**given, "grace": grace.until(now), "now": now})
    return int(done.rowcount)  # type: ignore[attr-defined]  # an UPDATE answers a cursor


async def claim(
    session: AsyncSession,
    context: AppContext,
    brand_id: int,
    priorities: Sequence[Priority],
    providers: Mapping[Channel, str],
    grace: Grace,
    *,
    now: datetime,
) -> Claim | None:
    """Begin an attempt for up to `AT_ONCE` messages of the first priority that has any; None where none is due.

    Whether each may still be written to is asked again here, the last time before it leaves; one that would leave in quiet hours,
    as after a refusal or an outage, is put off to their end. No other worker can take these.
    """
    rows = await _take(session, brand_id, priorities, grace, now)
    if not rows:
        return None
    brand = await load_brand(session, brand_id)
    shops = await load_shops(session, brand_id)
    reachable = await load_contact_options(session, context.tokens, brand, {row.customer_id for row in rows})
    quiet = _QuietHours(brand, shops, (await load_programme(session, brand_id)).programme.survey.quiet_hours)
    claimed: list[ClaimedMessage] = []
    dropped: list[tuple[UUID, MessageStatus, str]] = []
    deferred: list[tuple[UUID, datetime]] = []
    for row in rows:
        decided = _decide(brand_id, row, reachable.get(row.customer_id))
        if not isinstance(decided, ClaimedMessage):
            dropped.append((row.id, *decided))
        elif (morning := quiet.over(reachable, row, now)) > now:
            deferred.append((row.id, morning))
        else:
            claimed.append(decided)
    await _begin(session, brand_id, claimed, providers, now)
    await _drop(session, brand_id, dropped)
    await _postpone(session, brand_id, deferred)
    return Claim(brand, shops, claimed, len(rows))


async def _take(
    session: AsyncSession, brand_id: int, priorities: Sequence[Priority], grace: Grace, now: datetime
) -> Sequence[_Taken]:
    for priority in priorities:
        common = {"brand_id": brand_id, "priority": priority.value, "most": AT_ONCE, "now": now}
        rows = (await session.execute(_TAKE_DUE, common)).all()
        rows = rows or (await session.execute(_TAKE_UNKNOWN, {**common, "grace": grace.until(now)})).all()
        if rows:
            return [_Taken(*row) for row in rows]
    return []


def _decide(
    brand_id: int, row: _Taken, reachable: ContactOptions | None
) -> ClaimedMessage | tuple[MessageStatus, str]:
    channel, template = Channel(row.channel), Template(row.template)
    template_params = read_params(template, row.template_params)
    if template_params is None:
        return MessageStatus.cancelled, "erased"
    address = reachable.addresses.get(channel) if reachable else None
    if address is None:
        refusal = reachable.refusals.get(channel) if reachable else None
        return MessageStatus.suppressed, (refusal or NoContactReason.no_address).value
    item = Item(brand_id, row.customer_id, row.subject_id, template, channel, row.locale, template_params)
    return ClaimedMessage(item, row.id, new_id(), row.attempts + 1, row.unknowns, row.shop_id, address)


async def _begin(
    session: AsyncSession,
    brand_id: int,
    claimed: Sequence[ClaimedMessage],
    providers: Mapping[Channel, str],
    now: datetime,
) -> None:
    if not claimed:
        return
    items = [one.item for one in claimed]
    given: dict[str, Any] = {
        "brand_id": brand_id,
        "now": now,
        "ids": [one.message_id for one in claimed],
        "attempt_ids": [one.attempt_id for one in claimed],
        "numbers": [one.number for one in claimed],
        "providers": [providers[item.channel] for item in items],
        "addresses": [one.address for one in claimed],
        "hashes": [template_hash(item.template, item.channel, language_of(item.locale)) for item in items],
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


async def _postpone(session: AsyncSession, brand_id: int, deferred: Sequence[tuple[UUID, datetime]]) -> None:
    if deferred:
        ids, due_at = zip(*deferred, strict=True)
        await session.execute(_POSTPONE, {"brand_id": brand_id, "ids": list(ids), "due_at": list(due_at)})
