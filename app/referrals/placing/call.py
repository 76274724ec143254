"""Call shops' platforms about rewards' codes, outside of every transaction."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

import aiohttp

from app.base.config import Settings
from app.base.errors import Outcome, OutsideError
from app.base.log import logger
from app.platforms.calls import call_side_by_side, open_platform_session
from app.platforms.registry import adapter_of
from app.referrals.placing.claim import ClaimedReward
from app.referrals.publishing.rules import wait_after, wait_after_failure

log = logger(__name__)

CALL_SECONDS = 10.0
CLAIM_SECONDS = 60.0
"""The longest that the calls of one claim may take, less than its lease."""
CALLS_AT_ONCE = 5


@dataclass(frozen=True, slots=True)
class Placed:
    """What a call left in the shop; with a reason it failed, and nothing new is known."""

    placed: int | None
    remote_id: str | None
    reason: str | None = None
    wait: timedelta | None = None


async def call_platforms(settings: Settings, claimed: Sequence[ClaimedReward]) -> list[Placed]:
    """The result of each code, in their order; it never raises."""
    async with open_platform_session(settings, connections=CALLS_AT_ONCE, total_seconds=CALL_SECONDS) as http:
        found = await call_side_by_side(
            claimed, lambda each: _call(http, each), at_once=CALLS_AT_ONCE, seconds=CLAIM_SECONDS
        )
    return [placed or _late(each) for each, placed in zip(claimed, found, strict=True)]


async def _call(http: aiohttp.ClientSession, each: ClaimedReward) -> Placed:
    if each.wanted is None:
        # A used one stays as it is.
        return Placed(each.placed, each.remote_id)
    if each.connection is None:
        # The code counts at once; what the shop has of it is not known any more.
        return Placed(each.wanted, None)
    adapter = adapter_of(each.shop.platform)
    try:
        if each.wanted:
            remote_id = await adapter.put_reward(http, each.connection, each.code, each.remote_id)
            return Placed(each.wanted, remote_id)
        await adapter.remove_reward(http, each.connection, each.code, each.remote_id)
    except OutsideError as error:
        return _failed(each, error)
    except Exception as error:  # noqa: BLE001  # the code must not stay claimed until the lease ends
        kind = type(error).__name__
        # Not the exception itself: its text may hold credentials.
        log.error("a call about a reward broke", shop=each.shop.slug, error=kind)  # noqa: TRY400
        return _failed(each, OutsideError(Outcome.unknown, f"The call broke ({kind})."))
    return Placed(None, None)


def _late(each: ClaimedReward) -> Placed:
    reason = "The platform did not finish in time."
    return Placed(each.placed, each.remote_id, reason, wait_after(each.attempt))


def _failed(each: ClaimedReward, error: OutsideError) -> Placed:
    return Placed(each.placed, each.remote_id, error.reason, wait_after_failure(error, each.attempt))
