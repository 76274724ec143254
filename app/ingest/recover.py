"""Bring a restored database up to its journal, and let it send again."""

import asyncio
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TypeVar
from uuid import UUID

from sqlalchemy import select

from app.base.actor import cli_actor
from app.base.context import AppContext
from app.base.fence import lift_fence, missing_after
from app.base.journal import Record, last_numbers, read_records
from app.base.models import Installation
from app.brands.find import load_brand, load_shops
from app.brands.models import Brand
from app.customers.journal import ERASED, SUPPRESSED, restore_erasures, restore_suppressions
from app.ingest.erase import PersonToErase, erase_people, next_sequence
from app.messaging.journal import SENT, UNSENT, JournaledSend
from app.messaging.recover import RestoredSends, find_open, restore_sends
from app.messaging.rules import AttemptStatus

T = TypeVar("T")

_OVERLAP = 100
"""Records before the last known one that are read too: their sends may have had no outcome yet."""
_AT_ONCE = 1_000


@dataclass
class _OfBrand:
    """What the journal has of one brand."""

    sends: list[JournaledSend] = field(default_factory=list)
    perhaps_open: list[JournaledSend] = field(default_factory=list)
    """Of writers that the copy is not behind: they may have been under way when it was made."""
    unsent: dict[UUID, AttemptStatus] = field(default_factory=dict)
    suppressions: list[Sequence[object]] = field(default_factory=list)
    erasures: list[Sequence[object]] = field(default_factory=list)


@dataclass
class Recovery:
    """What was re-applied, and what a person must decide."""

    suppressions: int = 0
    people_erased: int = 0
    messages_sent: int = 0
    messages_in_review: int = 0
    messages_unknown: int = 0
    """Sent to customers or from shops that the copy does not have."""
    brands_unknown: list[int] = field(default_factory=list)
    """Brands that the copy does not have."""

    def decisions(self) -> list[str]:
        """What is left to a person, a sentence each."""
        sentences = []
        if self.messages_in_review:
            sentences.append(
                f"{self.messages_in_review} messages may have been sent or not: GET"
                " /api/v1/messages?status=review, then resend or dismiss each."
            )
        if self.messages_unknown:
            sentences.append(
                f"{self.messages_unknown} messages went to customers that this copy does not have. Where"
                " their shops deliver the orders again, they are asked again: set surveys_enabled to"
                " false first if that must not be."
            )
        if self.brands_unknown:
            sentences.append(
                f"{len(self.brands_unknown)} brands were added after this copy was made; add them again."
            )
        return sentences


async def recover(context: AppContext, directories: Sequence[Path], *, now: datetime) -> Recovery:
    """Re-apply what the journals know: suppressions, erasures, messages sent; then lift the fence.

    `directories` are those of all machines. It commits by itself, brand by brand, and may be
    repeated after an interruption: the fence is lifted last.
    """
    async with context.sessions() as session:
        installation = (await session.scalars(select(Installation.id))).one()
        known_brands = set(await session.scalars(select(Brand.id)))
    recovery = Recovery()
    last: dict[str, int] = {}
    for directory in directories:
        folder = directory / str(installation)
        written = await asyncio.to_thread(last_numbers, folder)
        last |= written
        async with context.sessions() as session:
            after = await missing_after(session, written)
        brands = await asyncio.to_thread(_by_brand, folder, after, written)
        for brand_id, found in sorted(brands.items()):
            if brand_id in known_brands:
                await _recover_brand(context, brand_id, found, recovery, now)
            else:
                recovery.brands_unknown.append(brand_id)
    async with context.sessions.begin() as session:
        await lift_fence(session, last)
    return recovery


def _by_brand(folder: Path, after: Mapping[str, int], written: Mapping[str, int]) -> dict[int, _OfBrand]:
    """What the journal has beyond the copy, and the last records of those it is not behind."""
    brands: dict[int, _OfBrand] = defaultdict(_OfBrand)
    for writer, known in sorted(after.items()):
        is_behind = known >= 0
        for record in read_records(folder, writer, (known if is_behind else written[writer]) - _OVERLAP):
            _add_record(brands[record.brand_id], record, is_behind=is_behind)
    brands.pop(0, None)
    return brands


def _add_record(brand: _OfBrand, record: Record, *, is_behind: bool) -> None:
    if record.kind == SENT:
        sends = [JournaledSend.read(row) for row in record.rows]
        (brand.sends if is_behind else brand.perhaps_open).extend(sends)
    elif record.kind == UNSENT:
        brand.unsent |= {UUID(row[0]): AttemptStatus(row[1]) for row in record.rows}
    elif is_behind and record.kind == SUPPRESSED:
        brand.suppressions += record.rows
    elif is_behind and record.kind == ERASED:
        brand.erasures += record.rows


def _parts(rows: Sequence[T]) -> Iterator[Sequence[T]]:
    for start in range(0, len(rows), _AT_ONCE):
        yield rows[start : start + _AT_ONCE]


async def _recover_brand(
    context: AppContext, brand_id: int, found: _OfBrand, recovery: Recovery, now: datetime
) -> None:
    async with context.sessions() as session:
        still_open = await find_open(session, brand_id, found.perhaps_open)
    for sends in _parts([*found.sends, *still_open]):
        async with context.sessions.begin() as session:
            restored: RestoredSends = await restore_sends(session, brand_id, sends, found.unsent)
        recovery.messages_sent += restored.sent
        recovery.messages_in_review += restored.in_review
        recovery.messages_unknown += restored.unknown_here
    for suppressions in _parts(found.suppressions):
        async with context.sessions.begin() as session:
            await restore_suppressions(session, brand_id, suppressions)
        recovery.suppressions += len(suppressions)
    for erasures in _parts(found.erasures):
        async with context.sessions.begin() as session:
            ids = await restore_erasures(session, brand_id, erasures, sequence=await next_sequence(session))
            people = [PersonToErase(frozenset({customer_id})) for customer_id in ids]
            if people:
                brand, shops = await load_brand(session, brand_id), await load_shops(session, brand_id)
                await erase_people(
                    session, context.tokens, brand, shops, people, actor=cli_actor(brand_id), now=now
                )
        recovery.people_erased += len(ids)
