"""Send one batch, and isolate the messages that the provider refuses."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from app.base.errors import Outcome, OutsideError
from app.base.log import logger
from app.messaging.providers.protocol import Accepted, OutgoingBatch, Provider, Result

log = logger(__name__)

_REFUSED_ALONE_LIMIT = 16
"""After so many messages refused one by one with none accepted, the batch's sender is at fault."""


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
