"""The one outgoing HTTP client: time limits, which addresses may be called, what a failure proves.

A session that is not `trusted` connects to public addresses only, so a customer of ours who enters
an address (a shop's URL, a webhook's target) cannot make us call our own network. The check is made
on the address that the socket is opened for, after name resolution: a name that resolves to
127.0.0.1, an unusual spelling of it, or a name that changes between check and use all fail.
Redirects are never followed. Callers retry; nothing here does.
"""

import errno
import ipaddress
import socket
from types import SimpleNamespace

import aiohttp

from app.base.errors import Fault, Outcome, OutsideError

CONNECT_SECONDS = 10.0
"""Until a connection is open, waiting for a free one included."""
IDLE_SECONDS = 15.0
"""An idle connection is closed before the provider does it: a POST on a connection that the other
side is just closing would have an unknown outcome."""
_DEFAULT_WAIT = 30.0
_MAX_WAIT = 3600.0

_IPV4_IN_IPV6 = (ipaddress.IPv6Network("::ffff:0:0/96"), ipaddress.IPv6Network("64:ff9b::/96"))
"""IPv4-mapped addresses and the NAT64 prefix (RFC 6052): the last 32 bits are an IPv4 address."""
_GLOBAL_IPV6 = ipaddress.IPv6Network("2000::/3")
_REFUSED = [
    ipaddress.ip_network(network)
    for network in (
        "192.0.0.0/24",  # protocol assignments; Oracle's metadata service is 192.0.0.192
        "192.88.99.0/24",  # 6to4 relays
        "168.63.129.16/32",  # Azure's metadata and DNS service, a public address by number
        "2002::/16",  # 6to4: tunnels to any IPv4 address
        "3fff::/20",  # documentation
    )
]


class RefusedAddress(OSError):
    """The address is not a public one, and the session is not trusted. `errno` is `EACCES`."""


class UnexpectedRedirect(aiohttp.ClientError):
    """The other side redirected the call, and redirects are not followed."""


def is_public_address(address: str) -> bool:
    """Whether a numeric IP address belongs to the public internet.

    False for loopback, private, shared, link-local, multicast, unspecified, reserved and
    documentation addresses, for cloud metadata services, and for an IPv6 address that carries such
    an IPv4 address. A scope (`fe80::1%eth0`) is allowed in the text. Raises `ValueError` for
    anything that is not a numeric address.
    """
    given = ipaddress.ip_address(address)
    if isinstance(given, ipaddress.IPv6Address):
        if any(given in network for network in _IPV4_IN_IPV6):
            given = ipaddress.IPv4Address(int(given) & 0xFFFFFFFF)
        elif given not in _GLOBAL_IPV6:
            return False
    if not given.is_global or given.is_multicast or given.is_reserved or given.is_unspecified:
        return False
    return not any(given in network for network in _REFUSED if network.version == given.version)


def open_session(
    *,
    connections: int,
    total_seconds: float,
    trusted: bool = False,
    loopback: bool = False,
    user_agent: str = "tenfold",
) -> aiohttp.ClientSession:
    """A pool of reused connections. Must be called inside the running loop; the caller closes it.

    `trusted` is for addresses from the installation's settings; without it only public addresses
    are connected to, and with `loopback` this machine's own too, never those of its network. At
    most `connections` are open at a time, and a call takes at most `total_seconds`. Cookies are not
    stored and proxies of the environment not used.
    """
    trace = aiohttp.TraceConfig()
    trace.on_request_redirect.append(_refuse_redirect)
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(
            limit=connections,
            keepalive_timeout=IDLE_SECONDS,
            socket_factory=None if trusted else open_local_socket if loopback else open_public_socket,
        ),
        timeout=aiohttp.ClientTimeout(total=total_seconds, connect=CONNECT_SECONDS),
        headers={"User-Agent": user_agent},
        cookie_jar=aiohttp.DummyCookieJar(),
        trace_configs=[trace],
    )


def open_public_socket(info: aiohttp.AddrInfoType) -> socket.socket:
    """Open the socket for one resolved address. Raises `RefusedAddress` where it is not public."""
    family, kind, protocol, _, target = info
    if not is_public_address(str(target[0])):
        raise RefusedAddress(errno.EACCES, "not a public address")
    return socket.socket(family, kind, protocol)


def open_local_socket(info: aiohttp.AddrInfoType) -> socket.socket:
    """As `open_public_socket`, for a loopback address too."""
    family, kind, protocol, _, target = info
    if ipaddress.ip_address(str(target[0])).is_loopback:
        return socket.socket(family, kind, protocol)
    return open_public_socket(info)


async def _refuse_redirect(
    _session: aiohttp.ClientSession,
    _context: SimpleNamespace,
    _params: aiohttp.TraceRequestRedirectParams,
) -> None:
    raise UnexpectedRedirect


async def read_limited(response: aiohttp.ClientResponse, *, limit: int) -> bytes:
    """The body of a response, at most `limit` bytes of it; a longer one is cut, not read on."""
    chunks = bytearray()
    async for chunk in response.content.iter_any():
        chunks += chunk
        if len(chunks) >= limit:
            response.close()
            break
    return bytes(chunks[:limit])


def of_exception(error: Exception, *, other: str = "provider") -> OutsideError:
    """Return what is known about a call that raised `error` instead of getting a response.

    `other` names the other side in the reason.

    Where no connection was made the other side never received the call, and where it redirected the
    call it did not do it; anything later may have been done. The exception's own text is left out,
    since it can contain addresses.
    """
    match error:
        case aiohttp.ClientConnectorError(os_error=RefusedAddress()):
            return OutsideError(Outcome.refused, "the address is not a public one", permanent=True)
        case UnexpectedRedirect():
            return OutsideError(
                Outcome.refused, "redirected to another address, which is not followed", permanent=True
            )
        case aiohttp.ClientConnectorError() | aiohttp.ConnectionTimeoutError() | aiohttp.InvalidURL():
            return OutsideError(Outcome.refused, f"no connection to the {other}", fault=Fault.outage)
        case TimeoutError():
            return OutsideError(Outcome.unknown, f"the {other} did not respond in time", fault=Fault.outage)
        case _:
            return OutsideError(Outcome.unknown, f"the connection to the {other} broke", fault=Fault.outage)


def retry_wait(retry_after: str | None, reset: str | None, *, now: float) -> float:
    """Seconds to wait after a 429, from 1 to 3600.

    Reads `Retry-After` (seconds), else a reset time (epoch seconds, compared with `now`); 30 where
    neither is a whole number.
    """
    for text, base in ((retry_after, 0.0), (reset, now)):
        if text is not None and text.strip().isdecimal():
            return min(max(float(text) - base, 1.0), _MAX_WAIT)
    return _DEFAULT_WAIT
