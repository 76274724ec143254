"""What makes codes work in a shop: what adapters are given of a discount, and what they return.

A shop's platform is called outside of every transaction, and any call may break off. So an adapter
may be called again about codes that are in the shop already: `CodeToPublish.may_exist` says so, and
then it looks before it sends.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from app.brands.programme import DiscountKind


@dataclass(frozen=True, slots=True)
class Discount:
    """What all codes under the same terms give in one shop, and what its cart can check."""

    terms_id: UUID
    """Marks the discount in the shop as ours; the same terms have the same id."""
    title: str
    """For the people who run the shop."""
    kind: DiscountKind
    value: Decimal
    """Percent, or major units of `currency`, as `kind` says."""
    currency: str
    minimum_subtotal: Decimal | None
    """Major units of `currency`; None: no minimum."""
    max_uses: int
    """Of each code."""
    one_per_friend: bool
    combines_with: frozenset[str]
    """Some of `shipping`, `order`, `product`."""
    remote_id: str | None = None
    """The platform's id of the discount that the codes share; None until it is made, and on a
    platform where each code is a discount of its own."""


@dataclass(frozen=True, slots=True)
class CodeToPublish:
    """A code that must work in a shop."""

    code: str
    """As customers enter it: `ANA-7K4QX`."""
    expires_at: datetime
    may_exist: bool = False
    """Whether an earlier call may have put it into the shop: it is looked up before it is sent."""
    job: str | None = None
    """What `Pending` said the last time: the platform's work on it that is under way."""


@dataclass(frozen=True, slots=True)
class Live:
    """The code works in the shop, under our discount."""

    remote_id: str | None
    """The platform's id of the code; None where only the code itself is known."""


@dataclass(frozen=True, slots=True)
class Pending:
    """The platform works on it; ask again after that many seconds."""

    job: str
    seconds: float = 2.0


@dataclass(frozen=True, slots=True)
class Taken:
    """The shop has this code already, and not from us under these terms."""

    reason: str


@dataclass(frozen=True, slots=True)
class Refused:
    """The platform refuses this code for good; another one may be accepted."""

    reason: str


@dataclass(frozen=True, slots=True)
class Unknown:
    """It cannot be known whether the code is in the shop: it is looked up before the next try."""

    reason: str


@dataclass(frozen=True, slots=True)
class NotSent:
    """The code is certainly not in the shop, and nothing speaks against another try."""

    reason: str


PublishResult = Live | Pending | Taken | Refused | Unknown | NotSent


@dataclass(frozen=True, slots=True)
class PublishReport:
    """The result of each code, in the order given."""

    results: Sequence[PublishResult]
    discount_id: str | None = None
    """The platform's id of the discount that the codes share, found or made now."""


@dataclass(frozen=True, slots=True)
class PublishedCode:
    """A code that is to be taken out of a shop, or repaired there."""

    code: str
    remote_id: str | None
    """None where it is not known whether the code is there."""
    expires_at: datetime
    may_come: bool = False
    """Whether it was sent and nobody has seen it in the shop: where it is not found now, the
    platform may be making it still."""


NOT_THERE_YET = "It was sent, and the shop does not have it yet."
"""Why a code that `may_come` is looked for once more."""


@dataclass(frozen=True, slots=True)
class FoundCode:
    """One of our codes as the shop has it."""

    code: str
    remote_id: str
    uses: int
    """How often it was used; platforms may count late."""
    differences: tuple[str, ...] = ()
    """What somebody has changed about it, in words."""


@dataclass(frozen=True, slots=True)
class CodePage:
    """A part of a discount's codes as the shop has them."""

    codes: Sequence[FoundCode]
    after: str | None = None
    """Where the next part begins; None after the last one."""
    is_gone: bool = False
    """Whether the shop has no such discount any more."""
    differences: tuple[str, ...] = ()
    """What somebody has changed about the discount that the codes share, in words, and
    `repair_codes` sets back."""
    problem: str | None = None
    """What only a person can correct about it, in a sentence that begins with its name."""
