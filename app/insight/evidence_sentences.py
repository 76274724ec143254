"""What decides about a friend's order, in sentences for staff. They name nobody and no address."""

from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID
from zoneinfo import ZoneInfo

from app.base.i18n import N_, shown_amount, shown_decimal, translate
from app.base.masking import mask_reason
from app.brands.programme import RewardKind
from app.brands.terms import Terms
from app.insight import words
from app.insight.sentences import day
from app.insight.words import word
from app.orders.models import Order
from app.referrals.models import Code, Redemption
from app.referrals.reward_models import Reward
from app.referrals.rules import REASON_WORDS, RedemptionStatus, RefusalReason, RewardStatus


class Compared(StrEnum):
    """What of a friend's order was compared."""

    email = "email"
    phone = "phone"
    account = "account"
    """The buyer's account in the shop."""
    payment = "payment"
    address = "address"
    history = "history"
    """Earlier orders of the friend."""
    code = "code"
    minimum = "minimum"
    amount = "amount"


class Found(StrEnum):
    """What a comparison says about the order."""

    against = "against"
    clear = "clear"
    unknown = "unknown"
    """The shop states too little to compare."""


class Whose(StrEnum):
    """Whose another order is."""

    referrer = "referrer"
    friend = "friend"
    """An earlier friend's where a mark is compared, this friend's where their history is."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One comparison; `order` is the number of the other order in which it was found.

    `is_missing` is whether the order itself lacks what would be compared.
    """

    compared: Compared
    found: Found
    whose: Whose | None = None
    order: str | None = None
    is_missing: bool = False


@dataclass(frozen=True, slots=True)
class Case:
    """A redemption with what it was decided by; `owner_id` is the referrer's customer."""

    redemption: Redemption
    order: Order
    code: Code
    terms: Terms
    owner_id: UUID | None
    shop: str


_UNKNOWN = {
    Compared.email: N_("E-mail addresses cannot be compared: one of them is not known."),
    Compared.phone: N_("Phone numbers cannot be compared: one of them is not known."),
    Compared.account: N_("The shop names no account of the buyer."),
    Compared.payment: N_("The shop does not say by what means it was paid."),
    Compared.address: N_("The shop names no address that could be compared."),
    Compared.history: N_("Nothing tells who ordered, so nobody knows about earlier orders."),
    Compared.minimum: N_("The least order is in another currency, so it cannot be compared."),
}
_CLEAR = {
    Compared.email: N_("Another e-mail address than the referrer’s."),
    Compared.phone: N_("Another phone number than the referrer’s."),
    Compared.account: N_("Another account in the shop than the referrer’s."),
    Compared.payment: N_("Paid in a way that neither the referrer nor an earlier friend has used."),
    Compared.address: N_("It goes to an address that neither the referrer nor an earlier friend has used."),
    Compared.history: N_("The first order: no earlier one is known."),
    Compared.code: N_("The code was good until %(day)s."),
    Compared.minimum: N_("The goods are worth %(subtotal)s, the least for this code is %(least)s."),
}
_AGAINST = {
    Compared.email: N_("The same e-mail address as the referrer’s, aliases left out."),
    Compared.phone: N_("The same phone number as the referrer’s."),
    Compared.account: N_("The same account in the shop as the referrer’s order %(order)s."),
    Compared.code: N_("The code had expired: it was good until %(day)s."),
    Compared.minimum: N_("The goods are worth %(subtotal)s, below the least for this code, %(least)s."),
}
_AGAINST_BY_WHOSE = {
    (Compared.payment, Whose.referrer): N_("Paid in the same way as the referrer’s order %(order)s."),
    (Compared.payment, Whose.friend): N_("Paid in the same way as an earlier friend’s order %(order)s."),
    (Compared.address, Whose.referrer): N_("It goes to the same address as the referrer’s order %(order)s."),
    (Compared.address, Whose.friend): N_(
        "It goes to the same address as an earlier friend’s order %(order)s."
    ),
}


def finding(it: Finding, case: Case, language: str, zone: ZoneInfo) -> str:
    """A comparison's sentence."""
    if it.compared is Compared.amount:
        return _amount(case, language)
    if it.compared is Compared.history and it.whose is Whose.friend:
        return _earlier_order(it, case, language)
    least = case.code.minimum_subtotal
    values = {
        "order": it.order or "",
        "day": day(case.code.expires_at, language, zone),
        "subtotal": shown_amount(case.order.subtotal, case.order.currency, language),
        "least": "" if least is None else shown_decimal(least, case.code.currency, language),
    }
    if it.found is Found.unknown:
        return translate(language, _UNKNOWN[it.compared], **values)
    if it.found is Found.clear:
        return translate(language, _CLEAR[it.compared], **values)
    if it.whose is not None and (it.compared, it.whose) in _AGAINST_BY_WHOSE:
        return translate(language, _AGAINST_BY_WHOSE[it.compared, it.whose], **values)
    return translate(language, _AGAINST[it.compared], **values)


def _earlier_order(it: Finding, case: Case, language: str) -> str:
    known = (
        translate(language, "They ordered before: order %(order)s.", order=it.order)
        if it.order
        else translate(language, "The shop states that they ordered before.")
    )
    if case.terms.offer.new_customers_only:
        return f"{known} {translate(language, 'The terms want new customers alone.')}"
    return f"{known} {translate(language, 'The terms allow it.')}"


def _amount(case: Case, language: str) -> str:
    def shown(minor: int) -> str:
        return shown_amount(minor, case.order.currency, language)

    order = case.order
    parts = [translate(language, "%(total)s were paid.", total=shown(order.total))]
    if order.cancelled_at is not None:
        parts.append(translate(language, "The order was cancelled."))
    elif order.refunded:
        parts.append(translate(language, "%(amount)s of it were refunded.", amount=shown(order.refunded)))
    if order.dispute is not None:
        text = word(language, words.DISPUTES, order.dispute, number=order.number)
        parts.append(text)
    return " ".join(parts)


def decision(
    it: Redemption, findings: Collection[Finding], language: str, zone: ZoneInfo, *, pii: bool
) -> str:
    """Where a friend's order stands, and why; a person's own words only with `pii`."""
    if it.status is RedemptionStatus.in_review:
        return translate(language, _why_in_review(it, findings))
    if it.status is RedemptionStatus.pending and it.hold_until is not None:
        until = day(it.hold_until, language, zone)
        return translate(language, "Nothing speaks against it: it counts on %(day)s.", day=until)
    reason = it.reason if pii else mask_reason(it.reason, REASON_WORDS)
    values = {"reason": word(language, words.REDEMPTION_REASONS, reason)} if reason else {}
    text = _DECISIONS_WITH_REASON.get(it.status) if reason else None
    return translate(language, text or _DECISIONS[it.status], **values)


_DECISIONS = {
    RedemptionStatus.pending: N_("Nothing speaks against it: it counts some time after it was delivered."),
    RedemptionStatus.approved: N_("It counts."),
    RedemptionStatus.rejected: N_("A person decided that it does not count."),
    RedemptionStatus.reversed: N_("It counted, but was taken back."),
    RedemptionStatus.refused: N_("It does not count."),
}
_DECISIONS_WITH_REASON = {
    RedemptionStatus.rejected: N_("A person decided that it does not count: %(reason)s."),
    RedemptionStatus.reversed: N_("It counted, but was taken back: %(reason)s."),
    RedemptionStatus.refused: N_("It does not count: %(reason)s."),
}


_NOBODY = N_("Nothing tells who the friend is: the order has no e-mail address and no number.")
_HELD_BACK = N_("When it came, it could not be told from the referrer or an earlier friend.")


def _why_in_review(it: Redemption, findings: Collection[Finding]) -> str:
    if it.reason == RefusalReason.disputed:
        return N_("The payment of the order is disputed, or the shop has put the paid order on hold.")
    if it.reason == RefusalReason.currency_mismatch:
        return N_("The reward is in another currency, so nobody can tell whether it exceeds the order.")
    same = {(each.compared, each.whose) for each in findings if each.found is Found.against}
    missing = {each.compared for each in findings if each.is_missing}
    reasons = (
        ({Compared.email, Compared.phone} <= missing, _NOBODY),
        (
            (Compared.payment, Whose.referrer) in same,
            N_("Looks like the referrer: it was paid in their way."),
        ),
        ((Compared.address, Whose.referrer) in same, N_("Looks like the same household as the referrer’s.")),
        (
            bool({(Compared.payment, Whose.friend), (Compared.address, Whose.friend)} & same),
            N_("Looks like an earlier friend under another name."),
        ),
    )
    return next((text for holds, text in reasons if holds), _HELD_BACK)


def effects(it: Redemption, reward: Reward | None, language: str, zone: ZoneInfo) -> list[str]:
    """What hangs on a friend's order: the referrer's reward, and the friend's discount."""
    found = [_of_reward(it, reward, language, zone)]
    if it.amount_off:
        off = shown_amount(it.amount_off, it.currency, language)
        found.append(translate(language, "The friend keeps their %(amount)s off either way.", amount=off))
    return found


def _of_reward(it: Redemption, reward: Reward | None, language: str, zone: ZoneInfo) -> str:
    if reward is None:
        return translate(language, "No reward hangs on it.")
    if reward.reason is not None:
        reason = word(language, words.REFUSALS, reward.reason)
        return translate(language, "The referrer gets nothing for it: %(reason)s.", reason=reason)
    if reward.kind is RewardKind.none or not reward.amount:
        return translate(language, "The referrer is thanked; no amount hangs on it.")
    return translate(language, _text_of_amount(it, reward), **_values_of(it, reward, language, zone))


def _values_of(it: Redemption, reward: Reward, language: str, zone: ZoneInfo) -> dict[str, str]:
    return {
        "amount": shown_amount(reward.amount, reward.currency, language),
        "left": shown_amount(reward.net_amount, reward.currency, language),
        "day": day(it.hold_until, language, zone) if it.hold_until else "",
        "granted": day(reward.granted_at, language, zone) if reward.granted_at else "",
        "state": word(language, words.REWARDS, reward.status),
    }


def _text_of_amount(it: Redemption, reward: Reward) -> str:
    match reward.status:
        case RewardStatus.pending:
            return _pending_reward(it)
        case RewardStatus.reversed:
            return N_("The referrer’s reward of %(amount)s was taken back.")
        case RewardStatus.cancelled if it.status is RedemptionStatus.rejected:
            return N_("%(amount)s for the referrer, should you let it count after all.")
        case RewardStatus.cancelled:
            return N_("The referrer’s reward of %(amount)s is not granted.")
        case _ if reward.net_amount == reward.amount:
            return N_("%(amount)s for the referrer on %(granted)s; now %(state)s.")
        case _:
            return N_(
                "%(amount)s for the referrer on %(granted)s, of which %(left)s are left; now %(state)s."
            )


def _pending_reward(it: Redemption) -> str:
    if it.status is RedemptionStatus.in_review:
        return N_("%(amount)s for the referrer, at once when you let it count.")
    if it.hold_until is None:
        return N_("%(amount)s for the referrer, some time after the order was delivered.")
    return N_("%(amount)s for the referrer on %(day)s, unless the order is returned.")
