"""The states of codes, publications, redemptions and rewards, and how they may change."""

from datetime import datetime
from enum import StrEnum


class CodeKind(StrEnum):
    """What a code is for."""

    share = "share"
    """Shared by a referrer, for several friends."""
    friend = "friend"
    """For one friend, made from the share link; its parent is the share code."""
    reward = "reward"
    """The referrer's own, which a reward is paid with."""


class KindReason(StrEnum):
    """Why a reward is paid with a code where its terms say credit."""

    no_account = "no_account"
    """The shop knows its owner under no customer's number or address."""
    shop_left = "shop_left"
    """Their credit is in a shop that is connected no more."""


class PublicationState(StrEnum):
    """Whether a shop knows a code. A code works in a shop where it is `live`."""

    wanted = "wanted"
    """To be put into the shop, where it is not."""
    sending = "sending"
    """Perhaps in the shop: it was sent, and the result is not known yet."""
    live = "live"
    revoking = "revoking"
    """To be taken out of the shop, where it may be."""
    revoked = "revoked"
    failed = "failed"
    """Refused for good; `reason` says why."""


class CodeStatus(StrEnum):
    """Whether a code can be used at a moment; computed, not stored."""

    active = "active"
    expired = "expired"
    disabled = "disabled"
    exhausted = "exhausted"


class RedemptionStatus(StrEnum):
    """The state of a friend's use of a code."""

    pending = "pending"
    in_review = "in_review"
    approved = "approved"
    rejected = "rejected"
    reversed = "reversed"
    refused = "refused"


class WithheldReason(StrEnum):
    """Why a promoter is not given an offer, or not told of it on a channel."""

    offers_disabled = "offers_disabled"
    not_active = "not_active"
    held_out = "held_out"
    no_amounts = "no_amounts"
    """The terms have no amounts in the shop's currency."""
    budget_spent = "budget_spent"
    revoked = "revoked"
    no_address = "no_address"
    no_consent = "no_consent"
    unsubscribed = "unsubscribed"


class RefusalReason(StrEnum):
    """Why a code does not count for an order, or not yet, or earns nothing; shown to people."""

    unknown_code = "unknown_code"
    expired = "expired"
    disabled = "disabled"
    exhausted = "exhausted"
    own_order = "own_order"
    existing_customer = "existing_customer"
    already_used_by_friend = "already_used_by_friend"
    minimum_not_met = "minimum_not_met"
    budget_spent = "budget_spent"
    """The redemption counts, its reward is 0."""
    cap_reached = "cap_reached"
    """The redemption counts, its reward is 0."""
    currency_mismatch = "currency_mismatch"
    """Refused: an amount of the code is in another currency. In review: the reward is, so that
    nobody can tell whether it is more than the order."""
    not_active = "not_active"
    suspected_fraud = "suspected_fraud"
    """In review: the friend cannot be told from the referrer or an earlier friend."""
    disputed = "disputed"
    """In review, or reversed: the order's payment is disputed, or the dispute was lost."""


class RewardStatus(StrEnum):
    """The state of a referrer's reward."""

    pending = "pending"
    """Its redemption is in the holding period or in review."""
    granted = "granted"
    used = "used"
    expired = "expired"
    reversed = "reversed"
    """Granted, then reversed wholly."""
    cancelled = "cancelled"
    """Never granted: its redemption was reversed or rejected before."""


class RedemptionReason(StrEnum):
    """Why a redemption is what it is, where no person said it in their own words."""

    unknown_code = RefusalReason.unknown_code
    expired = RefusalReason.expired
    disabled = RefusalReason.disabled
    exhausted = RefusalReason.exhausted
    own_order = RefusalReason.own_order
    existing_customer = RefusalReason.existing_customer
    already_used_by_friend = RefusalReason.already_used_by_friend
    minimum_not_met = RefusalReason.minimum_not_met
    budget_spent = RefusalReason.budget_spent
    cap_reached = RefusalReason.cap_reached
    currency_mismatch = RefusalReason.currency_mismatch
    not_active = RefusalReason.not_active
    suspected_fraud = RefusalReason.suspected_fraud
    disputed = RefusalReason.disputed
    cancelled = "cancelled"
    refunded = "refunded"
    rolled_back = "rolled_back"


REASON_WORDS = frozenset(RedemptionReason)
"""The reasons of redemptions that are no person's own words."""
COUNTED = (RedemptionStatus.pending, RedemptionStatus.in_review, RedemptionStatus.approved)
"""Redemptions that are rewarded or may yet be; their rewards count for the budget."""
REDECIDED = (RedemptionStatus.pending, RedemptionStatus.in_review, RedemptionStatus.refused)
"""Redemptions that are decided anew when their order is reported with something else. What a
person decided, or the end of the holding period, stays."""
DECIDED_ONCE = frozenset(
    {
        RefusalReason.expired,
        RefusalReason.disabled,
        RefusalReason.exhausted,
        RefusalReason.already_used_by_friend,
        RefusalReason.not_active,
    }
)
"""Refusals that no change of the order undoes: they were decided on arrival."""
HELD_OR_PENDING = (RewardStatus.pending, RewardStatus.granted, RewardStatus.used, RewardStatus.expired)
"""Rewards that a referrer has, had and did not lose, or may yet get: they count for their cap."""
EARNED = (RewardStatus.granted, RewardStatus.used)
"""Rewards that a referrer has."""
_TRANSITIONS: dict[RedemptionStatus, frozenset[RedemptionStatus]] = {
    RedemptionStatus.pending: frozenset(
        {RedemptionStatus.approved, RedemptionStatus.rejected, RedemptionStatus.reversed}
    ),
    RedemptionStatus.in_review: frozenset(
        {RedemptionStatus.approved, RedemptionStatus.rejected, RedemptionStatus.reversed}
    ),
    RedemptionStatus.approved: frozenset({RedemptionStatus.reversed}),
    RedemptionStatus.rejected: frozenset({RedemptionStatus.approved}),
}


def may_become(status: RedemptionStatus, wanted: RedemptionStatus) -> bool:
    """Whether a redemption may go from one status to another.

    `refused` and `reversed` are final.
    """
    return wanted in _TRANSITIONS.get(status, frozenset())


def first_publication_state(*, publishes: bool) -> PublicationState:
    """The first state of a new code's publication: `live` unless its shop `publishes` codes."""
    return PublicationState.wanted if publishes else PublicationState.live


def code_status(
    *, disabled: bool, expires_at: datetime, uses: int, max_uses: int, now: datetime
) -> CodeStatus:
    """Whether a code can be used at `now`; it cannot at the moment it expires."""
    if disabled:
        return CodeStatus.disabled
    if expires_at <= now:
        return CodeStatus.expired
    return CodeStatus.exhausted if uses >= max_uses else CodeStatus.active
