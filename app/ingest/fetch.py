"""Fetch the content of deliveries that only name what changed, outside any transaction.

Such a delivery is `fetching` while the brand's others are processed; once its content is stored it
is `new` again, at its old place in the order of arrival. A failed fetch is retried, then given up.
"""

import asyncio
from collections.abc import Sequence
from datetime import datetime

import aiohttp

from app.base.context import AppContext
from app.base.due import brands_of
from app.base.errors import Fault, OutsideError
from app.base.log import logger, scrub
from app.base.turns import Sweep
from app.ingest.fetch_store import (
    FETCH_SWEEP_NAME,
    ClaimedFetch,
    FetchResult,
    claim_fetches,
    write_fetch_results,
)
from app.ingest.models import DeliveryFetch
from app.platforms.calls import open_platform_session
from app.platforms.registry import PLATFORMS

log = logger(__name__)

BATCH = 20
"""Fetches that run side by side."""
FETCH_SECONDS = 30.0
"""The longest that one fetch may take."""
OPTIONAL_ATTEMPTS = 5
"""Of a fetch without which a delivery is parsed too: after a quarter of an hour it is."""
FETCHED_LIMIT = 8 * 1024 * 1024
"""Bytes; larger content is refused permanently."""
NOT_CONNECTED = "The shop is not connected to its platform; connect it, then replay the delivery."
TOO_LARGE = "What the platform returned is larger than 8 MiB."


async def fetch_due(context: AppContext, brand_id: int, *, now: datetime) -> int:
    """Do at most `BATCH` of the brand's due fetches; returns how many were started."""
    async with context.sessions.begin() as session:
        claimed = await claim_fetches(session, context.tokens, brand_id, BATCH, now=now)
    if not claimed:
        return 0
    async with open_platform_session(
        context.settings, connections=BATCH, total_seconds=FETCH_SECONDS
    ) as http:
        results = [_settled(each) for each in await asyncio.gather(*(_fetch(http, each) for each in claimed))]
    async with context.sessions.begin() as session:
        await write_fetch_results(session, brand_id, results, now=now)
    return len(claimed)


async def _fetch(http: aiohttp.ClientSession, fetch: ClaimedFetch) -> FetchResult:
    """One attempt. It never raises: an adapter that fails must not affect the others' attempts."""
    if fetch.connection is None:
        return FetchResult(fetch, error=NOT_CONNECTED, permanent=True)
    try:
        async with asyncio.timeout(FETCH_SECONDS):
            body = await PLATFORMS[fetch.source].fetch(http, fetch.connection, fetch.resource)
    except OutsideError as error:
        is_useless = error.permanent or (_is_optional(fetch) and error.fault is Fault.access)
        return FetchResult(
            fetch, error=scrub(error.reason), permanent=is_useless, retry_after=error.retry_after
        )
    except Exception as error:  # noqa: BLE001  # as above
        kind = type(error).__name__
        # Not the exception itself: its text may hold personal data.
        log.error("a fetch broke", delivery=str(fetch.delivery_id), error=kind)  # noqa: TRY400
        return FetchResult(fetch, error=f"The fetch broke ({type(error).__name__}).")
    if len(body) > FETCHED_LIMIT:
        return FetchResult(fetch, error=TOO_LARGE, permanent=True)
    return FetchResult(fetch, body=body)


def _is_optional(fetch: ClaimedFetch) -> bool:
    return PLATFORMS[fetch.source].parses_without_fetch


def _settled(result: FetchResult) -> FetchResult:
    """The result; one that is given up is empty where the delivery is parsed without it."""
    fetch = result.fetch
    is_given_up = result.is_given_up or (result.body is None and fetch.attempts >= OPTIONAL_ATTEMPTS)
    return FetchResult(fetch, body=b"") if is_given_up and _is_optional(fetch) else result


def sweep(context: AppContext) -> Sweep:
    """The sweep that does due fetches, brand by brand."""

    async def brands(now: datetime) -> Sequence[int]:
        return await brands_of(context.reading_sessions, DeliveryFetch.brand_id, DeliveryFetch.due_at <= now)

    async def work(brand_id: int, now: datetime) -> int:
        return await fetch_due(context, brand_id, now=now)

    return Sweep(FETCH_SWEEP_NAME, brands, work)
