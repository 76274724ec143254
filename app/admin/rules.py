"""Who may do what: scopes of API keys, roles and shops of staff, their links and sessions. Pure."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from urllib.parse import urlsplit
from uuid import UUID

SESSION_LASTS = timedelta(days=14)
"""However busy it is; then the person signs in again."""
SESSION_IDLE = timedelta(hours=12)
"""Without a request a session ends after this long: a day's work is one session."""
CODE_WAITS = timedelta(minutes=10)
"""How long a browser may take to enter the code after the password."""
CONFIRMED_FOR = timedelta(minutes=10)
"""How long a sign-in, password or code counts before keys, staff or exports of people."""
LINK_LASTS = timedelta(hours=1)
INVITATION_LASTS = timedelta(days=7)


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
    return _RANKS[role] >= _RANKS[wanted]


_RANKS = {role: rank for rank, role in enumerate(Role)}


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


_GOODWILL_TIMES = {Role.marketer: 5, Role.admin: 50}


def goodwill_times(role: Role) -> int:
    """How many times the programme's reward this role may grant one referrer in 30 days."""
    return _GOODWILL_TIMES.get(role, 0)


class BulkAction(StrEnum):
    """What is decided about many friends' orders at once."""

    approve = "approve"
    reject = "reject"


class LinkKind(StrEnum):
    """What a one-time link is for."""

    login = "login"
    invitation = "invitation"


class LinkState(StrEnum):
    """Whether a one-time link works."""

    usable = "usable"
    used = "used"
    expired = "expired"


class SessionStage(StrEnum):
    """How far a sign-in has come."""

    code = "code"
    """The password or link was right; the code of the authenticator is missing."""
    open = "open"


@dataclass(frozen=True, slots=True)
class SessionTimes:
    """The times of a session, on one clock."""

    last_seen_at: datetime
    confirmed_at: datetime
    expires_at: datetime


def may_grant_role(role: Role, *, sees_people: bool) -> bool:
    """Whether an administrator may give somebody this role: nobody gives more than they have."""
    return sees_people or role is Role.viewer


def may_have_shops(role: Role, shops: Collection[UUID] | None) -> bool:
    """Whether somebody of this role may be limited to these shops; None is every shop.

    An administrator sees all: whoever adds staff and keys could give themselves the rest.
    """
    return shops is None or (len(shops) > 0 and role is not Role.admin)


def may_see_shop(shops: Collection[UUID] | None, shop_id: UUID) -> bool:
    """Whether somebody with access to these shops may see what belongs to this one."""
    return shops is None or shop_id in shops


def needs_second_factor(role: Role, *, production: bool) -> bool:
    """Whether somebody of this role must have an authenticator before anything else."""
    return production and role is Role.admin


def ends_keys(before: Role, after: Role | None) -> bool:
    """Whether the keys that a person made end with a change of their role; None: they leave."""
    return before is Role.admin and after is not Role.admin


def link_state(used_at: datetime | None, expires_at: datetime, *, now: datetime) -> LinkState:
    """Whether a one-time link works at `now`."""
    if used_at is not None:
        return LinkState.used
    return LinkState.usable if now < expires_at else LinkState.expired


def is_live(times: SessionTimes, *, now: datetime) -> bool:
    """Whether a session has not ended by itself: by its age, or without a request for too long."""
    return now < times.expires_at and now < times.last_seen_at + SESSION_IDLE


def is_confirmed(times: SessionTimes, *, now: datetime) -> bool:
    """Whether the person has shown lately enough who they are."""
    return now < times.confirmed_at + CONFIRMED_FOR


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
