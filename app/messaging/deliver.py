"""Send messages: claim and write an attempt, commit; send; record the outcome.

No provider has an idempotency key, so after a broken call it is unknown whether the message was
sent. A refused message is tried again, an accepted one is done; an unknown outcome waits for the
provider's own events, then the message is sent once more.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from uuid import UUID

from sqlalchemy.exc import IntegrityError

from app.base.context import AppContext
from app.base.due import Sweep
from app.base.errors import Outcome, OutsideError
from app.base.log import logger
from app.brands.programme import Channel
from app.messaging.claim import AT_ONCE, Claim, ClaimTerms, claim
from app.messaging.compose import outgoing_batches
from app.messaging.due_messages import ClaimedMessage
from app.messaging.find_work import Grace, brands_with_work, give_up_stuck
from app.messaging.outcomes import record_results
from app.messaging.providers.protocol import Accepted, OutgoingBatch, Provider, Result
from app.messaging.rules import Priority

log = logger(__name__)

CLAIMS_AT_ONCE = 3
"""Claims under way beside each other: a bound on memory, and on a brand's turn."""
_REFUSED_ALONE_LIMIT = 16
"""After so many messages refused one by one with none accepted, the batch's sender is at fault."""


def sweep(context: AppContext, providers: Mapping[Channel, Provider]) -> Sweep:
    """Send what is due, the urgent priority first."""
    return _sweep("messages", context, providers, (Priority.urgent, Priority.normal), every_seconds=5)


def urgent_sweep(context: AppContext, providers: Mapping[Channel, Provider]) -> Sweep:
    """Send the urgent priority alone.

    It runs beside `sweep`, so nobody with the page open waits for a provider that is slow at
    surveys.
    """
    return _sweep("urgent", context, providers, (Priority.urgent,), every_seconds=1)


def _sweep(
    name: str,
    context: AppContext,
    providers: Mapping[Channel, Provider],
    priorities: Sequence[Priority],
    *,
    every_seconds: int,
) -> Sweep:
    sender = Sender(context, providers, priorities)
    return Sweep(name, sender.brands, sender.work, every_seconds)


@dataclass
class Sender:
    """Sends messages of some priorities.

    It knows which of its attempts are under way, so it does not take them for crashed, and which
    template versions are stored, so it does not write them again.
    """

    context: AppContext
    providers: Mapping[Channel, Provider]
    priorities: Sequence[Priority]
    under_way: set[UUID] = field(default_factory=set)
    known_versions: set[tuple[int, bytes]] = field(default_factory=set)

    @property
    def grace(self) -> Grace:
        """How long sends of unknown outcome wait."""
        return Grace(self.context.settings.unknown_grace_seconds)

    async def brands(self, now: datetime) -> list[int]:
        """Brands with something to do at `now`."""
        async with self.context.sessions() as session:
            return await brands_with_work(session, self.priorities, self.grace, now=now)

    async def work(self, brand_id: int, now: datetime) -> int:
        """Send up to `CLAIMS_AT_ONCE` claims of a brand's messages.

        Returns how many rows changed state.

        While one claim is with the provider the next is made, as long as claims come back full.
        """
        async with self.context.sessions.begin() as session:
            moved = await give_up_stuck(session, brand_id, self.under_way, self.grace, now=now, most=AT_ONCE)
        sending: list[asyncio.Task[None]] = []
        try:
            while len(sending) < CLAIMS_AT_ONCE and (claimed := await self._claim(brand_id, now)) is not None:
                sending.append(asyncio.create_task(self._send_all(claimed, now)))
                moved += claimed.moved
                if claimed.moved < AT_ONCE:
                    break
        finally:
            # Whatever happened to one, the others are finished.
            done = await asyncio.gather(*sending, return_exceptions=True)
        raise_first(done)
        return moved

    async def _claim(self, brand_id: int, now: datetime) -> Claim | None:
        providers = {channel: provider.name for channel, provider in self.providers.items()}
        terms = ClaimTerms(self.priorities, providers, self.grace, self.known_versions)
        try:
            async with self.context.sessions.begin() as session:
                claimed = await claim(session, self.context, brand_id, terms, now=now)
        except IntegrityError:
            # A stored version is missing, as in a restored database: the next claim stores it
            # again.
            self.known_versions.clear()
            raise
        if claimed is not None:
            self.known_versions |= claimed.versions
        return claimed

    async def _send_all(self, claimed: Claim, now: datetime) -> None:
        ids = {message.attempt_id for message in claimed.messages}
        self.under_way |= ids
        try:
            most = {channel: provider.most for channel, provider in self.providers.items()}
            batches = outgoing_batches(claimed, self.context, most)
            done = await asyncio.gather(
                *(self._send(batch, messages, now) for batch, messages in batches), return_exceptions=True
            )
        finally:
            self.under_way -= ids
        # What could not be recorded stays `sending` and is taken up again once the grace is over.
        raise_first(done)

    async def _send(self, batch: OutgoingBatch, messages: Sequence[ClaimedMessage], now: datetime) -> None:
        results = await send_apart(self.providers[batch.channel], batch)
        async with self.context.sessions.begin() as session:
            await record_results(session, self.context, batch.brand_id, messages, results, now=now)
        log.info(
            "sent",
            brand=batch.brand_id,
            template=batch.template,
            recipients=len(results),
            accepted=sum(isinstance(result, Accepted) for result in results),
            unknown=sum(
                isinstance(result, OutsideError) and result.outcome is Outcome.unknown for result in results
            ),
        )


def raise_first(outcomes: Sequence[BaseException | None]) -> None:
    """Raise the first failure, once all beside it have ended."""
    for outcome in outcomes:
        if outcome is not None:
            raise outcome


@dataclass
class _CallCounts:
    """What the calls for one batch have shown so far."""

    accepted: bool = False
    refused_alone: int = 0

    @property
    def sender_at_fault(self) -> bool:
        return not self.accepted and self.refused_alone >= _REFUSED_ALONE_LIMIT


async def send_apart(
    provider: Provider, batch: OutgoingBatch, counts: _CallCounts | None = None
) -> list[Result]:
    """Send a batch, and isolate the messages at fault; returns one result per recipient.

    Messages that were refused for good together are sent again in halves, until the one at fault is
    alone. Messages share one refusal where the provider returns the same object for them. Where one
    by one is refused and none accepted, the rest is refused for the time being.
    """
    counts = counts or _CallCounts()
    results = await _call(provider, batch)
    counts.accepted = counts.accepted or any(isinstance(result, Accepted) for result in results)
    for places in _refused_together(results):
        if len(places) == 1:
            counts.refused_alone += 1
            continue
        middle = len(places) // 2
        for half in (places[:middle], places[middle:]):
            if counts.sender_at_fault:
                refused = results[half[0]]
                apart: list[Result] = [OutsideError(Outcome.refused, str(refused))] * len(half)
            else:
                part = replace(batch, recipients=[batch.recipients[place] for place in half])
                apart = await send_apart(provider, part, counts)
            for place, result in zip(half, apart, strict=True):
                results[place] = result
    return results


def _refused_together(results: Sequence[Result]) -> list[list[int]]:
    """Places of the results that are one and the same permanent refusal."""
    groups: dict[int, list[int]] = {}
    for place, result in enumerate(results):
        if isinstance(result, OutsideError) and result.outcome is Outcome.refused and result.permanent:
            groups.setdefault(id(result), []).append(place)
    return list(groups.values())


async def _call(provider: Provider, batch: OutgoingBatch) -> list[Result]:
    """One call. After a bug in an adapter the outcome is unknown, and no message is lost."""
    try:
        results = await provider.send(batch)
    except Exception:
        log.exception("provider failed", provider=provider.name)
        return [OutsideError(Outcome.unknown, "the provider's adapter failed")] * len(batch.recipients)
    if len(results) != len(batch.recipients):
        log.error("wrong number of results", provider=provider.name)
        return [OutsideError(Outcome.unknown, "wrong number of results")] * len(batch.recipients)
    return list(results)
