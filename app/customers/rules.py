"""Pure words of consent and suppression."""

from enum import StrEnum


class SuppressionReason(StrEnum):
    """Why an address gets nothing any more; no order ever lifts one."""

    unsubscribed = "unsubscribed"
    bounced = "bounced"
    complained = "complained"
    stopped = "stopped"
    """A text said STOP, or the carrier says that it did."""
    erased = "erased"
