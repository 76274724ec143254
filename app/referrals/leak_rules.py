"""When a share code is taken for leaked: strangers use it who never saw the link. Pure."""

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

WITHIN = timedelta(days=30)
"""Orders and visits of this time are compared."""
A_DAY = timedelta(days=1)
MANY_IN_A_DAY = 10
"""Orders of a day; friends of one person are fewer."""
MANY = 5
"""Of fewer orders nothing is concluded."""


class LeakReason(StrEnum):
    """Why a code is taken for leaked."""

    many_in_a_day = "many_in_a_day"
    turned_away = "turned_away"
    """Orders that it no longer counted for: it was used up, or the buyer no new customer."""
    without_visits = "without_visits"
    """More than twice as many orders as people who opened the link: it is known from elsewhere."""


@dataclass(frozen=True, slots=True)
class CodeUse:
    """How a share code was used within `WITHIN`, and the last day."""

    orders: int
    in_a_day: int
    turned_away: int
    visits: int
    """People who opened its referrer's link."""


def leak_reason(use: CodeUse) -> LeakReason | None:
    """Why the code is taken for leaked; None for one that is not."""
    if use.in_a_day >= MANY_IN_A_DAY:
        return LeakReason.many_in_a_day
    if use.turned_away >= MANY:
        return LeakReason.turned_away
    if use.orders >= MANY and use.orders > 2 * use.visits:
        return LeakReason.without_visits
    return None
