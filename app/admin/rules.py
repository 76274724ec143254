"""Who may do what: scopes of API keys, roles of staff. Pure."""

from collections.abc import Collection
from enum import StrEnum
from urllib.parse import urlsplit


class Scope(StrEnum):
    """What an API key may do."""

    read = "read"
    pii = "pii"
    """See personal fields; without it they are masked."""
    write = "write"
    checkout = "checkout"
    admin = "admin"
    """All of read, write and checkout; not pii, which must always be named."""


class Role(StrEnum):
    """What a staff member may do; each role includes those before it."""

    viewer = "viewer"
    """Sees the numbers, and people with masked fields."""
    support = "support"
    """Sees people's names and addresses."""
    marketer = "marketer"
    admin = "admin"


def allows(scopes: Collection[str], wanted: Scope) -> bool:
    """Whether these scopes include `wanted`."""
    return wanted in scopes or (wanted is not Scope.pii and Scope.admin in scopes)


def includes(role: Role, wanted: Role) -> bool:
    """Whether this role may do what `wanted` may."""
    order = list(Role)
    return order.index(role) >= order.index(wanted)


def sees_people(role: Role) -> bool:
    """Whether this role sees names and addresses."""
    return role is not Role.viewer


def may_grant(scopes: Collection[str], *, sees_people: bool) -> bool:
    """Whether an administrator may make a key with these scopes.

    The scope `admin` includes all others but `pii`, which only those may give who have it.
    """
    return sees_people or Scope.pii not in scopes


def own_path(path: str) -> str:
    """The path where it is one of the dashboard, else empty; never leads to another host."""
    parts = urlsplit(path)
    inside = any(parts.path == each or parts.path.startswith(f"{each}/") for each in ("/admin", "/outbox"))
    if parts.scheme or parts.netloc or not inside or not path.isprintable() or "\\" in path:
        return ""
    return path[:2000]


def is_own_form(site: str | None, origin: str | None, own: Collection[str], *, strict: bool) -> bool:
    """Whether a form may have come from a page of ours, by what the browser says of its origin.

    `site` is the header `Sec-Fetch-Site`, `origin` the header `Origin`, `own` our own origins.
    Programs send neither. A page that shows its address to nobody has the origin `null`; without
    `site` it is taken unless `strict`.
    """
    if origin is not None and origin != "null":
        parsed = _parsed_origin(origin)
        if parsed is None or parsed not in {_parsed_origin(each) for each in own}:
            return False
    if site is not None:
        return site in ("same-origin", "none")
    return origin != "null" or not strict


def _parsed_origin(origin: str) -> tuple[str, str, int] | None:
    """Scheme, host and port; None for what is no origin of a web page."""
    ports = {"http": 80, "https": 443}
    try:
        parts = urlsplit(origin)
        port = parts.port or ports.get(parts.scheme, 0)
    except ValueError:
        return None
    return (parts.scheme, parts.hostname, port) if parts.hostname and port else None
