"""Row ids: UUIDv7 inside, `red_…` outside."""

from uuid import UUID

from uuid_utils.compat import uuid7

from app.base.errors import NotFound

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
"""Crockford's base 32, lower case, as the TypeID specification uses it."""
_VALUES = {letter: value for value, letter in enumerate(_ALPHABET)}
_LENGTH = 26


def new_id() -> UUID:
    """A new UUIDv7: unique, and later ones sort after earlier ones."""
    return uuid7()


def public_id(prefix: str, row_id: UUID) -> str:
    """The id as API and exports show it, such as `red_01hx…` (a TypeID)."""
    value = row_id.int
    letters = [_ALPHABET[(value >> (5 * place)) & 31] for place in range(_LENGTH - 1, -1, -1)]
    return f"{prefix}_{''.join(letters)}"


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
