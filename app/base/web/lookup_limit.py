"""Limits guessing on public pages: failed lookups of tokens and codes, per address and in all.

A regular visitor has no failed lookup. Counts live in the process: with several web processes each
allows its own share, which only multiplies a small number.
"""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from ipaddress import IPv6Address, ip_address

from fastapi import Request
from starlette.responses import HTMLResponse

from app.base import clock
from app.base.web.pages import page

PER_ADDRESS = 100
"""Failed lookups allowed for one address in a window: many people share one behind a mobile network
or an office."""
IN_ALL = 6_000
"""Failed lookups allowed for all addresses in a window; a flood from many addresses stops here."""
WINDOW_SECONDS = 600.0
_MOST_ADDRESSES = 20_000
"""How many addresses are stored; the one without a failure for longest is dropped first, so a flood
cannot fill the memory."""


@dataclass(slots=True)
class _Bucket:
    level: float = 0.0
    at: float = 0.0

    def now_at(self, moment: float, most: int) -> float:
        """Return the level after what has leaked since; a full bucket is empty after one window."""
        return max(0.0, self.level - (moment - self.at) * most / WINDOW_SECONDS)


@dataclass(slots=True)
class LookupRateLimit:
    """Counts failed lookups in leaking buckets that empty evenly over ten minutes.

    `is_limited` is checked before a token is looked up, `record_failure` counts each unknown one.
    While all addresses together are over the limit, only addresses without a failure of their own
    are still served: a flood cannot lock regular visitors out, and each address of the flood has
    one guess. IPv6 addresses count by their /64, since one line has all of it.
    """

    per_address: int = PER_ADDRESS
    in_all: int = IN_ALL
    monotonic: Callable[[], float] = clock.monotonic
    _all: _Bucket = field(default_factory=_Bucket)
    _addresses: OrderedDict[str, _Bucket] = field(default_factory=OrderedDict)

    def is_limited(self, request: Request) -> bool:
        """Whether this caller has too many failed lookups to be served now."""
        bucket = self._addresses.get(address_of(request))
        if bucket is None:
            return False
        moment = self.monotonic()
        flooded = self._all.now_at(moment, self.in_all) > self.in_all - 1
        own = bucket.now_at(moment, self.per_address)
        return own > self.per_address - 1 or (flooded and own > 0)

    def record_failure(self, request: Request) -> None:
        """Count one failed lookup of this caller."""
        moment = self.monotonic()
        address = address_of(request)
        bucket = self._addresses.pop(address, None) or _Bucket()
        self._addresses[address] = bucket
        if len(self._addresses) > _MOST_ADDRESSES:
            self._addresses.popitem(last=False)
        for counted, most in ((bucket, self.per_address), (self._all, self.in_all)):
            counted.level, counted.at = min(counted.now_at(moment, most) + 1, float(most)), moment


def get_lookup_limit(request: Request) -> LookupRateLimit:
    """Return the application's counter, shared by every public page."""
    state = request.app.state
    if not hasattr(state, "lookup_limit"):
        state.lookup_limit = LookupRateLimit()
    return state.lookup_limit  # type: ignore[no-any-return]  # starlette's state is untyped


def rate_limited_page() -> HTMLResponse:
    """The 429 page for a limited caller, the same whatever was looked up."""
    return page("rate_limited.html", {}, status=429, headers={"Retry-After": "60"})


def address_of(request: Request) -> str:
    """The caller's network: an IPv4 address, or the /64 of an IPv6 one.

    Empty where the server does not know it.
    """
    try:
        address = ip_address(request.client.host if request.client else "")
    except ValueError:
        return ""
    if isinstance(address, IPv6Address):
        return str(address.ipv4_mapped or int(address) >> 64)
    return str(address)
