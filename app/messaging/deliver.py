"""Work off messages: claim and write an attempt, commit; send; record the outcome.

No provider knows an idempotency key, so nobody can tell whether a call that broke was carried out. What was certainly refused is
tried again; what was accepted is done; what is unknown waits for the provider's own events and is then sent once more.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from uuid import UUID

from app.base.due import Sweep
from app.base.errors import Outcome, OutsideError
from app.base.log import logger
from app.base.web.context import AppContext
from app.brands.programme import Channel
from app.messaging.claim import AT_ONCE, Claim, Grace, brands_with_work, claim, give_up_stuck
from app.messaging.compose import ClaimedBatch, outgoing_batches
from app.messaging.outcomes import record_results
from app.messaging.providers.protocol import Accepted, OutgoingBatch, Provider, Result
from app.messaging.rules import Priority

log = logger(__name__)

CLAIMS_AT_ONCE = 3
"""Claims under way beside each other: a bound on memory, and on a brand's turn."""
_HOPELESS = 16
"""So many letters refused one by one with none accepted: the fault is ours and not theirs."""


def sweep(context: AppContext, providers: Mapping[Channel, Provider]) -> Sweep:
    """Send what is due, the urgent priority first."""
    return _sweep("messages", context, providers, (Priority.urgent, Priority.normal), every_seconds=5)


def urgent_sweep(context: AppContext, providers: Mapping[Channel, Provider]) -> Sweep:
    """Send the urgent priority alone: run beside `sweep`, so that nobody with the page open waits for a provider that is slow at surveys."""
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
    """Sends messages of some priorities; knows which of its attempts are under way, so as not to take them for crashed."""

    context: AppContext
    providers: Mapping[Channel, Provider]
    priorities: Sequence[Priority]
    under_way: set[UUID] = field(default_factory=set)

    @property
    def grace(self) -> Grace:
        """How long sends of unknown outcome wait."""
        return Grace(self.context.settings.unknown_grace_seconds)

    async def brands(self, now: datetime) -> list[int]:
        """Brands with something to do at `now`."""
        async with self.context.sessions() as session:
            return await brands_with_work(session, self.priorities, self.grace, now=now)

    async def work(self, brand_id: int, now: datetime) -> int:
        """Send up to `CLAIMS_AT_ONCE` claims of a brand's messages; answers how many rows were moved on.

        While one claim is with the provider the next is made, as long as claims come back full.
        """
        async with self.context.sessions.begin() as session:
            moved = await give_up_stuck(session, brand_id, self.under_way, self.grace, now=now)
        sending: list[asyncio.Task[None]] = []
        try:
            while len(sending) < CLAIMS_AT_ONCE and (taken := await self._claim(brand_id, now)) is not None:
                sending.append(asyncio.create_task(self._send_all(taken, now)))
                moved += taken.moved
                if taken.moved < AT_ONCE:
                    break
        finally:
            # Whatever happened to one, the others are seen to their end.
            done = await asyncio.gather(*sending, return_exceptions=True)
        raise_first(done)
        return moved

    async def _claim(self, brand_id: int, now: datetime) -> Claim | None:
        providers = {channel: provider.name for channel, provider in self.providers.items()}
        async with self.context.sessions.begin() as session:
            return await claim(
                session, self.context, brand_id, self.priorities, providers, self.grace, now=now
            )

    async def _send_all(self, taken: Claim, now: datetime) -> None:
        ids = {one.attempt_id for one in taken.claimed}
        self.under_way |= ids
        try:
            most = {channel: provider.most for channel, provider in self.providers.items()}
            found = outgoing_batches(taken, self.context, most)
            done = await asyncio.gather(
                *(self._send(outgoing, now) for outgoing in found), return_exceptions=True
            )
        finally:
            self.under_way -= ids
        # What could not be recorded stays `sending` and is looked after once the grace is over.
        raise_first(done)

    async def _send(self, outgoing: ClaimedBatch, now: datetime) -> None:
        batch = outgoing.batch
        results = await send_apart(self.providers[batch.channel], batch)
        async with self.context.sessions.begin() as session:
            await record_results(session, self.context, batch.brand_id, outgoing.claimed, results, now=now)
        accepted = sum(isinstance(result, Accepted) for result in results)
        unknown = sum(
            isinstance(result, OutsideError) and result.outcome is Outcome.unknown for result in results
        )
        log.info(
            "sent",
            brand=batch.brand_id,
            template=batch.template,
            recipients=len(results),
            accepted=accepted,
            unknown=unknown,
        )


def raise_first(outcomes: Sequence[BaseException | None]) -> None:
    """Let the first failure fly, once all beside it have ended."""
    for outcome in outcomes:
        if outcome is not None:
            raise outcome


@dataclass
class _Tally:
    """What the calls for one batch have shown so far."""

    accepted: bool = False
    refused_alone: int = 0

    @property
    def hopeless(self) -> bool:
        return not self.accepted and self.refused_alone >= _HOPELESS


async def send_apart(provider: Provider, batch: OutgoingBatch, tally: _Tally | None = None) -> list[Result]:
    """Send a batch; letters that were refused for good together are sent again in halves, until the one at fault stands alone.

    Letters share one refusal where the carrier answers the same object for them. Where one by one is refused and nothing accepted,
    the rest is refused for the time being.
    """
    tally = tally or _Tally()
    results = await _call(provider, batch)
    tally.accepted = tally.accepted or any(isinstance(result, Accepted) for result in results)
    for places in _refused_together(results):
        if len(places) == 1:
            tally.refused_alone += 1
            continue
        middle = len(places) // 2
        for half in (places[:middle], places[middle:]):
            if tally.hopeless:
                refused = results[half[0]]
                apart: list[Result] = [OutsideError(Outcome.refused, str(refused))] * len(half)
            else:
                apart = await send_apart(
                    provider, replace(batch, recipients=[batch.recipients[place] for place in half]), tally
                )
            for place, result in zip(half, apart, strict=True):
                results[place] = result
    return results


def _refused_together(results: Sequence[Result]) -> list[list[int]]:
    groups: dict[int, list[int]] = {}
    for place, result in enumerate(results):
        if isinstance(result, OutsideError) and result.outcome is Outcome.refused and result.permanent:
            groups.setdefault(id(result), []).append(place)
    return list(groups.values())


async def _call(provider: Provider, batch: OutgoingBatch) -> list[Result]:
    """One call. An adapter that breaks leaves us in the dark, not its letters lost."""
    try:
        results = await provider.send(batch)
    except Exception:
        log.exception("a carrier broke", provider=provider.name)
        return [OutsideError(Outcome.unknown, "the carrier broke")] * len(batch.recipients)
    if len(results) != len(batch.recipients):
        log.error("a carrier miscounted", provider=provider.name)
        return [OutsideError(Outcome.unknown, "the carrier miscounted")] * len(batch.recipients)
    return list(results)
