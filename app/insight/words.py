"""The words for stored states and reasons in a timeline's sentences, marked for translation."""

from collections.abc import Mapping

from app.base.i18n import N_, translate
from app.brands.programme import Channel, RewardKind
from app.customers.rules import NoContactReason, SuppressionReason
from app.messaging.rules import AttemptStatus, FailureCause, MessageStatus, ProviderEventKind
from app.orders.facts_rules import FactKind
from app.orders.rules import OrderStatus
from app.platforms.events import DisputeStatus
from app.referrals.rules import RedemptionStatus, RefusalReason, RewardStatus, WithheldReason
from app.surveys.rules import Band, Deferral, SkipReason, SurveyStatus

Words = dict[str, str]
"""A text by the stored word."""

CHANNELS: Words = {Channel.email: N_("e-mail"), Channel.sms: N_("text message")}
SKIPS: Words = {
    SkipReason.no_consent: N_("they did not agree to be surveyed"),
    SkipReason.no_address: N_("the shop gave no address that could be used"),
    SkipReason.recontact: N_("they were surveyed a short while ago"),
    SkipReason.refunded: N_("the order was refunded"),
    SkipReason.cancelled: N_("the order was cancelled"),
    SkipReason.sampled_out: N_("they were not in the sample"),
    SkipReason.unsubscribed: N_("they had unsubscribed"),
    SkipReason.excluded: N_("orders of this kind are not surveyed"),
    SkipReason.surveys_disabled: N_("surveys were switched off or the programme was not running"),
    SkipReason.too_late: N_("it had been due too long ago"),
}
NEVER_SURVEYED: Words = {
    "test": N_("the shop marked it as a test order"),
    "history": N_("it was imported as history, from before the start"),
}
"""Why an order of this kind is excluded, whatever the programme's terms."""
DEFERRALS: Words = {
    Deferral.recontact: N_("deferred, since they were surveyed a short while ago"),
    Deferral.quiet_hours: N_("deferred to their daytime"),
    Deferral.max_per_day: N_("deferred, since the day's limit was reached"),
}
SUPPRESSIONS: Words = {
    SuppressionReason.unsubscribed: N_("they unsubscribed"),
    SuppressionReason.bounced: N_("the address does not exist or takes no mail"),
    SuppressionReason.complained: N_("they reported a message as unwanted"),
    SuppressionReason.stopped: N_("they replied STOP"),
    SuppressionReason.erased: N_("their data was erased"),
}
MESSAGES: Words = {
    MessageStatus.planned: N_("is planned"),
    MessageStatus.sending: N_("is being sent"),
    MessageStatus.accepted: N_("was handed to the provider"),
    MessageStatus.delivered: N_("was delivered"),
    MessageStatus.unknown: N_("may or may not have been sent; the provider may report it yet"),
    MessageStatus.review: N_("may or may not have been sent; a person has to decide"),
    MessageStatus.failed: N_("failed"),
    MessageStatus.suppressed: N_("was not sent"),
    MessageStatus.cancelled: N_("was cancelled"),
    MessageStatus.dismissed: N_("is not sent again, as a person decided"),
    MessageStatus.bounced: N_("was returned"),
    MessageStatus.complained: N_("was reported as unwanted"),
}
MESSAGE_REASONS: Words = {
    NoContactReason.no_address: N_("no address is known that could be used"),
    NoContactReason.no_consent: N_("they did not agree to it"),
    NoContactReason.unsubscribed: N_("they had unsubscribed"),
    FailureCause.invalid_address: N_("the address does not exist"),
    FailureCause.recipient_opted_out: N_("they replied STOP"),
    FailureCause.recipient_unsubscribed: N_("they unsubscribed"),
    FailureCause.recipient_complained: N_("they reported a message as unwanted"),
    ProviderEventKind.bounced: N_("the receiving server returned it"),
    ProviderEventKind.blocked: N_("the receiving server did not take it"),
    ProviderEventKind.dropped: N_("the provider did not send it"),
    ProviderEventKind.failed: N_("the provider could not deliver it"),
    ProviderEventKind.complained: N_("they reported it as unwanted"),
    "answered": N_("the survey was answered"),
    "disabled": N_("the code was disabled"),
    "erased": N_("their data was erased"),
    "expired": N_("the survey ran out without an answer"),
    "order_undone": N_("the order was cancelled or refunded"),
    "unknown_template": N_("its template no longer exists"),
}
"""Why a message was not sent or not delivered. A provider's own words are not in it."""
ATTEMPTS: Words = {
    AttemptStatus.sending: N_("is under way"),
    AttemptStatus.accepted: N_("was accepted"),
    AttemptStatus.refused: N_("was refused"),
    AttemptStatus.unknown: N_("ended without an answer"),
}
PROVIDER_EVENTS: Words = {
    ProviderEventKind.accepted: N_("%(provider)s accepted the %(template)s"),
    ProviderEventKind.delivered: N_("%(provider)s delivered the %(template)s"),
    ProviderEventKind.deferred: N_("%(provider)s will try the %(template)s again later"),
    ProviderEventKind.bounced: N_("%(provider)s returned the %(template)s"),
    ProviderEventKind.blocked: N_("%(provider)s was kept from delivering the %(template)s"),
    ProviderEventKind.dropped: N_("%(provider)s dropped the %(template)s"),
    ProviderEventKind.complained: N_("%(provider)s reported a complaint about the %(template)s"),
    ProviderEventKind.unsubscribed: N_("%(provider)s reported an unsubscription by the %(template)s"),
    ProviderEventKind.failed: N_("%(provider)s failed to deliver the %(template)s"),
    ProviderEventKind.opened: N_("%(provider)s reported that the %(template)s was opened"),
    ProviderEventKind.clicked: N_("%(provider)s reported that a link of the %(template)s was opened"),
}
DISPUTES: Words = {
    DisputeStatus.open: N_(
        "The payment of order %(number)s is disputed, or the shop has put the paid order on hold."
    ),
    DisputeStatus.won: N_("The dispute about order %(number)s was won."),
    DisputeStatus.lost: N_("The dispute about order %(number)s was lost."),
}
FACTS: Words = {
    FactKind.fulfilled: N_("Order %(number)s was sent off."),
    FactKind.delivered: N_("Order %(number)s was delivered."),
    FactKind.partly_fulfilled: N_("A part of order %(number)s was sent off."),
    FactKind.partly_delivered: N_("A part of order %(number)s was delivered."),
    FactKind.parcel_cancelled: N_("A parcel of order %(number)s was not sent after all."),
    FactKind.cancelled: N_("Order %(number)s was cancelled."),
    FactKind.refund_deleted: N_("A refund of order %(number)s was deleted."),
}
REDEMPTIONS: Words = {
    RedemptionStatus.pending: N_("counts once its hold is over"),
    RedemptionStatus.in_review: N_("waits for a person to decide"),
    RedemptionStatus.approved: N_("counts"),
    RedemptionStatus.rejected: N_("was rejected"),
    RedemptionStatus.reversed: N_("counted, but was taken back"),
    RedemptionStatus.refused: N_("does not count"),
}
EARLIER_REDEMPTIONS: Words = {
    RedemptionStatus.pending: N_("would have counted"),
    RedemptionStatus.in_review: N_("waited for a person to decide"),
    RedemptionStatus.approved: N_("counted"),
    RedemptionStatus.rejected: N_("was rejected"),
    RedemptionStatus.reversed: N_("was taken back"),
    RedemptionStatus.refused: N_("did not count"),
}
ORDERS: Words = {
    OrderStatus.paid: N_("paid"),
    OrderStatus.fulfilled: N_("sent off"),
    OrderStatus.delivered: N_("delivered"),
    OrderStatus.refunded: N_("refunded"),
    OrderStatus.cancelled: N_("cancelled"),
}
REFUSALS: Words = {
    RefusalReason.unknown_code: N_("unknown code"),
    RefusalReason.expired: N_("the code had expired"),
    RefusalReason.disabled: N_("the code was disabled"),
    RefusalReason.exhausted: N_("the code was used up"),
    RefusalReason.own_order: N_("an order of their own"),
    RefusalReason.existing_customer: N_("an existing customer"),
    RefusalReason.already_used_by_friend: N_("already used by this friend"),
    RefusalReason.minimum_not_met: N_("minimum not met"),
    RefusalReason.budget_spent: N_("the budget was spent"),
    RefusalReason.cap_reached: N_("the referrer's cap was reached"),
    RefusalReason.currency_mismatch: N_("another currency"),
    RefusalReason.not_active: N_("the programme was not active"),
    RefusalReason.suspected_fraud: N_("suspected fraud"),
    RefusalReason.disputed: N_("a disputed payment"),
}
REDEMPTION_REASONS: Words = {
    **REFUSALS,
    "cancelled": N_("the order was cancelled"),
    "refunded": N_("the order was refunded"),
    "rolled_back": N_("the shop took it back"),
}
WITHHELD: Words = {
    WithheldReason.offers_disabled: N_("offers were switched off"),
    WithheldReason.not_active: N_("the programme was not running"),
    WithheldReason.held_out: N_("they are in the share of people who get none, for comparison"),
    WithheldReason.no_amounts: N_("the programme has no amounts in the shop's currency"),
    WithheldReason.budget_spent: N_("the budget was spent"),
    WithheldReason.revoked: N_("their share link was revoked"),
    WithheldReason.no_address: N_("no address is known that could be used"),
    WithheldReason.no_consent: N_("they did not agree to it"),
    WithheldReason.unsubscribed: N_("they had unsubscribed"),
}
BANDS: Words = {
    Band.promoter: N_("a promoter"),
    Band.passive: N_("a passive"),
    Band.detractor: N_("a detractor"),
}
SURVEYS: Words = {
    SurveyStatus.answered: N_("%(survey)s was sent%(by)s and answered."),
    SurveyStatus.expired: N_("%(survey)s was sent%(by)s and ran out without an answer."),
}
UNGRANTED_REWARDS: Words = {
    RewardStatus.pending: N_("A reward of %(amount)s is pending for a friend's order."),
    RewardStatus.cancelled: N_(
        "The reward of %(amount)s was not granted, since the friend's order does not count."
    ),
    RewardStatus.reversed: N_(
        "The reward of %(amount)s was taken back, since the friend's order was undone."
    ),
}
REWARDS: Words = {
    RewardStatus.granted: N_("granted"),
    RewardStatus.used: N_("used"),
    RewardStatus.expired: N_("expired"),
}
REWARD_KINDS: Words = {
    RewardKind.code: N_("code"),
    RewardKind.credit: N_("credit"),
}
TEMPLATES: Words = {
    "survey": N_("survey"),
    "reminder": N_("reminder"),
    "offer": N_("offer"),
    "reward": N_("reward"),
    "reply": N_("reply"),
}


def word(language: str, words: Mapping[str, str], value: str, **values: object) -> str:
    """The value in words of the language, `values` in place of `%(name)s`.

    A value that the table lacks is returned with spaces for its underscores.
    """
    text = words.get(value)
    return value.replace("_", " ") if text is None else translate(language, text, **values)
