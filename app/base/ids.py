"""Row ids: UUIDv7 inside, `red_…` outside."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import uuid_utils
from uuid_utils.compat import uuid7

from app.base.errors import NotFound

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
"""Crockford's base 32, lower case, as the TypeID specification uses it."""
_VALUES = {letter: value for value, letter in enumerate(_ALPHABET)}
_LENGTH = 26
_PAIRS = [first + second for first in _ALPHABET for second in _ALPHABET]
"""The two letters of each number of ten bits."""
_PLACES = range(120, -1, -10)


@dataclass(slots=True)
class _Clock:
    """Where new ids get their time: of the wall clock, unless the demo's process sets another."""

    now: Callable[[], datetime] | None = None


_CLOCK = _Clock()
_TIME_BITS = 80
"""Below the milliseconds of a UUIDv7: version, variant and chance."""


def new_id() -> UUID:
    """A new UUIDv7: unique, and later ones sort after earlier ones."""
    made = uuid7()
    if _CLOCK.now is None:
        return made
    return UUID(int=int(_CLOCK.now().timestamp() * 1000) << _TIME_BITS | made.int & (1 << _TIME_BITS) - 1)


def new_trace() -> str:
    """What finds one request in the logs: 32 digits, unique, of the wall clock's time."""
    return uuid_utils.uuid7().hex


def id_at(at: datetime) -> UUID:
    """The least UUIDv7 of a moment; that of 1970 for a time before."""
    return UUID(int=max(0, int(at.timestamp() * 1000)) << _TIME_BITS)


def date_ids_by(now: Callable[[], datetime] | None) -> None:
    """Let new ids of this process begin with this clock's time; None: the wall clock's.

    For the demo alone.
    """
    _CLOCK.now = now


def public_id(prefix: str, row_id: UUID) -> str:
    """The id as API and exports show it, such as `red_01hx…` (a TypeID)."""
    value = row_id.int
    return f"{prefix}_{''.join([_PAIRS[value >> place & 1023] for place in _PLACES])}"


def public_id_or_none(prefix: str, row_id: UUID | None) -> str | None:
    """As `public_id`; None for None."""
    return None if row_id is None else public_id(prefix, row_id)


def parse_public_id(prefix: str, text: str) -> UUID:
    """The row id of a public id.

    Raises `NotFound` for anything else, so a malformed id and a missing row get the same response.
    """
    head, _, tail = text.partition("_")
    if (
        head != prefix
        or len(tail) != _LENGTH
        or tail[0] > "7"
        or any(letter not in _VALUES for letter in tail)
    ):
        raise NotFound
    value = 0
    for letter in tail:
        value = value << 5 | _VALUES[letter]
    return UUID(int=value)
