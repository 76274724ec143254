"""The state of a code or a friend's order in sentences for the referrer.

They reveal nothing about the friend.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from app.base.i18n import N_, SOURCE, long_date, translate
from app.base.money import Money
from app.referrals.models import Redemption, Reward
from app.referrals.rules import CodeStatus, RedemptionStatus, RefusalReason, RewardStatus

_REFUSED: Mapping[str, str] = {
    RefusalReason.unknown_code: N_("No reward: there is no such code."),
    RefusalReason.expired: N_("No reward: the code had expired when the order was placed."),
    RefusalReason.disabled: N_("No reward: the code had been disabled."),
    RefusalReason.exhausted: N_("No reward: the code had been used as often as it may be."),
    RefusalReason.own_order: N_("No reward: the order was your own."),
    RefusalReason.existing_customer: N_("No reward: your friend had ordered here before."),
    RefusalReason.already_used_by_friend: N_("No reward: your friend had used a friend's code before."),
    RefusalReason.minimum_not_met: N_("No reward: the order was below the minimum for the code."),
    RefusalReason.budget_spent: N_("No reward: the budget for rewards was used up."),
    RefusalReason.cap_reached: N_("No reward: you already have as many rewards as one person may have."),
    RefusalReason.currency_mismatch: N_("No reward: the order was paid in another currency."),
    RefusalReason.not_active: N_("No reward: the programme was not running then."),
    RefusalReason.suspected_fraud: N_("No reward: the order could not be told apart from one of your own."),
    RefusalReason.disputed: N_("No reward: the payment of the order was disputed."),
}
_REVERSED: Mapping[str, str] = {
    "cancelled": N_("No reward: the order was cancelled."),
    "refunded": N_("No reward: the order was refunded."),
    "disputed": N_("No reward: the payment of the order was taken back."),
}
_REVERSED_OTHERWISE = N_("No reward: the order was taken back.")
_CLOSED: Mapping[RedemptionStatus, str] = {
    RedemptionStatus.in_review: N_("We are checking this order. You do not have to do anything."),
    RedemptionStatus.rejected: N_("No reward: we checked this order and could not count it."),
}
CODE_STATES: Mapping[CodeStatus, str] = {
    CodeStatus.active: "",
    CodeStatus.expired: N_("Your code has expired, so it can no longer be used."),
    CodeStatus.disabled: N_("Your code has been disabled, so it can no longer be used."),
    CodeStatus.exhausted: N_("Your code has been used as often as it may be. Thank you!"),
}
"""Why there is nothing to share; empty for a code that works."""
_MOMENT = timedelta(microseconds=1)
NO_CODE = N_("You have no code yet.")


def day_of(at: datetime, zone: ZoneInfo, language: str = SOURCE) -> str:
    """`31 December 2026`, by the zone's calendar, in the words of the language."""
    return long_date(at.astimezone(zone).date(), language)


def describe_redemption(
    redemption: Redemption,
    reward: Reward | None,
    code: str | None,
    zone: ZoneInfo,
    language: str = SOURCE,
) -> str:
    """The state of a friend's order, and why there is no reward where there is none.

    `code` is the referrer's own that the reward is paid with.
    """
    match redemption.status:
        case RedemptionStatus.pending:
            day = "" if redemption.hold_until is None else day_of(redemption.hold_until, zone, language)
            return translate(language, "Counts from %(day)s on, unless the order is returned.", day=day)
        case RedemptionStatus.approved:
            return _describe_reward(reward, code, zone, language)
        case RedemptionStatus.reversed:
            return translate(language, _REVERSED.get(redemption.reason or "", _REVERSED_OTHERWISE))
        case RedemptionStatus.refused:
            return translate(language, _REFUSED[redemption.reason or RefusalReason.unknown_code])
        case _:
            return translate(language, _CLOSED[redemption.status])


def _describe_reward(reward: Reward | None, code: str | None, zone: ZoneInfo, language: str) -> str:
    if reward is not None and reward.reason is not None:
        return translate(language, _REFUSED[reward.reason])
    if reward is None or reward.amount == 0:
        return translate(language, "Counted. Thank you!")
    if reward.status is RewardStatus.reversed:
        return translate(language, "No reward: too much of the order was refunded.")
    left, whole = (Money(minor, reward.currency) for minor in (reward.net_amount, reward.amount))
    if reward.net_amount < reward.amount:
        got = translate(
            language,
            "You got %(left)s of %(whole)s, since part of the order was refunded.",
            left=left,
            whole=whole,
        )
    else:
        got = translate(language, "You got %(amount)s.", amount=left)
    return f"{got} {_describe_use(reward, code, zone, language)}".rstrip()


def _describe_use(reward: Reward, code: str | None, zone: ZoneInfo, language: str) -> str:
    """How the reward can be spent, or what became of it."""
    if reward.frozen and reward.status is RewardStatus.granted:
        return translate(language, "We are checking this order once more; until then it cannot be used.")
    if reward.status is RewardStatus.used:
        return translate(language, "You have used it.")
    last_day = "" if reward.expires_at is None else day_of(reward.expires_at - _MOMENT, zone, language)
    if reward.status is RewardStatus.expired:
        return translate(language, "It expired on %(day)s.", day=last_day)
    if code is None:
        return translate(language, "It is credited to you until %(day)s.", day=last_day) if last_day else ""
    return translate(language, "Your own code until %(day)s: %(code)s", code=code, day=last_day)
