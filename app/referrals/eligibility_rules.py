"""Whether a code counts for an order."""

from dataclasses import dataclass
from decimal import Decimal

from app.brands.programme import DiscountKind
from app.referrals.amount_rules import minor_of
from app.referrals.rules import RefusalReason


@dataclass(frozen=True, slots=True)
class EligibilityInput:
    """Everything that decides whether a code counts for an order.

    Amounts are minor units of `currency`, the order's. `expired` is computed for the time the order
    was placed, so that a late webhook refuses nobody.
    """

    redemptions_enabled: bool
    disabled: bool
    expired: bool
    uses_left: int
    own_order: bool
    used_before: bool
    existing_customer: bool
    subtotal: int
    currency: str
    discount_kind: DiscountKind
    code_currency: str
    minimum_subtotal: Decimal | None
    new_customers_only: bool
    one_per_friend: bool
    ordered_before: bool = False
    """Whether the shop states that the buyer is no new customer, whatever we know."""


@dataclass(frozen=True, slots=True)
class RewardLimits:
    """What limits the reward of a redemption that counts; amounts in minor units of the reward's.

    `granted` counts the referrer's rewards, pending ones included; `spent` is what the rewards of
    the budget's period cost.
    """

    granted: int
    cap: int | None
    spent: int
    budget: int | None


def why_no_reward(reward: int, limits: RewardLimits) -> RefusalReason | None:
    """Why a redemption that counts earns nothing, or None; the friend's discount stands."""
    if reward == 0:
        return None
    if limits.cap is not None and limits.granted >= limits.cap:
        return RefusalReason.cap_reached
    if limits.budget is not None and limits.spent + reward > limits.budget:
        return RefusalReason.budget_spent
    return None


def may_redeem(given: EligibilityInput) -> RefusalReason | None:
    """The first reason against it, or None: code, friend and order in this order.

    A friend who used a code before is also an existing customer; the more specific reason
    is returned.
    """
    checks = (
        (not given.redemptions_enabled, RefusalReason.not_active),
        (given.disabled, RefusalReason.disabled),
        (given.expired, RefusalReason.expired),
        (given.uses_left <= 0, RefusalReason.exhausted),
        (given.own_order, RefusalReason.own_order),
        (given.one_per_friend and given.used_before, RefusalReason.already_used_by_friend),
        (
            given.new_customers_only and (given.existing_customer or given.ordered_before),
            RefusalReason.existing_customer,
        ),
        (_currencies_differ(given), RefusalReason.currency_mismatch),
        (_below_minimum(given), RefusalReason.minimum_not_met),
    )
    return next((reason for refused, reason in checks if refused), None)


def may_keep(given: EligibilityInput, *, is_other_buyer: bool) -> RefusalReason | None:
    """Why an order that won a use loses it once more is known about its buyer, or None.

    What limits codes and uses was decided on arrival, and so were our own records of a buyer who is
    the same; that the shop knows earlier orders of theirs may be stated later.
    """
    checks = (
        (given.own_order, RefusalReason.own_order),
        (
            is_other_buyer and given.one_per_friend and given.used_before,
            RefusalReason.already_used_by_friend,
        ),
        (
            given.new_customers_only
            and (given.ordered_before or (is_other_buyer and given.existing_customer)),
            RefusalReason.existing_customer,
        ),
    )
    return next((reason for refused, reason in checks if refused), None)


def _currencies_differ(given: EligibilityInput) -> bool:
    """A percentage without a minimum is the same in every currency; amounts are never converted."""
    has_amount = given.discount_kind is DiscountKind.amount or given.minimum_subtotal is not None
    return has_amount and given.currency != given.code_currency


def _below_minimum(given: EligibilityInput) -> bool:
    return given.minimum_subtotal is not None and given.subtotal < minor_of(
        given.minimum_subtotal, given.code_currency
    )
