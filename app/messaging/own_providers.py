"""By whose account a brand's messages are sent: its own where it has one, else the installation's.

Each account has a circuit of its own, so that one brand's rejected key stops nobody else.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from app.base import clock
from app.base.errors import Fault, Outcome, OutsideError
from app.base.tokens import Tokens
from app.brands.programme import Channel
from app.messaging.account_rules import circuit_of
from app.messaging.accounts import OwnAccount, load_account_rows, opened
from app.messaging.circuit_rules import Circuit
from app.messaging.models import ProviderAccount
from app.messaging.providers.protocol import OutgoingBatch, Provider, Result

_RETIRED_SECONDS = 120.0
"""A replaced account's connections are closed after this: a call takes at most half of it."""
_MOST = 500
"""Accounts with open connections in a process."""


@dataclass(frozen=True, slots=True)
class ChannelProviders:
    """The providers of one brand, and the circuit of each channel's account."""

    providers: Mapping[Channel, Provider]
    circuit_names: Mapping[Channel, str]

    @classmethod
    def shared(cls, providers: Mapping[Channel, Provider]) -> "ChannelProviders":
        """The installation's."""
        return cls(providers, {channel: provider.name for channel, provider in providers.items()})

    def with_own(self, own: Mapping[Channel, tuple[Provider, str]]) -> "ChannelProviders":
        """With a brand's own accounts, each a provider and its circuit, in place of these."""
        return ChannelProviders(
            {**self.providers, **{channel: provider for channel, (provider, _) in own.items()}},
            {**self.circuit_names, **{channel: name for channel, (_, name) in own.items()}},
        )

    @property
    def names(self) -> dict[Channel, str]:
        """The providers' names, as stored in attempts."""
        return {channel: provider.name for channel, provider in self.providers.items()}

    def closed(self, circuits: Mapping[str, Circuit]) -> list[Channel]:
        """The channels whose accounts work."""
        return [
            channel
            for channel, name in self.circuit_names.items()
            if name not in circuits or not circuits[name].is_open
        ]

    def to_probe(self, circuits: Mapping[str, Circuit], now: datetime) -> list[tuple[str, list[Channel]]]:
        """The circuits that may be tested now, with their channels."""
        return [
            (name, [channel for channel, each in self.circuit_names.items() if each == name])
            for name in dict.fromkeys(self.circuit_names.values())
            if name in circuits and circuits[name].may_probe(now)
        ]


class OwnProviders:
    """The clients of brands' own accounts in this process, made when they are needed."""

    def __init__(self, tokens: Tokens, make: Callable[[OwnAccount], Provider]) -> None:
        self._tokens = tokens
        self._make = make
        self._made: dict[tuple[int, Channel], tuple[str, str | None, Provider]] = {}
        self._retired: list[tuple[float, Provider]] = []

    async def load(
        self, session: AsyncSession, brand_ids: Collection[int]
    ) -> dict[int, dict[Channel, tuple[Provider, str]]]:
        """The present accounts of these brands: a provider and its circuit for each channel."""
        found: dict[int, dict[Channel, tuple[Provider, str]]] = {}
        for row in await load_account_rows(session, brand_ids):
            own = found.setdefault(row.brand_id, {})
            own[row.channel] = self._provider(row), circuit_of(row.provider, row.brand_id)
        await self._close_retired(clock.monotonic() - _RETIRED_SECONDS)
        return found

    def _provider(self, row: ProviderAccount) -> Provider:
        key = row.brand_id, row.channel
        made = self._made.pop(key, None)
        if made is None or made[:2] != (row.sealed_credentials, row.sender):
            if made is not None:
                self._retired.append((clock.monotonic(), made[2]))
            try:
                provider = self._make(opened(self._tokens, row))
            except ValueError:
                provider = Unusable(row.provider)
            made = row.sealed_credentials, row.sender, provider
        # The latest used are last; the others leave first.
        self._made[key] = made
        if len(self._made) > _MOST:
            oldest = next(iter(self._made))
            self._retired.append((clock.monotonic(), self._made.pop(oldest)[2]))
        return made[2]

    async def _close_retired(self, before: float) -> None:
        due = [provider for since, provider in self._retired if since <= before]
        self._retired = [each for each in self._retired if each[0] > before]
        for provider in due:
            await provider.close()

    async def close(self) -> None:
        """Close all connections."""
        for *_, provider in self._made.values():
            await provider.close()
        self._made.clear()
        await self._close_retired(float("inf"))


class Unusable:
    """The account whose credentials no key of ours opens: nothing is sent, by no other account."""

    most = 1_000

    def __init__(self, name: str) -> None:
        self.name = name

    async def send(self, batch: OutgoingBatch) -> list[Result]:
        """Refuse all, which opens the account's circuit."""
        reason = "the brand's credentials are sealed under another TENFOLD_SECRET_KEY"
        return [OutsideError(Outcome.refused, reason, fault=Fault.access)] * len(batch.recipients)

    async def close(self) -> None:
        """Nothing is open."""
