"""Pure words of who may do what, and how personal fields look to those who may not see them."""

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
    """All of read, write and checkout; not pii, which is always named."""


class Role(StrEnum):
    """What a person of the marketing team may do; each holds what the ones before it hold."""

    viewer = "viewer"
    """Sees the numbers, and people masked."""
    support = "support"
    """Sees people's names and addresses."""
    marketer = "marketer"
    admin = "admin"


def allows(scopes: Collection[str], wanted: Scope) -> bool:
    """Whether a key with these scopes may do what `wanted` stands for."""
    return wanted in scopes or (wanted is not Scope.pii and Scope.admin in scopes)


def sees_people(role: Role) -> bool:
    """Whether this role sees names and addresses."""
    return role is not Role.viewer


def mask_email(email: str | None) -> str | None:
    """`a***@***`: enough to tell two people of one list apart, too little to write to one."""
    return None if email is None else f"{email[:1]}***@***"


def mask_phone(phone: str | None) -> str | None:
    """`***67`: the last two digits."""
    return None if phone is None else f"***{phone[-2:]}"


def mask_name(name: str | None) -> str | None:
    """`A***`: the first letter."""
    return f"{name[:1]}***" if name else None
