"""Claims that are sent beside each other: how many, and what a failure means."""

import asyncio
from collections.abc import Sequence

CLAIMS_AT_ONCE = 3
"""Claims under way beside each other: a bound on memory."""


async def may_send_more(sending: Sequence[asyncio.Task[None]]) -> bool:
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
