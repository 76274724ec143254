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
from app.base.web import Ground
from app.brands.find import load_brand, load_shops, terms_in_force
from app.brands.models import Brand, Shop
from app.brands.programme import Channel, QuietHours
from app.brands.rules import awake_from, country_quiet_hours, zone_or
from app.customers.consent import reach
from app.customers.rules import Reach, Unreachable
from app.messaging.render import Item, template_hash
from app.messaging.rules import MOST_UNKNOWNS, REVIEW, Lane, MessageStatus, Template, waits_for_day
from app.messaging.templates import language_of, read_filling

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
    filling: Mapping[str, Any]
    status: str
    attempts: int
    unknowns: int


_COLUMNS = ", ".join(_Taken._fields)
_IN_TIME = "(at_once OR due_at <= :now)"
_DUE = f"status = 'planned' AND {_IN_TIME}"
_SENT_AGAIN = f"status = 'unknown' AND reason IS NULL AND claimed_at <= :patience AND {_IN_TIME}"
_BRANDS = text(f"""
    SELECT id FROM brands WHERE
        EXISTS (SELECT FROM messages WHERE brand_id = brands.id AND lane = ANY(CAST(:lanes AS text[])) AND {_DUE})
        OR EXISTS (SELECT FROM messages WHERE brand_id = brands.id AND lane = ANY(CAST(:lanes AS text[]))
                   AND (({_SENT_AGAIN}) OR (status = 'sending' AND claimed_at <= :patience)))
    ORDER BY id
""")
_TAKE_DUE = text(f"""
    SELECT {_COLUMNS} FROM messages WHERE brand_id = :brand_id AND lane = :lane AND {_DUE}
    ORDER BY due_at LIMIT :most FOR UPDATE SKIP LOCKED
""").columns(filling=JSONB)
_TAKE_UNKNOWN = text(f"""
    SELECT {_COLUMNS} FROM messages WHERE brand_id = :brand_id AND lane = :lane AND {_SENT_AGAIN}
    ORDER BY claimed_at LIMIT :most FOR UPDATE SKIP LOCKED
""").columns(filling=JSONB)
# The attempt's own row is timed by the database, so a run at a simulated time cannot mistake a call that is under way for a crash.
_GIVE_UP = text(f"""
    WITH stuck AS (
        SELECT messages.id, attempts.id AS attempt_id FROM messages
        JOIN attempts ON attempts.brand_id = messages.brand_id AND attempts.message_id = messages.id
                     AND attempts.number = messages.attempts
        WHERE messages.brand_id = :brand_id AND messages.status = 'sending' AND messages.claimed_at <= :patience
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
# Not `at_once` any more and due later than now, a postponed message is out of every claim of this `now`.
_POSTPONE = text("""
    UPDATE messages SET due_at = postponed.due_at, at_once = false
    FROM unnest(CAST(:ids AS uuid[]), CAST(:due_at AS timestamptz[])) AS postponed (id, due_at)
    WHERE messages.brand_id = :brand_id AND messages.id = postponed.id
""")
# Nobody knows whether an unknown one was sent, and that stays so: the reason alone keeps it from being sent again.
_DROP = text("""
    UPDATE messages SET reason = dropped.reason,
        status = CASE WHEN messages.status = 'unknown' THEN messages.status ELSE dropped.status END
    FROM unnest(CAST(:ids AS uuid[]), CAST(:statuses AS text[]), CAST(:reasons AS text[])) AS dropped (id, status, reason)
    WHERE messages.brand_id = :brand_id AND messages.id = dropped.id
""")


@dataclass(frozen=True, slots=True)
class Claimed:
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
    claimed: Sequence[Claimed]
    moved: int


@dataclass(frozen=True)
class _Nights:
    """When people are left in peace: by the terms in force, and by the rules of their countries."""

    brand: Brand
    shops: Mapping[UUID, Shop]
    programme: QuietHours | None

    def over(self, people: Mapping[UUID, Reach], row: _Taken, now: datetime) -> datetime:
        """From when on the message may leave, by the clock of its reader, else of their shop; `now` where that is at once."""
        person = people.get(row.customer_id)
        if person is None or not waits_for_day(Template(row.template), Channel(row.channel)):
            return now
        zone = zone_or(person.time_zone, self.shops[row.shop_id].time_zone)
        return awake_from(now, zone, self.programme, country_quiet_hours(self.brand.countries, person.country))


@dataclass(frozen=True, slots=True)
class Patience:
    """When a send of unknown outcome, or one that stands still, may be taken up again."""

    grace_seconds: int

    def until(self, now: datetime) -> datetime:
        """Claims up to this time have waited long enough."""
        return now - timedelta(seconds=self.grace_seconds)

    @property
    def flight_seconds(self) -> int:
        """Younger attempts by the database's clock may still be under way in some process."""
        return min(self.grace_seconds, FLIGHT_SECONDS)


async def brands_with_work(session: AsyncSession, lanes: Collection[Lane], patience: Patience, *, now: datetime) -> list[int]:
    """Brands that have messages due, or sends to be looked after."""
    given = {"lanes": [lane.value for lane in lanes], "now": now, "patience": patience.until(now)}
    return list(await session.scalars(_BRANDS, given))


async def give_up_stuck(
    session: AsyncSession, brand_id: int, under_way: Collection[UUID], patience: Patience, *, now: datetime
) -> int:
    """Call sends unknown whose sender died; `under_way` are the attempts of this process. Answers how many."""
    given = {"brand_id": brand_id, "under_way": list(under_way), "flight": patience.flight_seconds, "most": AT_ONCE}
    done = await session.execute(_GIVE_UP, {**given, "patience": patience.until(now), "now": now})
    return int(done.rowcount)  # type: ignore[attr-defined]  # an UPDATE answers a cursor


async def claim(
    session: AsyncSession,
    ground: Ground,
    brand_id: int,
    lanes: Sequence[Lane],
    providers: Mapping[Channel, str],
    patience: Patience,
    *,
    now: datetime,
) -> Claim | None:
    """Begin an attempt for up to `AT_ONCE` messages of the first lane that has any; None where none is due.

    Whether each may still be written to is asked again here, the last time before it leaves; one that would leave in quiet hours,
    as after a refusal or an outage, is put off to their end. No other worker can take these.
    """
    rows = await _take(session, brand_id, lanes, patience, now)
    if not rows:
        return None
    brand = await load_brand(session, brand_id)
    shops = await load_shops(session, brand_id)
    reachable = await reach(session, ground.tokens, brand, {row.customer_id for row in rows})
    nights = _Nights(brand, shops, (await terms_in_force(session, brand_id)).programme.survey.quiet_hours)
    claimed: list[Claimed] = []
    dropped: list[tuple[UUID, MessageStatus, str]] = []
    postponed: list[tuple[UUID, datetime]] = []
    for row in rows:
        decided = _decide(brand_id, row, reachable.get(row.customer_id))
        if not isinstance(decided, Claimed):
            dropped.append((row.id, *decided))
        elif (morning := nights.over(reachable, row, now)) > now:
            postponed.append((row.id, morning))
        else:
            claimed.append(decided)
    await _begin(session, brand_id, claimed, providers, now)
    await _drop(session, brand_id, dropped)
    await _postpone(session, brand_id, postponed)
    return Claim(brand, shops, claimed, len(rows))


async def _take(session: AsyncSession, brand_id: int, lanes: Sequence[Lane], patience: Patience, now: datetime) -> Sequence[_Taken]:
    for lane in lanes:
        common = {"brand_id": brand_id, "lane": lane.value, "most": AT_ONCE, "now": now}
        rows = (await session.execute(_TAKE_DUE, common)).all()
        rows = rows or (await session.execute(_TAKE_UNKNOWN, {**common, "patience": patience.until(now)})).all()
        if rows:
            return [_Taken(*row) for row in rows]
    return []


def _decide(brand_id: int, row: _Taken, reachable: Reach | None) -> Claimed | tuple[MessageStatus, str]:
    channel, template = Channel(row.channel), Template(row.template)
    filling = read_filling(template, row.filling)
    if filling is None:
        return MessageStatus.cancelled, "erased"
    address = reachable.addresses.get(channel) if reachable else None
    if address is None:
        refusal = reachable.refusals.get(channel) if reachable else None
        return MessageStatus.suppressed, (refusal or Unreachable.no_address).value
    item = Item(brand_id, row.customer_id, row.subject_id, template, channel, row.locale, filling)
    return Claimed(item, row.id, new_id(), row.attempts + 1, row.unknowns, row.shop_id, address)


async def _begin(
    session: AsyncSession, brand_id: int, claimed: Sequence[Claimed], providers: Mapping[Channel, str], now: datetime
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


async def _drop(session: AsyncSession, brand_id: int, dropped: Sequence[tuple[UUID, MessageStatus, str]]) -> None:
    if dropped:
        ids, statuses, reasons = zip(*dropped, strict=True)
        given = {"ids": list(ids), "statuses": [status.value for status in statuses], "reasons": list(reasons)}
        await session.execute(_DROP, {"brand_id": brand_id, **given})


async def _postpone(session: AsyncSession, brand_id: int, postponed: Sequence[tuple[UUID, datetime]]) -> None:
    if postponed:
        ids, due_at = zip(*postponed, strict=True)
        await session.execute(_POSTPONE, {"brand_id": brand_id, "ids": list(ids), "due_at": list(due_at)})
