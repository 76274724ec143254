"""What happened to referrers, their codes, friends' orders and rewards, in sentences.

As in `app.insight.sentences`, which has the others.
"""

from datetime import timedelta
from zoneinfo import ZoneInfo

from app.base.i18n import shown_amount, translate, translate_plural
from app.brands.programme import RewardKind
from app.insight import words
from app.insight.sentences import by, day
from app.insight.words import word
from app.referrals.models import Code, Redemption, StoredState
from app.referrals.reward_models import Reward
from app.referrals.rules import CodeKind, RewardStatus
from app.referrals.withheld_models import WithheldOffer


def withheld(it: WithheldOffer, language: str) -> str:
    """Why they were not given an offer, or not told of it on a channel."""
    reason = word(language, words.WITHHELD, it.reason)
    if it.channel is None:
        return translate(language, "Was not given an offer: %(reason)s.", reason=reason)
    return translate(
        language, "The offer was not sent%(by)s: %(reason)s.", by=by(language, it.channel), reason=reason
    )


def code(it: Code, shown: str, language: str, zone: ZoneInfo) -> str:
    """The code they may share, as the reader may see it, or their link that gives friends codes."""
    until = day(it.expires_at - timedelta(microseconds=1), language, zone)
    if not it.redeemable:
        return translate_plural(
            language,
            "Got a link that gives each friend a code, good until %(day)s, for one use.",
            "Got a link that gives each friend a code, good until %(day)s, for %(num)s uses.",
            it.max_uses,
            day=until,
        )
    if it.kind is CodeKind.friend:
        return translate(language, "A friend got the code %(code)s by their link.", code=shown)
    return translate_plural(
        language,
        "Got the code %(code)s, good until %(day)s, for one use.",
        "Got the code %(code)s, good until %(day)s, for %(num)s uses.",
        it.max_uses,
        code=shown,
        day=until,
    )


def redemption(
    it: Redemption, shown: str, reason: str | None, number: str, language: str, *, mine: bool
) -> str:
    """A friend’s order with their code, or their own order with a friend's code.

    `shown` and `reason` are its code and reason as the reader may see them.
    """
    off = (
        translate(language, ", %(amount)s off", amount=shown_amount(it.amount_off, it.currency, language))
        if it.amount_off
        else ""
    )
    values = {
        "code": shown,
        "number": number,
        "off": off,
        "status": word(language, words.REDEMPTIONS, it.status),
        "because": f" ({word(language, words.REDEMPTION_REASONS, reason)})" if reason else "",
    }
    if mine:
        return translate(
            language,
            "A friend used their code %(code)s in order %(number)s%(off)s; it %(status)s%(because)s.",
            **values,
        )
    return translate(
        language, "Used the code %(code)s in order %(number)s%(off)s; it %(status)s%(because)s.", **values
    )


def earlier_redemption(it: StoredState, number: str, language: str) -> str:
    """What a redemption was until another decision, and why."""
    return translate(
        language,
        "Before that, the redemption by order %(number)s %(status)s%(because)s.",
        number=number,
        status=word(language, words.EARLIER_REDEMPTIONS, it["status"]),
        because=f" ({word(language, words.REDEMPTION_REASONS, it['reason'])})" if it["reason"] else "",
    )


def reward(it: Reward, language: str) -> str:
    """What they were given for a friend’s order, and what is left of it."""
    if it.kind is RewardKind.none:
        return translate(language, "Thanked for a friend’s order.")
    amount = shown_amount(it.amount, it.currency, language)
    if it.redemption_id is None and it.status is RewardStatus.reversed:
        return translate(language, "The %(amount)s that the team had given were taken back.", amount=amount)
    if it.status in words.UNGRANTED_REWARDS:
        return word(language, words.UNGRANTED_REWARDS, it.status, amount=amount)
    left = (
        translate(
            language,
            ", of which %(amount)s are left",
            amount=shown_amount(it.net_amount, it.currency, language),
        )
        if it.net_amount != it.amount
        else ""
    )
    values = {
        "amount": amount,
        "kind": word(language, words.REWARD_KINDS, it.kind),
        "left": left,
        "status": word(language, words.REWARDS, it.status),
    }
    if it.redemption_id is None:
        return translate(language, "Given %(amount)s as %(kind)s%(left)s by the team (%(status)s).", **values)
    return translate(
        language, "Given %(amount)s as %(kind)s%(left)s for a friend’s order (%(status)s).", **values
    )
