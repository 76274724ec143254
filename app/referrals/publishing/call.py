"""Call a shop's platform about the codes of one claim, outside of every transaction."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from app.base.config import Settings
from app.base.errors import Fault, Outcome, OutsideError
from app.base.log import logger
from app.platforms.calls import open_platform_session
from app.platforms.discounts import Live, PublishReport, PublishResult, Refused
from app.referrals.publishing.claim import Claim
from app.referrals.publishing.rules import result_of_failure

log = logger(__name__)

CALL_SECONDS = 10.0
"""The longest that one request to a platform may take."""
CLAIM_SECONDS = 60.0
"""The longest that the requests of one claim may take, less than its lease."""
CONNECTIONS = 5
"""Requests of one claim that are under way side by side."""


@dataclass(frozen=True, slots=True)
class CallOutcome:
    """What a call said about each code of a claim, in their order."""

    results: Sequence[PublishResult] = ()
    """Of published codes."""
    left: Sequence[str | None] = ()
    """Of revoked codes: why one is still in the shop; None where it is gone."""
    discount_id: str | None = None
    error: OutsideError | None = None
    """Why the call as a whole failed."""


async def call_platform(settings: Settings, claim: Claim) -> CallOutcome:
    """Publish or revoke the codes of the claim; it never raises."""
    if claim.connection is None:
        # The shop knows no codes of ours any more: they count at once, as in every such shop.
        return CallOutcome([Live(None)] * len(claim.codes), [None] * len(claim.codes))
    if claim.discount is None:
        reason = f"The programme has no amounts in {claim.shop.currency}."
        return CallOutcome([Refused(reason)] * len(claim.codes), [None] * len(claim.codes))
    try:
        async with asyncio.timeout(CLAIM_SECONDS):
            return await _call(settings, claim)
    except OutsideError as error:
        return _failed(claim, error)
    except TimeoutError:
        reason = f"The platform did not finish within {CLAIM_SECONDS:.0f} s."
        return _failed(claim, OutsideError(Outcome.unknown, reason, fault=Fault.outage))
    except Exception as error:  # noqa: BLE001  # the codes must not stay claimed until the lease ends
        kind = type(error).__name__
        # Not the exception itself: its text may hold credentials.
        log.error("a call about codes broke", shop=claim.shop.slug, error=kind)  # noqa: TRY400
        return _failed(claim, OutsideError(Outcome.unknown, f"The call broke ({kind})."))


async def _call(settings: Settings, claim: Claim) -> CallOutcome:
    if claim.connection is None or claim.discount is None:
        raise ValueError("the claim has nothing to call")
    async with open_platform_session(settings, connections=CONNECTIONS, total_seconds=CALL_SECONDS) as http:
        if claim.revoking:
            published = [each.published for each in claim.codes]
            left = await claim.adapter.revoke_codes(http, claim.connection, claim.discount, published)
            return CallOutcome(left=left)
        codes = [each.to_publish for each in claim.codes]
        report = await claim.adapter.publish_codes(http, claim.connection, claim.discount, codes)
        return CallOutcome(_checked(report, claim), discount_id=report.discount_id)


def _checked(report: PublishReport, claim: Claim) -> Sequence[PublishResult]:
    if len(report.results) != len(claim.codes):
        raise ValueError("an adapter must return a result for each code")
    return report.results


def _failed(claim: Claim, error: OutsideError) -> CallOutcome:
    count = len(claim.codes)
    shared = claim.discount.remote_id if claim.discount else None
    return CallOutcome([result_of_failure(error)] * count, [error.reason] * count, shared, error)
