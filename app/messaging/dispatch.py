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

from app.base import clock
from app.base.context import AppContext
from app.base.errors import Outcome, OutsideError
from app.base.fence import Reservation, may_send
from app.base.log import logger
from app.base.retry import retry_unavailable
from app.brands.programme import Channel
from app.messaging.accounts import channels_with_accounts
from app.messaging.circuit_rules import Circuit
from app.messaging.circuits import begin_probe, load_circuits, lock_probe, record_calls, says_nothing
from app.messaging.claim import AT_ONCE, Claim, ClaimTerms, claim
from app.messaging.compose import outgoing_batches
from app.messaging.due_messages import ClaimedMessage
from app.messaging.find_work import FoundWork, Grace, brands_with_work, give_up_stuck
from app.messaging.journal import UNWRITABLE, journal_claim, journal_results
from app.messaging.outcomes import record_results
from app.messaging.own_providers import ChannelProviders, OwnProviders
from app.messaging.providers.protocol import Accepted, OutgoingBatch, Provider, Result
from app.messaging.rules import Priority
from app.messaging.send_apart import send_apart
from app.messaging.side_by_side import may_send_more, raise_first

log = logger(__name__)

TURN_SECONDS = 2.0
"""After that a turn makes no more claims, so that the next brand has its turn."""
RECORD_SECONDS = 45.0
"""How long an outcome is recorded again where the database is unavailable or a message is locked:
less than `MOST_IN_FLIGHT_SECONDS`, after which another process may take up the send."""


@dataclass
class Dispatcher:
    """Sends the messages of some priorities.

    It knows which of its attempts are under way, so it does not take them for crashed, and which
    providers fail.
    """

    context: AppContext
    providers: Mapping[Channel, Provider]
    priorities: Sequence[Priority]
    claim_size: int = AT_ONCE
    own: OwnProviders | None = None
    under_way: set[UUID] = field(default_factory=set)
    circuits: dict[str, Circuit] = field(default_factory=dict)
    found: dict[int, FoundWork] = field(default_factory=dict)
    """What the brands have that were just searched: nothing else is looked for in their turn."""
    own_channels: set[Channel] = field(default_factory=set)
    """The channels on which any brand has an account of its own."""
    may_send: bool = False
    """Whether the database may send, as the last search found."""

    @property
    def grace(self) -> Grace:
        """How long sends of unknown outcome wait."""
        return Grace(self.context.settings.unknown_grace_seconds)

    async def brands(self, now: datetime) -> list[int]:
        """Brands with something to do at `now`; none while the database may not send."""
        with self._precedence():
            self.may_send = await may_send(self.context.sessions, self.context.journal)
            if not self.may_send:
                return []
            async with self.context.reading_sessions() as session:
                self.circuits = await load_circuits(session)
                if self.own is not None:
                    self.own_channels = await channels_with_accounts(session)
                channels = self.own_channels | self._usable(ChannelProviders.shared(self.providers), now)
                found = await brands_with_work(session, self.priorities, channels, self.grace, now=now)
        self.found |= found
        return list(found)

    def _usable(self, providers: ChannelProviders, now: datetime) -> set[Channel]:
        probed = (channel for each in providers.to_probe(self.circuits, now) for channel in each[1])
        return {*providers.closed(self.circuits), *probed}

    @property
    def _is_urgent(self) -> bool:
        return set(self.priorities) == {Priority.urgent}

    def _precedence(self) -> AbstractContextManager[None]:
        """Where this one is the urgent one, bulk work of the process waits meanwhile."""
        return self.context.precedence.urgent() if self._is_urgent else nullcontext()

    async def _give_way(self) -> None:
        if not self._is_urgent:
            await self.context.precedence.give_way()

    async def _providers_of(self, brand_id: int) -> ChannelProviders:
        """The brand's own accounts, for the other channels the installation's."""
        shared = ChannelProviders.shared(self.providers)
        if self.own is None or not self.own_channels:
            return shared
        async with self.context.reading_sessions() as session:
            return shared.with_own((await self.own.load(session, [brand_id])).get(brand_id, {}))

    async def work(self, brand_id: int, now: datetime) -> int:
        """Send claims of a brand's messages for some `TURN_SECONDS`; returns how many rows changed.

        While claims are with the provider the next is made, as long as claims come back full and
        none has failed. A brand that no search found was named by a wake-up: it has messages due,
        and whether any send of it stopped is left to the next search.
        """
        if not self.may_send:
            return 0
        found = self.found.pop(brand_id, FoundWork(tuple(self.priorities), stuck=False))
        moved = await self._give_up_stuck(brand_id, now) if found.stuck else 0
        providers = await self._providers_of(brand_id)
        for circuit, channels in providers.to_probe(self.circuits, now):
            moved += await self._probe(brand_id, providers, circuit, channels, now)
        ends_at = clock.monotonic() + TURN_SECONDS
        sending: list[asyncio.Task[None]] = []
        try:
            while await may_send_more(sending) and clock.monotonic() < ends_at:
                claimed = await self._claim(brand_id, providers, found.due, now)
                if claimed is None:
                    break
                sending.append(asyncio.create_task(self._send_all(claimed, providers, None, now)))
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

    async def _probe(
        self,
        brand_id: int,
        providers: ChannelProviders,
        name: str,
        channels: Sequence[Channel],
        now: datetime,
    ) -> int:
        """Send one message by an account that failed, unless another worker does.

        Returns how many rows changed state.
        """
        async with self.context.sessions.begin() as session:
            circuit = await lock_probe(session, name, now=now)
            if circuit is None:
                return 0
            terms = self._terms(providers, channels, most=1)
            claimed = await claim(session, self.context, brand_id, terms, now=now)
            if claimed is not None and claimed.messages:
                await begin_probe(session, name, now=now)
        if claimed is None:
            return 0
        if claimed.messages:
            await self._send_all(claimed, providers, circuit, now)
        return claimed.moved

    def _terms(self, providers: ChannelProviders, channels: Sequence[Channel], *, most: int) -> ClaimTerms:
        return ClaimTerms(self.priorities, providers.names, self.grace, channels, most, self._give_way)

    async def _claim(
        self, brand_id: int, providers: ChannelProviders, priorities: Sequence[Priority], now: datetime
    ) -> Claim | None:
        channels = providers.closed(self.circuits)
        terms = replace(self._terms(providers, channels, most=self.claim_size), priorities=priorities)
        if not terms.channels or not priorities:
            return None
        await self._give_way()
        with self._precedence():
            async with self.context.sessions.begin() as session:
                return await claim(session, self.context, brand_id, terms, now=now)

    async def _send_all(
        self, claimed: Claim, providers: ChannelProviders, probe: Circuit | None, now: datetime
    ) -> None:
        ids = {message.attempt_id for message in claimed.messages}
        self.under_way |= ids
        try:
            most = {channel: provider.most for channel, provider in providers.providers.items()}
            with self._precedence():
                known = await journal_claim(claimed, providers.names, now=now)
            sending = _Sending(providers, claimed.reserved, probe, now, journaled=known)
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
        provider, now = sending.providers.providers[batch.channel], sending.now
        name = sending.providers.circuit_names[batch.channel]
        results: list[Result] = [UNWRITABLE] * len(messages)
        if sending.journaled:
            results = await send_apart(provider, batch)
            await journal_results(sending.reserved, batch.brand_id, messages, results)

        async def record() -> None:
            async with self.context.sessions.begin() as session:
                await record_results(session, self.context, batch.brand_id, messages, results, now=now)

        await self._give_way()
        await retry_unavailable(record, name="outcomes", seconds=RECORD_SECONDS)
        if sending.probe is not None or not says_nothing(results, name, self.circuits):
            await self._record_calls(name, results, sending)
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

    async def _record_calls(self, name: str, results: Sequence[Result], sending: "_Sending") -> None:
        async with self.context.sessions.begin() as session:
            circuit = await record_calls(
                session, name, results, self.circuits, probe=sending.probe, now=sending.now
            )
        self.circuits.pop(name, None)
        if circuit is not None:
            self.circuits[name] = circuit


@dataclass(frozen=True, slots=True)
class _Sending:
    """How the batches of one claim are sent."""

    providers: ChannelProviders
    reserved: Reservation | None
    probe: Circuit | None
    now: datetime
    journaled: bool
    """Whether the journal has them; without it nothing is sent."""
