"""Pure words of who may do what."""

from enum import StrEnum


class Scope(StrEnum):
    """What an API key may do."""

    read = "read"
    pii = "pii"
    write = "write"
    checkout = "checkout"
    admin = "admin"


class Role(StrEnum):
    """What a person of the marketing team may do; each holds what the ones before it hold."""

    viewer = "viewer"
    support = "support"
    marketer = "marketer"
    admin = "admin"
