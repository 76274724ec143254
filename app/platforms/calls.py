"""How platforms are called: the HTTP session, and which addresses it may reach."""

import aiohttp

from app.base.config import Settings
from app.base.http import open_session


def open_platform_session(
    settings: Settings, *, connections: int, total_seconds: float
) -> aiohttp.ClientSession:
    """A session for calls to shops' platforms, whose addresses brands enter: see `open_session`.

    It reaches public addresses only; with `TENFOLD_LOCAL_PLATFORMS` also fakes on this machine.
    """
    return open_session(
        connections=connections, total_seconds=total_seconds, loopback=settings.local_platforms
    )
