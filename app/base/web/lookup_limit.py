"""Limits guessing on public pages: failed lookups of tokens and codes, per address and in all.

A regular visitor has no failed lookup.
"""

from collections.abc import Callable
from functools import lru_cache
from ipaddress import IPv6Address, ip_address

from fastapi import Request
from starlette.responses import HTMLResponse

from app.base import clock
from app.base.failure_limit import FailureLimit
from app.base.web.pages import browser_language, page

PER_ADDRESS = 100
"""Failed lookups allowed for one address in ten minutes: many people share one behind a mobile
network or an office."""
IN_ALL = 6_000
"""Failed lookups allowed for all addresses in ten minutes."""


class LookupRateLimit:
    """Counts failed lookups: `is_limited` is checked before a token is looked up.

    IPv6 addresses count by their /64, since one line has all of it.
    """

    def __init__(
        self,
        *,
        per_address: int = PER_ADDRESS,
        in_all: int = IN_ALL,
        monotonic: Callable[[], float] = clock.monotonic,
    ) -> None:
        self._failures = FailureLimit(per_address, in_all, monotonic)

    def is_limited(self, request: Request) -> bool:
        """Whether this caller has too many failed lookups to be served now."""
        return self._failures.is_limited(address_of(request))

    def record_failure(self, request: Request) -> None:
        """Count one failed lookup of this caller."""
        self._failures.record_failure(address_of(request))


def get_lookup_limit(request: Request) -> LookupRateLimit:
    """Return the application's counter, shared by every public page."""
    state = request.app.state
    if not hasattr(state, "lookup_limit"):
        state.lookup_limit = LookupRateLimit()
    return state.lookup_limit  # type: ignore[no-any-return]  # starlette's state is untyped


def rate_limited_page(request: Request | None = None) -> HTMLResponse:
    """The 429 page for a limited caller, the same whatever was looked up.

    It is in the language of the request's browser; in English without a request, for staff.
    """
    language = browser_language(request)
    return page("rate_limited.html", {}, language=language, status=429, headers={"Retry-After": "60"})


def address_of(request: Request) -> str:
    """The caller's network: an IPv4 address, or the /64 of an IPv6 one.

    Empty where the server does not know it.
    """
    return _network_of(request.client.host if request.client else "")


@lru_cache(maxsize=4096)
def _network_of(host: str) -> str:
    try:
        address = ip_address(host)
    except ValueError:
        return ""
    if isinstance(address, IPv6Address):
        return str(address.ipv4_mapped or int(address) >> 64)
    return str(address)
