"""Pure words of the inbox."""

from enum import StrEnum


class EventStatus(StrEnum):
    """What became of a delivery."""

    new = "new"
    processed = "processed"
    ignored = "ignored"
    failed = "failed"
