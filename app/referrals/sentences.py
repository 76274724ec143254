"""The state of a code or a friend's order in sentences for the referrer.

They reveal nothing about the friend.
"""

from collections.abc import Mapping

from app.base.i18n import N_, translate
from app.referrals.offer_texts import Reader
from app.referrals.rules import CodeStatus, KindReason, RedemptionStatus, RefusalReason, RewardStatus
from app.referrals.shown import ShownRedemption, ShownReward

_REFUSED: Mapping[str, str] = {
    RefusalReason.unknown_code: N_("No reward: there is no such code."),
    RefusalReason.expired: N_("No reward: the code had expired when the order was placed."),
    RefusalReason.disabled: N_("No reward: the code had been disabled."),
    RefusalReason.exhausted: N_("No reward: the code had been used as often as it may be."),
    RefusalReason.own_order: N_("No reward: the order was your own."),
    RefusalReason.existing_customer: N_("No reward: your friend had ordered here before."),
    RefusalReason.already_used_by_friend: N_("No reward: your friend had used a friend’s code before."),
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
_INSTEAD_OF_CREDIT: Mapping[KindReason, str] = {
    KindReason.no_account: N_(
        "It is a code rather than credit, since the shop knows no customer account of yours."
    ),
    KindReason.shop_left: N_("It is a code rather than credit, since the shop takes no credit at present."),
}
CODE_STATES: Mapping[CodeStatus, str] = {
    CodeStatus.active: "",
    CodeStatus.expired: N_("Your code has expired, so it can no longer be used."),
    CodeStatus.disabled: N_("Your code has been disabled, so it can no longer be used."),
    CodeStatus.exhausted: N_("Your code has been used as often as it may be. Thank you!"),
}
"""Why there is nothing to share; empty for a code that works."""
LINK_STATES: Mapping[CodeStatus, str] = {
    CodeStatus.active: "",
    CodeStatus.expired: N_("Your link has expired, so it gives friends nothing any more."),
    CodeStatus.disabled: N_("Your link has been disabled, so it gives friends nothing any more."),
    CodeStatus.exhausted: N_("Your link has been used as often as it may be. Thank you!"),
}
"""As `CODE_STATES`, where each friend gets a code of their own by the link."""
NO_CODE = N_("You have no code yet.")


def describe_redemption(
    redemption: ShownRedemption,
    reward: ShownReward | None,
    code: str | None,
    reader: Reader,
) -> str:
    """The state of a friend's order, and why there is no reward where there is none.

    `code` is the referrer's own that the reward is paid with, once it works.
    """
    match redemption.status:
        case RedemptionStatus.pending:
            day = (
                ""
                if redemption.hold_until is None
                else reader.day(redemption.hold_until.astimezone(reader.zone).date())
            )
            return translate(
                reader.language, "Counts from %(day)s on, unless the order is returned.", day=day
            )
        case RedemptionStatus.approved:
            return _describe_reward(reward, code, reader)
        case RedemptionStatus.reversed:
            return translate(reader.language, _REVERSED.get(redemption.reason or "", _REVERSED_OTHERWISE))
        case RedemptionStatus.refused:
            return translate(reader.language, _REFUSED[redemption.reason or RefusalReason.unknown_code])
        case _:
            return translate(reader.language, _CLOSED[redemption.status])


def _describe_reward(reward: ShownReward | None, code: str | None, reader: Reader) -> str:
    if reward is not None and reward.reason is not None:
        return translate(reader.language, _REFUSED[reward.reason])
    if reward is None or reward.amount == 0:
        return translate(reader.language, "Counted. Thank you!")
    if reward.status is RewardStatus.reversed:
        return translate(reader.language, "No reward: too much of the order was refunded.")
    left, whole = (reader.amount(minor, reward.currency) for minor in (reward.net_amount, reward.amount))
    if reward.net_amount < reward.amount:
        got = translate(
            reader.language,
            "You got %(left)s of %(whole)s, since part of the order was refunded.",
            left=left,
            whole=whole,
        )
    else:
        got = translate(reader.language, "You got %(amount)s.", amount=left)
    return f"{got} {_describe_use(reward, code, reader)}".rstrip()


def _describe_use(reward: ShownReward, code: str | None, reader: Reader) -> str:
    """How the reward can be spent, or why it no longer can."""
    if reward.frozen and reward.status is RewardStatus.granted:
        return translate(
            reader.language, "We are checking this order once more; until then it cannot be used."
        )
    if reward.status is RewardStatus.used:
        return translate(reader.language, "You have used it.")
    if reward.status is RewardStatus.expired:
        ended = "" if reward.expires_at is None else reader.day(reader.end_day(reward.expires_at))
        return translate(reader.language, "It expired on %(day)s.", day=ended)
    last_day = "" if reward.expires_at is None else reader.day(reader.last_day(reward.expires_at))
    if code is None and reward.code_id is not None:
        return translate(
            reader.language,
            "Your own code is being added to the shop; reload this page in a moment to see it.",
        )
    if code is None:
        return (
            translate(reader.language, "It is credited to you until %(day)s.", day=last_day)
            if last_day
            else ""
        )
    return _own_code(reward, code, last_day, reader)


def _own_code(reward: ShownReward, code: str, last_day: str, reader: Reader) -> str:
    """The referrer's own code, and why the reward is one where its terms say credit."""
    use = translate(reader.language, "Your own code until %(day)s: %(code)s", code=code, day=last_day)
    if reward.kind_reason is None:
        return use
    return f"{use}. {translate(reader.language, _INSTEAD_OF_CREDIT[reward.kind_reason])}"
