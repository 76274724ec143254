"""Circuits of providers: an outage or a rejected key stops sending, not message by message.

A circuit opens after some failed calls in a row, whichever worker made them. While it is open one
message at a time tests the provider, at growing intervals; the first that gets through closes it.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy import Row, case, delete, func, literal, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.base.log import logger
from app.messaging.circuit_rules import (
    MOST_FAILURES,
    PROBE_LEASE,
    CallFailures,
    Circuit,
    call_failures,
    probe_wait,
    works,
)
from app.messaging.models import ProviderCircuit
from app.messaging.providers.protocol import Result

log = logger(__name__)

_COLUMNS = (
    ProviderCircuit.provider,
    ProviderCircuit.failures,
    ProviderCircuit.reason,
    ProviderCircuit.opened_at,
    ProviderCircuit.probe_at,
    ProviderCircuit.probes,
)
_CircuitRow = Row[str, int, str, datetime | None, datetime, int]


async def load_circuits(session: AsyncSession) -> dict[str, Circuit]:
    """The circuits of providers whose latest calls failed, by provider."""
    return {row.provider: _circuit(row) for row in await session.execute(select(*_COLUMNS))}


def _circuit(row: _CircuitRow) -> Circuit:
    return Circuit(*row)


async def lock_probe(session: AsyncSession, provider: str, *, now: datetime) -> Circuit | None:
    """Lock the circuit of a provider that may be tested now; None where another worker does it."""
    locked = await session.execute(
        select(*_COLUMNS)
        .where(ProviderCircuit.provider == provider, ProviderCircuit.opened_at.is_not(None))
        .with_for_update(skip_locked=True)
    )
    row = locked.one_or_none()
    return _circuit(row) if row is not None and _circuit(row).may_probe(now) else None


async def begin_probe(session: AsyncSession, provider: str, *, now: datetime) -> None:
    """Keep others from testing the provider while a message is sent to it."""
    await session.execute(
        update(ProviderCircuit)
        .where(ProviderCircuit.provider == provider)
        .values(probe_at=now + PROBE_LEASE, opened_at=func.least(ProviderCircuit.opened_at, now))
    )


def says_nothing(results: Sequence[Result], provider: str, known: Mapping[str, Circuit]) -> bool:
    """Whether `record_calls` would change nothing: a provider without a known failure works."""
    return provider not in known and works(results)


async def record_calls(
    session: AsyncSession,
    provider: str,
    results: Sequence[Result],
    known: Mapping[str, Circuit],
    *,
    probe: Circuit | None,
    now: datetime,
) -> Circuit | None:
    """Open or close a provider's circuit by the results of one batch; returns it as it is now.

    `known` are the circuits as last loaded; `probe` is the circuit that the batch tested. A success
    of a provider without a known failure costs no statement.
    """
    if works(results):
        if provider in known or probe is not None:
            await _close(session, provider)
        return None
    failed = call_failures(results)
    if failed is None:
        return known.get(provider)
    circuit = await _count(session, provider, failed, probe=probe, now=now)
    if circuit.opened_at == now:
        log.error("nothing is sent by a provider that fails", provider=provider, reason=circuit.reason)
    return circuit


async def _close(session: AsyncSession, provider: str) -> None:
    opened_at = await session.scalar(
        delete(ProviderCircuit)
        .where(ProviderCircuit.provider == provider)
        .returning(ProviderCircuit.opened_at)
    )
    if opened_at is not None:
        log.info("the provider works again", provider=provider, opened_at=opened_at.isoformat())


async def _count(
    session: AsyncSession, provider: str, failed: CallFailures, *, probe: Circuit | None, now: datetime
) -> Circuit:
    """Add failed calls to the circuit and open it where they are enough; returns it as it is."""
    least = 1 if failed.opens else MOST_FAILURES
    statement = insert(ProviderCircuit).values(
        provider=provider,
        failures=failed.calls,
        reason=failed.reason,
        opened_at=now if failed.calls >= least else None,
        probe_at=now + probe_wait(0),
        probes=0,
    )
    old, new = ProviderCircuit, statement.excluded
    failures, was_open = old.failures + new.failures, old.opened_at.is_not(None)
    next_probe = now + probe_wait(probe.probes + 1 if probe else 0)
    row = await session.execute(
        statement.on_conflict_do_update(
            index_elements=[old.provider],
            set_={
                "failures": failures,
                "reason": new.reason,
                "opened_at": func.coalesce(old.opened_at, case((failures >= least, literal(now)))),
                "probe_at": next_probe if probe else case((was_open, old.probe_at), else_=next_probe),
                "probes": old.probes + (1 if probe else 0),
            },
        ).returning(*_COLUMNS)
    )
    return _circuit(row.one())
