"""The requests of `tenfold try`: those of a shop and of a customer."""

import json
from collections.abc import Mapping
from typing import Any

import aiohttp

from app.base import clock
from app.base.errors import AppError
from app.platforms.checkout.verify import sign

_TIMEOUT_SECONDS = 15


async def post_order(url: str, shop: str, secret: str, delivery_id: str, body: Mapping[str, Any]) -> float:
    """Post a signed body to a shop's checkout endpoint; returns the seconds it took.

    Raises `AppError` with the reason where it was not stored.
    """
    raw, at = json.dumps(body).encode(), int(clock.now().timestamp())
    headers = {
        "content-type": "application/json",
        "webhook-id": delivery_id,
        "webhook-timestamp": str(at),
        "webhook-signature": sign(delivery_id, at, raw, secret),
    }
    status, seconds = await _post(url, f"/hooks/{shop}/checkout", raw, headers)
    if status != 200:
        raise AppError("trial_failed", _REFUSED.get(status, _OTHER).format(url=url, status=status, shop=shop))
    return seconds


_OTHER = "What runs at {url} returned {status} for the order; is it Tenfold?"
_REFUSED = {
    401: (
        "The signature was refused at {url}: what runs there has another database or secret key, or its"
        " clock is more than five minutes from this one's."
    ),
    404: (
        "What runs at {url} has no shop {shop}: it is no Tenfold or has another database; check --url,"
        " TENFOLD_DATABASE_URL and TENFOLD_HOME."
    ),
    503: "Tenfold at {url} cannot store anything right now; see: tenfold doctor",
}


async def post_response(url: str, token: str, score: int) -> float:
    """Post the survey's form; returns the seconds it took. Raises `AppError` if it was refused."""
    form = {"content-type": "application/x-www-form-urlencoded"}
    status, seconds = await _post(url, f"/s/{token}", f"score={score}".encode(), form)
    if status != 303:
        raise AppError("trial_failed", f"The survey's page at {url} returned {status} for the answer.")
    return seconds


async def _post(url: str, path: str, body: bytes, headers: Mapping[str, str]) -> tuple[int, float]:
    began = clock.monotonic()
    timeout = aiohttp.ClientTimeout(total=_TIMEOUT_SECONDS)
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout) as session,
            session.post(url + path, data=body, headers=headers, allow_redirects=False) as response,
        ):
            await response.read()
            return response.status, clock.monotonic() - began
    except (aiohttp.ClientError, TimeoutError, ValueError) as error:
        raise AppError(
            "not_running",
            f"Nothing answers at {url} ({type(error).__name__}). Start Tenfold with: tenfold serve;"
            " or say where it runs with --url.",
        ) from error
