"""What happened, in a sentence for the marketing team. Pure; no sentence names a person or an address."""

from datetime import UTC, datetime
from typing import assert_never

from app.base import money
from app.base.masking import without_addresses
from app.brands.programme import Channel, RewardKind
from app.customers.models import Consent, Suppression
from app.customers.rules import SuppressionReason
from app.messaging.models import Attempt, Message, ProviderEvent
from app.messaging.rules import AttemptStatus, MessageStatus, ProviderEventKind
from app.orders.models import Order, OrderFact
from app.orders.rules import FactKind
from app.referrals.models import Code, Redemption, Reward
from app.referrals.rules import RedemptionStatus, RewardStatus
from app.surveys.models import Response, Survey
from app.surveys.rules import SkipReason, SurveyStatus, band_of

_CHANNELS = {Channel.email: "e-mail", Channel.sms: "text message"}
_SKIPS = {
    SkipReason.no_consent: "they did not agree to be asked",
    SkipReason.no_address: "the shop gave no address that could be used",
    SkipReason.recontact: "they were asked a short while ago",
    SkipReason.refunded: "the order was refunded",
    SkipReason.cancelled: "the order was cancelled",
    SkipReason.sampled_out: "they were not in the sample",
    SkipReason.unsubscribed: "they had unsubscribed",
    SkipReason.excluded: "orders of this kind are not surveyed",
    SkipReason.surveys_disabled: "asking was switched off or the programme was not running",
    SkipReason.too_late: "it had been due too long ago to be asked still",
}
_DEFERRALS = {
    "recontact": "put off, since they were asked a short while ago",
    "quiet_hours": "put off to their daytime",
    "max_per_day": "put off, since the day's number was reached",
}
_SUPPRESSIONS = {
    SuppressionReason.unsubscribed: "they unsubscribed",
    SuppressionReason.bounced: "the address does not exist or takes no mail",
    SuppressionReason.complained: "they reported a message as unwanted",
    SuppressionReason.stopped: "they replied STOP",
    SuppressionReason.erased: "they were erased",
}
_MESSAGES = {
    MessageStatus.planned: "is planned",
    MessageStatus.sending: "is being sent",
    MessageStatus.accepted: "was handed to the provider",
    MessageStatus.delivered: "was delivered",
    MessageStatus.unknown: "may or may not have been sent; we wait for the provider's word",
    MessageStatus.review: "may or may not have been sent; a person has to decide",
    MessageStatus.failed: "failed",
    MessageStatus.suppressed: "was not sent",
    MessageStatus.cancelled: "was cancelled",
    MessageStatus.dismissed: "is not sent again, as a person decided",
    MessageStatus.bounced: "came back",
    MessageStatus.complained: "was reported as unwanted",
}
_ATTEMPTS = {
    AttemptStatus.sending: "is under way",
    AttemptStatus.accepted: "was accepted",
    AttemptStatus.refused: "was refused",
    AttemptStatus.unknown: "ended without an answer",
}
_RECEIPTS = {
    ProviderEventKind.accepted: "took the {} over",
    ProviderEventKind.delivered: "delivered the {}",
    ProviderEventKind.deferred: "will try the {} again later",
    ProviderEventKind.bounced: "got the {} back",
    ProviderEventKind.blocked: "was kept from delivering the {}",
    ProviderEventKind.dropped: "dropped the {}",
    ProviderEventKind.complained: "heard a complaint about the {}",
    ProviderEventKind.unsubscribed: "heard an unsubscription by the {}",
    ProviderEventKind.failed: "failed to deliver the {}",
    ProviderEventKind.opened: "saw the {} opened",
    ProviderEventKind.clicked: "saw a link of the {} opened",
}
_FACTS = {
    FactKind.fulfilled: "was sent off",
    FactKind.delivered: "was delivered",
    FactKind.cancelled: "was cancelled",
}
_REDEMPTIONS = {
    RedemptionStatus.pending: "counts once its hold is over",
    RedemptionStatus.in_review: "waits for a person to decide",
    RedemptionStatus.approved: "counts",
    RedemptionStatus.rejected: "was rejected",
    RedemptionStatus.reversed: "counted, but was taken back",
    RedemptionStatus.refused: "does not count",
}


def order(it: Order) -> str:
    """What they bought, for how much, and what became of it."""
    extra = " (a test)" if it.test else " (from before the start)" if it.history else ""
    return f"Ordered for {money.Money(it.total, it.currency)}: order {it.number}{extra}, now {it.status}."


def fact(it: OrderFact, number: str, currency: str) -> str:
    """What was reported about an order."""
    if it.kind is FactKind.refunded:
        return f"{it.amount:f} {currency} of order {number} were refunded."
    return f"Order {number} {_FACTS[it.kind]}."


def survey(it: Survey, number: str | None) -> str:
    """Where a survey stands, and why it was skipped or put off."""
    about = f"The survey about order {number}" if number else "The survey"
    by = f" by {_CHANNELS[it.channel]}" if it.channel else ""
    match it.status:
        case SurveyStatus.skipped:
            return f"{about} is not sent: {skip_reason(it.reason)}."
        case SurveyStatus.planned:
            if it.due_at is None:
                return f"{about} waits for the order to get further."
            deferred = (
                f" ({_DEFERRALS.get(it.deferred_reason, it.deferred_reason)})" if it.deferred_reason else ""
            )
            return f"{about} is due on {_day(it.due_at)}{by}{deferred}."
        case SurveyStatus.queued | SurveyStatus.sent:
            how = "was sent" if it.sent_at else "is being sent"
            return f"{about} {how}{by} and waits for an answer."
        case SurveyStatus.answered:
            return f"{about} was sent{by} and answered."
        case SurveyStatus.expired:
            return f"{about} was sent{by} and ran out without an answer."
        case _:
            assert_never(it.status)


def skip_reason(reason: SkipReason | None) -> str:
    """Why an order is not surveyed, to follow a colon."""
    return "no reason was kept" if reason is None else _SKIPS[reason]


def message(it: Message) -> str:
    """Where a message stands and why."""
    number = f" {it.step}" if it.step > 1 else ""
    because = f": {it.reason.replace('_', ' ')}" if it.reason else ""
    twice = " It may have arrived twice." if it.possible_duplicate else ""
    return f"The {it.template}{number} by {_CHANNELS[it.channel]} {_MESSAGES[it.status]}{because}.{twice}"


def attempt(it: Attempt, template: str) -> str:
    """How one try to send ended."""
    because = f": {without_addresses(it.error)}" if it.error else ""
    return f"Attempt {it.number} to send the {template} by {it.provider} {_ATTEMPTS[it.status]}{because}."


def provider_event(it: ProviderEvent, template: str) -> str:
    """What a provider told."""
    because = f": {without_addresses(it.detail)}" if it.detail else ""
    return f"{it.provider.capitalize()} {_RECEIPTS[it.kind].format(template)}{because}."


def response(it: Response, *, pii: bool) -> str:
    """The answer and the words with it, those without addresses where `pii` is false."""
    comment = f": “{it.comment if pii else without_addresses(it.comment)}”" if it.comment else ""
    changed = f" (changed {it.changes}×)" if it.changes else ""
    return f"Answered {it.score}, a {band_of(it.score)}{changed}{comment}"


def consent(it: Consent) -> str:
    """What they said about a channel."""
    where = f" ({it.source})" if it.source else ""
    return f"{'Agreed' if it.given else 'Said no'} to {_CHANNELS[it.channel]}{where}."


def suppression(it: Suppression) -> str:
    """Why an address gets nothing any more."""
    return f"Gets nothing by {_CHANNELS[it.channel]} any more: {_SUPPRESSIONS[it.reason]}."


def code(it: Code) -> str:
    """The code they may hand on."""
    return f"Got the code {it.display}, good until {_day(it.expires_at)}, for {it.max_uses} uses."


def redemption(it: Redemption, shown: str, number: str, *, mine: bool) -> str:
    """A friend's order with their code, or their own order with a friend's code."""
    who = (
        f"A friend used their code {shown} in order {number}"
        if mine
        else f"Used the code {shown} in order {number}"
    )
    off = f", {money.Money(it.amount_off, it.currency)} off" if it.amount_off else ""
    because = f" ({it.reason.replace('_', ' ')})" if it.reason else ""
    return f"{who}{off}; it {_REDEMPTIONS[it.status]}{because}."


def reward(it: Reward) -> str:
    """What they were given for it, and what is left."""
    if it.kind is RewardKind.none:
        return "Thanked for a friend's order."
    amount = money.Money(it.amount, it.currency)
    if it.status is RewardStatus.pending:
        return f"A reward of {amount} is pending for a friend's order."
    if it.status is RewardStatus.cancelled:
        return f"The reward of {amount} was not granted, since the friend's order does not count."
    if it.status is RewardStatus.reversed:
        return f"The reward of {amount} was taken back, since the friend's order was undone."
    left = (
        f", of which {money.Money(it.net_amount, it.currency)} are left" if it.net_amount != it.amount else ""
    )
    return f"Given {amount} as {it.kind}{left} for a friend's order ({it.status.replace('_', ' ')})."


def _day(at: datetime) -> str:
    return f"{at.astimezone(UTC):%d %b %Y}"
