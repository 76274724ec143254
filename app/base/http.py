"""What the adapters' calls over HTTP have in common: a session with real time limits, and what a failed call proves."""

import aiohttp

from app.base.errors import Outcome, OutsideError

CONNECT_SECONDS = 10.0
"""Until a connection stands, waiting for a free one included."""
IDLE_SECONDS = 15.0
"""A kept connection is given up before the provider's side does it: a POST on a dying one would have an unknown outcome."""
_TOO_SOON = 30.0
_MOST_PATIENCE = 3600.0


def open_session(
    *, connections: int, total_seconds: float, user_agent: str = "tenfold"
) -> aiohttp.ClientSession:
    """A pool of kept connections. Must be called inside the running loop; the caller closes it."""
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=connections, keepalive_timeout=IDLE_SECONDS),
        timeout=aiohttp.ClientTimeout(total=total_seconds, connect=CONNECT_SECONDS),
        headers={"User-Agent": user_agent},
        cookie_jar=aiohttp.DummyCookieJar(),
    )


def of_exception(error: Exception) -> OutsideError:
    """What a call proves that got no answer.

    Where no connection came about they never heard us; anything later may have been done. The exception's own words are left
    out, since they can hold addresses.
    """
    if isinstance(error, (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError, aiohttp.InvalidURL)):
        return OutsideError(Outcome.refused, "no connection to the provider")
    if isinstance(error, TimeoutError):
        return OutsideError(Outcome.unknown, "the provider did not answer in time")
    return OutsideError(Outcome.unknown, "the connection to the provider broke")


def retry_wait(retry_after: str | None, reset: str | None, *, now: float) -> float:
    """Seconds to wait as a 429 asks: `Retry-After` in seconds, else a reset time in epoch seconds; 30 where it says neither."""
    for text, base in ((retry_after, 0.0), (reset, now)):
        if text is not None and text.strip().isdecimal():
            return min(max(float(text) - base, 1.0), _MOST_PATIENCE)
    return _TOO_SOON
