"""Who may do what: scopes of API keys, roles of staff. Pure."""

from collections.abc import Collection
from enum import StrEnum


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


def sees_people(role: Role) -> bool:
    """Whether this role sees names and addresses."""
    return role is not Role.viewer


def may_grant(scopes: Collection[str], *, sees_people: bool) -> bool:
    """Whether an administrator may make a key with these scopes.

    The scope `admin` includes all others but `pii`, which only those may give who have it.
    """
    return sees_people or Scope.pii not in scopes
