"""Send messages: claim and write an attempt, commit; send; record the outcome.

No provider has an idempotency key, so after a broken call it is unknown whether the message was
sent. A refused message is tried again, an accepted one is done; an unknown outcome waits for the
provider's own events, then the message is sent once more.
"""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from datetime import datetime
from uuid import UUID

from sqlalchemy.exc import IntegrityError

from app.base import clock
from app.base.context import AppContext
from app.base.errors import Outcome, OutsideError
from app.base.fence import Reservation, may_send
from app.base.log import logger
from app.base.retry import retry_unavailable
from app.base.turns import Sweep
from app.brands.programme import Channel
from app.messaging.circuit_rules import Circuit
from app.messaging.circuits import begin_probe, load_circuits, lock_probe, record_calls
from app.messaging.claim import AT_ONCE, Claim, ClaimTerms, claim
from app.messaging.compose import outgoing_batches
from app.messaging.due_messages import ClaimedMessage
from app.messaging.find_work import FoundWork, Grace, brands_with_work, give_up_stuck
from app.messaging.journal import UNWRITABLE, journal_claim, journal_results
from app.messaging.outcomes import record_results
from app.messaging.providers.protocol import Accepted, OutgoingBatch, Provider, Result
from app.messaging.rules import Priority
from app.messaging.send_apart import send_apart

log = logger(__name__)

CLAIMS_AT_ONCE = 3
"""Claims under way beside each other: a bound on memory."""
TURN_SECONDS = 2.0
"""After that a turn makes no more claims, so that the next brand has its turn."""
URGENT_AT_ONCE = 16
URGENT_OF_BRAND = 4
"""Urgent batches side by side, and those of one brand: they mostly wait for the provider, and an
offer should not wait for the one before it."""
RECORD_SECONDS = 45.0
"""How long an outcome is recorded again where the database is unavailable or a message is locked:
less than `MOST_IN_FLIGHT_SECONDS`, after which another process may take up the send."""


def sweep(context: AppContext, providers: Mapping[Channel, Provider], *, claim_size: int = AT_ONCE) -> Sweep:
    """Send what is due, the urgent priority first, in claims of at most `claim_size` messages."""
    sender = Sender(context, providers, (Priority.urgent, Priority.normal), claim_size)
    return Sweep("messages", sender.brands, sender.work, 5)


def urgent_sweep(context: AppContext, providers: Mapping[Channel, Provider]) -> Sweep:
    """Send the urgent priority alone.

    It runs beside `sweep`, so nobody with the page open waits for a provider that is slow at
    surveys.
    """
    sender = Sender(context, providers, (Priority.urgent,))
    return Sweep("urgent", sender.brands, sender.work, 1, at_once=URGENT_AT_ONCE, of_brand=URGENT_OF_BRAND)


@dataclass
class Sender:
    """Sends messages of some priorities.

    It knows which of its attempts are under way, so it does not take them for crashed, which
    template versions are stored, so it does not write them again, and which providers fail.
    """

    context: AppContext
    providers: Mapping[Channel, Provider]
    priorities: Sequence[Priority]
    claim_size: int = AT_ONCE
    under_way: set[UUID] = field(default_factory=set)
    known_versions: set[tuple[int, bytes]] = field(default_factory=set)
    circuits: dict[str, Circuit] = field(default_factory=dict)
    found: dict[int, FoundWork] = field(default_factory=dict)
    """What the brands have that were just searched: nothing else is looked for in their turn."""

    @property
    def grace(self) -> Grace:
        """How long sends of unknown outcome wait."""
        return Grace(self.context.settings.unknown_grace_seconds)

    async def brands(self, now: datetime) -> list[int]:
        """Brands with something to do at `now`; none while the database may not send."""
        with self._precedence():
            if not await may_send(self.context.sessions, self.context.journal):
                return []
            async with self.context.reading_sessions() as session:
                self.circuits = await load_circuits(session)
                probed = (channel for each in self._to_probe(now) for channel in each[1])
                channels = [*self._closed(), *probed]
                found = await brands_with_work(session, self.priorities, channels, self.grace, now=now)
        self.found |= found
        return list(found)

    @property
    def _is_urgent(self) -> bool:
        return set(self.priorities) == {Priority.urgent}

    def _precedence(self) -> AbstractContextManager[None]:
        """Where this sender is the urgent one, bulk work of the process waits meanwhile."""
        return self.context.precedence.urgent() if self._is_urgent else nullcontext()

    async def _give_way(self) -> None:
        if not self._is_urgent:
            await self.context.precedence.give_way()

    def _closed(self) -> list[Channel]:
        """The channels whose providers work."""
        circuits = self.circuits
        return [
            channel
            for channel, provider in self.providers.items()
            if provider.name not in circuits or not circuits[provider.name].is_open
        ]

    def _to_probe(self, now: datetime) -> list[tuple[str, list[Channel]]]:
        """The providers that may be tested now, with their channels."""
        return [
            (name, [channel for channel, provider in self.providers.items() if provider.name == name])
            for name in dict.fromkeys(provider.name for provider in self.providers.values())
            if name in self.circuits and self.circuits[name].may_probe(now)
        ]

    async def work(self, brand_id: int, now: datetime) -> int:
        """Send claims of a brand's messages for about `TURN_SECONDS`, some beside each other.

        Returns how many rows changed state.

        While claims are with the provider the next is made, as long as claims come back full and
        none has failed.
        """
        found = self.found.pop(brand_id, FoundWork(tuple(self.priorities), stuck=True))
        moved = await self._give_up_stuck(brand_id, now) if found.stuck else 0
        for provider, channels in self._to_probe(now):
            moved += await self._probe(brand_id, provider, channels, now)
        ends_at = clock.monotonic() + TURN_SECONDS
        sending: list[asyncio.Task[None]] = []
        try:
            while await _may_send_more(sending) and clock.monotonic() < ends_at:
                claimed = await self._claim(brand_id, found.due, now)
                if claimed is None:
                    break
                sending.append(asyncio.create_task(self._send_all(claimed, None, now)))
                moved += claimed.moved
                if claimed.moved < self.claim_size:
                    break
        except asyncio.CancelledError:
            for task in sending:
                task.cancel()
            raise
        finally:
            # Whatever happened to one, the others are finished.
            done = await asyncio.gather(*sending, return_exceptions=True)
        raise_first(done)
        return moved

    async def _give_up_stuck(self, brand_id: int, now: datetime) -> int:
        async with self.context.sessions.begin() as session:
            return await give_up_stuck(session, brand_id, self.under_way, self.grace, now=now, most=AT_ONCE)

    async def _probe(self, brand_id: int, provider: str, channels: Sequence[Channel], now: datetime) -> int:
        """Send one message to a provider that failed, unless another worker does.

        Returns how many rows changed state.
        """
        async with self.context.sessions.begin() as session:
            circuit = await lock_probe(session, provider, now=now)
            if circuit is None:
                return 0
            terms = self._terms(channels, most=1)
            claimed = await claim(session, self.context, brand_id, terms, now=now)
            if claimed is not None and claimed.messages:
                await begin_probe(session, provider, now=now)
        if claimed is None:
            return 0
        if claimed.messages:
            await self._send_all(claimed, circuit, now)
        return claimed.moved

    def _terms(self, channels: Sequence[Channel], *, most: int) -> ClaimTerms:
        providers = {channel: provider.name for channel, provider in self.providers.items()}
        return ClaimTerms(
            self.priorities, providers, self.grace, self.known_versions, channels, most, self._give_way
        )

    async def _claim(self, brand_id: int, priorities: Sequence[Priority], now: datetime) -> Claim | None:
        terms = replace(self._terms(self._closed(), most=self.claim_size), priorities=priorities)
        if not terms.channels or not priorities:
            return None
        await self._give_way()
        try:
            with self._precedence():
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

    async def _send_all(self, claimed: Claim, probe: Circuit | None, now: datetime) -> None:
        ids = {message.attempt_id for message in claimed.messages}
        self.under_way |= ids
        try:
            names = {channel: provider.name for channel, provider in self.providers.items()}
            most = {channel: provider.most for channel, provider in self.providers.items()}
            with self._precedence():
                known = await journal_claim(claimed, names, now=now)
            sending = _Sending(claimed.reserved, probe, now, journaled=known)
            batches = [each async for each in outgoing_batches(claimed, self.context, most, self._give_way)]
            done = await asyncio.gather(
                *(self._send(batch, messages, sending) for batch, messages in batches), return_exceptions=True
            )
        finally:
            self.under_way -= ids
        # What could not be recorded stays `sending` and is taken up again once the grace is over.
        raise_first(done)

    async def _send(
        self, batch: OutgoingBatch, messages: Sequence[ClaimedMessage], sending: "_Sending"
    ) -> None:
        provider, now = self.providers[batch.channel], sending.now
        results: list[Result] = [UNWRITABLE] * len(messages)
        if sending.journaled:
            results = await send_apart(provider, batch)
            await journal_results(sending.reserved, batch.brand_id, messages, results)

        async def record() -> None:
            async with self.context.sessions.begin() as session:
                await record_results(session, self.context, batch.brand_id, messages, results, now=now)

        await self._give_way()
        await retry_unavailable(record, name="outcomes", seconds=RECORD_SECONDS)
        async with self.context.sessions() as session:
            circuit = await record_calls(
                session, provider.name, results, self.circuits, probe=sending.probe, now=now
            )
            await session.commit()
        if circuit is None:
            self.circuits.pop(provider.name, None)
        else:
            self.circuits[provider.name] = circuit
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


@dataclass(frozen=True, slots=True)
class _Sending:
    """How the batches of one claim are sent."""

    reserved: Reservation | None
    probe: Circuit | None
    now: datetime
    journaled: bool
    """Whether the journal has them; without it nothing is sent."""


async def _may_send_more(sending: Sequence[asyncio.Task[None]]) -> bool:
    """Wait until one more claim may be sent beside these; False once one of them has failed."""
    under_way = [task for task in sending if not task.done()]
    if len(under_way) >= CLAIMS_AT_ONCE:
        await asyncio.wait(under_way, return_when=asyncio.FIRST_COMPLETED)
    return all(task.exception() is None for task in sending if task.done() and not task.cancelled())


def raise_first(outcomes: Sequence[BaseException | None]) -> None:
    """Raise the first failure, once all beside it have ended."""
    for outcome in outcomes:
        if outcome is not None:
            raise outcome
