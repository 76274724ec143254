"""What a demo plays: facts a shop tells, answers people give, and the acts it is told in. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import ROUND_DOWN, Decimal
from typing import Any

from app.brands.programme import Programme

CENT = Decimal("0.01")


@dataclass(frozen=True, slots=True)
class Fact:
    """One delivery to the checkout door, made once its time `at` has come.

    `luck` in [0, 1) marks a friend's order: it picks which of the codes alive by then the order carries.
    """

    at: datetime
    delivery_id: str
    topic: str
    data: Mapping[str, Any]
    luck: float | None = None


@dataclass(frozen=True, slots=True)
class Reply:
    """What the customer of an order answers, if asked: not before a time, and not sooner than `after` the survey was sent."""

    score: int
    comment: str
    not_before: datetime | None = None
    after: timedelta = timedelta(0)

    def due(self, sent_at: datetime) -> datetime:
        """When it is given to a survey that was sent at a time."""
        soonest = sent_at + self.after
        return max(soonest, self.not_before) if self.not_before else soonest


@dataclass(frozen=True, slots=True)
class Act:
    """A span of the story, told in one line when its time is over."""

    title: str
    until: datetime


@dataclass(frozen=True)
class Stage:
    """The brand and shop that the story plays in."""

    name: str
    postal_address: str
    currency: str
    time_zone: str
    locale: str
    url: str
    programme: Programme


@dataclass(frozen=True)
class Script:
    """A whole story. `facts` are sorted by time; `replies` go by the shop's order id.

    The simulated clock only ever stands at `offset` past a multiple of `grain`, counted from the epoch.
    """

    stage: Stage
    facts: Sequence[Fact]
    replies: Mapping[str, Reply]
    acts: Sequence[Act]
    grain: timedelta
    offset: timedelta = timedelta(0)
    note: str | None = None
    """What is made up or assumed in it."""

    @property
    def begin(self) -> datetime:
        """A tick before the first fact."""
        return self.tick(self.facts[0].at) - self.grain

    def tick(self, moment: datetime) -> datetime:
        """The first time at or after `moment` at which the simulated clock may stand."""
        epoch = datetime(1970, 1, 1, tzinfo=UTC) + self.offset
        return epoch + -((epoch - moment) // self.grain) * self.grain


def with_code(order: Mapping[str, Any], code: str, *, slug: str | None, percent: Decimal) -> dict[str, Any]:
    """The order as a friend places it who came by a share link: the code on it, and that percentage of the subtotal off."""
    off = (Decimal(order["subtotal"]) * percent / 100).quantize(CENT, ROUND_DOWN)
    total = Decimal(order["total"]) - off
    return {
        **order,
        "discount_codes": [code],
        "referral": slug,
        "discount_total": str(off),
        "total": str(total),
    }
