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
from app.base.web import Ground
from app.brands.programme import Channel
from app.messaging.carrier import Accepted, Batch, Carrier, Result
from app.messaging.claim import AT_ONCE, Claim, Patience, brands_with_work, claim, give_up_stuck
from app.messaging.compose import Parcel, parcels
from app.messaging.outcome import record_results
from app.messaging.rules import Lane

log = logger(__name__)

CLAIMS_AT_ONCE = 3
"""Claims under way beside each other: a bound on memory, and on a brand's turn."""
_HOPELESS = 16
"""So many letters refused one by one with none accepted: the fault is ours and not theirs."""


def sweep(ground: Ground, carriers: Mapping[Channel, Carrier]) -> Sweep:
    """Send what is due, the urgent lane first."""
    return _sweep("messages", ground, carriers, (Lane.urgent, Lane.normal), every_seconds=5)


def urgent_sweep(ground: Ground, carriers: Mapping[Channel, Carrier]) -> Sweep:
    """Send the urgent lane alone: run beside `sweep`, so that nobody with the page open waits for a provider that is slow at surveys."""
    return _sweep("urgent", ground, carriers, (Lane.urgent,), every_seconds=1)


def _sweep(room: str, ground: Ground, carriers: Mapping[Channel, Carrier], lanes: Sequence[Lane], *, every_seconds: int) -> Sweep:
    sender = Sender(ground, carriers, lanes)
    return Sweep(room, sender.brands, sender.work, every_seconds)


@dataclass
class Sender:
    """Sends messages of some lanes; knows which of its attempts are under way, so as not to take them for crashed."""

    ground: Ground
    carriers: Mapping[Channel, Carrier]
    lanes: Sequence[Lane]
    under_way: set[UUID] = field(default_factory=set)

    @property
    def patience(self) -> Patience:
        """How long sends of unknown outcome wait."""
        return Patience(self.ground.settings.unknown_grace_seconds)

    async def brands(self, now: datetime) -> list[int]:
        """Brands with something to do at `now`."""
        async with self.ground.sessions() as session:
            return await brands_with_work(session, self.lanes, self.patience, now=now)

    async def work(self, brand_id: int, now: datetime) -> int:
        """Send up to `CLAIMS_AT_ONCE` claims of a brand's messages; answers how many rows were moved on.

        While one claim is with the provider the next is made, as long as claims come back full.
        """
        async with self.ground.sessions.begin() as session:
            moved = await give_up_stuck(session, brand_id, self.under_way, self.patience, now=now)
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
        providers = {channel: carrier.name for channel, carrier in self.carriers.items()}
        async with self.ground.sessions.begin() as session:
            return await claim(session, self.ground, brand_id, self.lanes, providers, self.patience, now=now)

    async def _send_all(self, taken: Claim, now: datetime) -> None:
        ids = {one.attempt_id for one in taken.claimed}
        self.under_way |= ids
        try:
            most = {channel: carrier.most for channel, carrier in self.carriers.items()}
            found = parcels(taken, self.ground, most)
            done = await asyncio.gather(*(self._send(parcel, now) for parcel in found), return_exceptions=True)
        finally:
            self.under_way -= ids
        # What could not be recorded stays `sending` and is looked after once the grace is over.
        raise_first(done)

    async def _send(self, parcel: Parcel, now: datetime) -> None:
        batch = parcel.batch
        results = await send_apart(self.carriers[batch.channel], batch)
        async with self.ground.sessions.begin() as session:
            await record_results(session, self.ground, batch.brand_id, parcel.claimed, results, now=now)
        accepted = sum(isinstance(result, Accepted) for result in results)
        unknown = sum(isinstance(result, OutsideError) and result.outcome is Outcome.unknown for result in results)
        log.info("sent", brand=batch.brand_id, template=batch.template, letters=len(results), accepted=accepted, unknown=unknown)


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


async def send_apart(carrier: Carrier, batch: Batch, tally: _Tally | None = None) -> list[Result]:
    """Send a batch; letters that were refused for good together are sent again in halves, until the one at fault stands alone.

    Letters share one refusal where the carrier answers the same object for them. Where one by one is refused and nothing accepted,
    the rest is refused for the time being.
    """
    tally = tally or _Tally()
    results = await _call(carrier, batch)
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
                apart = await send_apart(carrier, replace(batch, letters=[batch.letters[place] for place in half]), tally)
            for place, result in zip(half, apart, strict=True):
                results[place] = result
    return results


def _refused_together(results: Sequence[Result]) -> list[list[int]]:
    groups: dict[int, list[int]] = {}
    for place, result in enumerate(results):
        if isinstance(result, OutsideError) and result.outcome is Outcome.refused and result.permanent:
            groups.setdefault(id(result), []).append(place)
    return list(groups.values())


async def _call(carrier: Carrier, batch: Batch) -> list[Result]:
    """One call. An adapter that breaks leaves us in the dark, not its letters lost."""
    try:
        results = await carrier.send(batch)
    except Exception:
        log.exception("a carrier broke", carrier=carrier.name)
        return [OutsideError(Outcome.unknown, "the carrier broke")] * len(batch.letters)
    if len(results) != len(batch.letters):
        log.error("a carrier miscounted", carrier=carrier.name)
        return [OutsideError(Outcome.unknown, "the carrier miscounted")] * len(batch.letters)
    return list(results)
