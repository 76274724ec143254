"""Claim due messages of one brand, and write an attempt for each before any of them is sent."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from app.base.batch import array_text
from app.base.context import AppContext
from app.base.fence import Reservation, reserve
from app.base.precedence import PIECE
from app.base.prepared import Prepared, one_value
from app.brands.models import Brand
from app.brands.programme import Channel
from app.brands.setup import load_setup
from app.customers.consent import load_contact_options
from app.messaging.due_messages import ClaimedMessage, Decisions, DueMessage
from app.messaging.find_work import DUE, DUE_AGAIN, Grace
from app.messaging.own_texts import load_own_texts
from app.messaging.rules import MessageStatus, Priority
from app.messaging.versions import store_versions

AT_ONCE = 1_000
"""Messages of one claim: as many as one call to SendGrid carries."""


_COLUMNS = ", ".join(DueMessage._fields)
_CLAIM_DUE = Prepared(
    text(f"""
        SELECT {_COLUMNS} FROM messages WHERE brand_id = :brand_id AND priority = :priority AND {DUE}
        ORDER BY due_at LIMIT :most FOR UPDATE SKIP LOCKED
    """),
    DueMessage,
)
_CLAIM_UNKNOWN = Prepared(
    text(f"""
        SELECT {_COLUMNS} FROM messages WHERE brand_id = :brand_id AND priority = :priority AND {DUE_AGAIN}
        ORDER BY claimed_at LIMIT :most FOR UPDATE SKIP LOCKED
    """),
    DueMessage,
)


# Ids are bound as the driver's arrays, which the database reads for less than texts of them. What
# few values share is bound once, and named by its place. It returns the versions that are not
# stored: no foreign key looks for each row's.
_BEGIN: Prepared[bytes] = Prepared(
    text("""
    WITH claimed AS (
        SELECT unnest(CAST(:ids AS uuid[])) AS id, unnest(CAST(:attempt_ids AS uuid[])) AS attempt_id,
            unnest(CAST(CAST(:numbers AS text) AS smallint[])) AS number,
            unnest(CAST(CAST(:places AS text) AS smallint[])) AS place,
            unnest(CAST(CAST(:addresses AS text) AS text[])) AS address
    ), marked AS (
        UPDATE messages SET status = 'sending', claimed_at = :now, attempts = claimed.number,
            address = claimed.address, template_version_id = (CAST(:versions AS bytea[]))[claimed.place],
            possible_duplicate = possible_duplicate OR status = 'unknown'
        FROM claimed WHERE messages.brand_id = :brand_id AND messages.id = claimed.id
    ), begun AS (
        INSERT INTO attempts (brand_id, id, message_id, number, provider, status, started_at)
        SELECT :brand_id, attempt_id, id, number, (CAST(:providers AS text[]))[place], 'sending', :now
        FROM claimed
    )
    SELECT used FROM unnest(CAST(:versions AS bytea[])) AS used
    WHERE NOT EXISTS (SELECT FROM template_versions WHERE brand_id = :brand_id AND id = used)
"""),
    one_value,
)
# A deferred message is no longer `at_once` and is due later than now, so no claim of this `now`
# takes it.
_DEFER = text("""
    UPDATE messages SET due_at = deferred.due_at, at_once = false
    FROM unnest(CAST(:ids AS uuid[]), CAST(:due_at AS timestamptz[])) AS deferred (id, due_at)
    WHERE messages.brand_id = :brand_id AND messages.id = deferred.id
""")
# Whether an unknown message was sent stays unknown; its reason prevents another send.
_DROP = text("""
    UPDATE messages SET reason = dropped.reason,
        status = CASE WHEN messages.status = 'unknown' THEN messages.status ELSE dropped.status END
    FROM unnest(CAST(:ids AS uuid[]), CAST(:statuses AS text[]), CAST(:reasons AS text[]))
        AS dropped (id, status, reason)
    WHERE messages.brand_id = :brand_id AND messages.id = dropped.id
""")


@dataclass(frozen=True)
class Claim:
    """Claimed messages of one brand."""

    brand: Brand
    messages: Sequence[ClaimedMessage]
    moved: int
    """Rows taken, those that were deferred or dropped included."""
    reserved: Reservation | None
    """The journal's number of this claim; None where it has no message."""


@dataclass(frozen=True)
class ClaimTerms:
    """What one sender claims."""

    priorities: Sequence[Priority]
    """The first one that has messages due is claimed."""
    providers: Mapping[Channel, str]
    grace: Grace
    channels: Sequence[Channel]
    """Those whose provider works, or is tested by this claim."""
    most: int
    give_way: Callable[[], Awaitable[None]]
    """Awaited now and then, so that other tasks of the process can run."""


async def claim(
    session: AsyncSession, context: AppContext, brand_id: int, terms: ClaimTerms, *, now: datetime
) -> Claim | None:
    """Begin an attempt for up to `terms.most` messages of one priority; None where none is due.

    Consent and suppression are checked here for the last time. A message that would leave in quiet
    hours, as after a refusal or an outage, is deferred to their end. The rows stay locked until the
    commit, so no other worker can claim them.
    """
    rows = await _due_rows(session, brand_id, terms, now)
    if not rows:
        return None
    setup = await load_setup(session, brand_id)
    brand, quiet_hours = setup.brand, setup.in_force.programme.survey.quiet_hours
    customers = {row.customer_id for row in rows if row.customer_id is not None}
    people = await load_contact_options(session, context.tokens, brand, customers)
    texts = await load_own_texts(session, brand)
    decisions = Decisions(brand, setup.shops, quiet_hours, people, now, texts, context.settings.public_url)
    for start in range(0, len(rows), PIECE):
        if start:
            await terms.give_way()
        for row in rows[start : start + PIECE]:
            decisions.add(row)
    await _begin(session, brand_id, decisions.claimed, terms.providers, now)
    await _drop(session, brand_id, decisions.dropped)
    await _defer(session, brand_id, decisions.deferred)
    reserved = await reserve(session, context.journal) if decisions.claimed else None
    return Claim(brand, decisions.claimed, len(rows), reserved)


async def _due_rows(
    session: AsyncSession, brand_id: int, terms: ClaimTerms, now: datetime
) -> Sequence[DueMessage]:
    for priority in terms.priorities:
        given: dict[str, object] = {
            "brand_id": brand_id,
            "priority": priority.value,
            "most": terms.most,
            "now": now,
            "channels": [channel.value for channel in terms.channels],
        }
        rows = await _CLAIM_DUE.all(session, **given)
        if not rows:
            rows = await _CLAIM_UNKNOWN.all(session, **given, grace=terms.grace.until(now))
        if rows:
            return rows
    return []


async def _begin(
    session: AsyncSession,
    brand_id: int,
    claimed: Sequence[ClaimedMessage],
    providers: Mapping[Channel, str],
    now: datetime,
) -> None:
    """Write the attempts, and the template versions that are not stored yet."""
    if not claimed:
        return
    versions = {message.version.id: message.version for message in claimed}
    places = {version_id: place for place, version_id in enumerate(versions, start=1)}
    missing = await _BEGIN.all(
        session,
        brand_id=brand_id,
        now=now,
        ids=[message.message_id for message in claimed],
        attempt_ids=[message.attempt_id for message in claimed],
        numbers=array_text([message.number for message in claimed]),
        places=array_text([places[message.version.id] for message in claimed]),
        addresses=array_text([message.address for message in claimed]),
        versions=list(versions),
        providers=[providers[version.channel] for version in versions.values()],
    )
    await store_versions(session, brand_id, [versions[version_id] for version_id in missing])


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
