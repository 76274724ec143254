"""Whether a machine answered a survey: mail scanners open links, and some send forms. Pure.

A person reads the page before they send it. What was sent without that is suspected where it also
came right after the mail, or beside another one from the same network.
"""

from dataclasses import dataclass
from enum import StrEnum
from ipaddress import ip_address
from typing import TypedDict

READING_SECONDS = 2
"""Whoever sends the page sooner after opening it has not read it."""
FRESH_SECONDS = 60
"""How soon after the mail scanners come."""
BURST_SECONDS = 10
"""Scanners open the links of several mails at once."""
_LONGEST_VISIT = 30 * 24 * 3600


class Suspicion(StrEnum):
    """What is thought of a response that a machine may have given."""

    suspected = "suspected"
    real = "real"
    """Somebody of the team says that a person gave it."""
    left_out = "left_out"
    """Somebody of the team leaves it out of the figures."""


class Evidence(TypedDict):
    """How a page came that nobody can have read; stored with the response, names nobody."""

    after_sent: int
    """Seconds after the survey's message was accepted."""
    on_page: int | None
    """Seconds after its page was opened; None where nothing says that it was."""
    burst: bool
    """Another one came from the same network within `BURST_SECONDS`, as fast."""


@dataclass(frozen=True, slots=True)
class Signs:
    """What is known of the request that a response came by."""

    on_page: int | None = None
    network: int | None = None
    """Where a page comes from that nobody can have read, as `Tokens.network_key` has it."""

    @property
    def is_fast(self) -> bool:
        """Whether nobody can have read the page."""
        return self.on_page is None or self.on_page < READING_SECONDS


def seconds_on_page(opened_at: str | None, now: float) -> int | None:
    """How long a page was open before it was sent, by the time that it carries; None if unknown.

    `opened_at` and `now` are seconds since 1970.
    """
    written = (opened_at or "").strip()
    if not (written.isascii() and written.isdecimal() and len(written) <= 12):
        return None
    passed = int(now) - int(written)
    return passed if 0 <= passed <= _LONGEST_VISIT else None


def is_public(host: str) -> bool:
    """Whether this is an address of the internet; a private one may be our own proxy's."""
    try:
        return ip_address(host).is_global
    except ValueError:
        return False
