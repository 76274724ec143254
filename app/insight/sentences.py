"""What happened, in a sentence for the marketing team; no sentence names a person or an address.

Every sentence is in the language given, a tag of `app.base.i18n.languages()`. A state or reason
that this version does not know is shown as it is stored.
"""

from datetime import datetime
from zoneinfo import ZoneInfo

from app.base.i18n import long_date, shown_amount, shown_decimal, translate
from app.base.masking import without_addresses
from app.customers.models import ConsentFact, Suppression
from app.insight import words
from app.insight.words import word
from app.messaging.models import Attempt, Message, ProviderEvent
from app.orders.facts_rules import REVOCABLE, FactKind
from app.orders.models import Order, OrderFact
from app.surveys.models import Response, StoredDeferral, Survey
from app.surveys.rules import OPEN, SkipReason, SurveyStatus, band_of


def order(it: Order, language: str) -> str:
    """What they bought, for how much, and the order's present state."""
    values = {
        "amount": shown_amount(it.total, it.currency, language),
        "number": it.number,
        "status": word(language, words.ORDERS, it.status),
    }
    if it.test:
        return translate(
            language, "Ordered for %(amount)s: order %(number)s (a test), now %(status)s.", **values
        )
    if it.trial:
        return translate(
            language, "Ordered for %(amount)s: order %(number)s (a trial), now %(status)s.", **values
        )
    if it.history:
        return translate(
            language,
            "Ordered for %(amount)s: order %(number)s (from before the start), now %(status)s.",
            **values,
        )
    return translate(language, "Ordered for %(amount)s: order %(number)s, now %(status)s.", **values)


def fact(it: OrderFact, order: Order, language: str) -> str:
    """What was reported about an order."""
    number = order.number
    if it.kind is FactKind.cancelled and order.cancelled_at is None:
        return translate(
            language, "Order %(number)s was cancelled; the shop took it up again.", number=number
        )
    if it.kind is FactKind.refunded and it.amount is not None:
        return translate(
            language,
            "%(amount)s of order %(number)s were refunded.",
            amount=shown_decimal(it.amount, order.currency, language),
            number=number,
        )
    if it.kind is FactKind.disputed and it.key == REVOCABLE:
        return translate(language, "Order %(number)s was put on hold after it was paid.", number=number)
    if it.dispute is not None:
        return word(language, words.DISPUTES, it.dispute, number=number)
    return word(language, words.FACTS, it.kind, number=number)


def survey(it: Survey, number: str | None, language: str, zone: ZoneInfo) -> str:
    """Where a survey stands, and why it was skipped or deferred."""
    values = {"survey": _the_survey(number, language), "by": by(language, it.channel)}
    if it.status is SurveyStatus.skipped:
        return translate(
            language, "%(survey)s is not sent: %(reason)s.", reason=skip_reason(it.reason, language), **values
        )
    if it.status is SurveyStatus.planned:
        return _planned_survey(it, values, language, zone)
    if it.status in OPEN and it.sent_at:
        return translate(language, "%(survey)s was sent%(by)s and waits for an answer.", **values)
    if it.status in OPEN:
        return translate(language, "%(survey)s is being sent%(by)s and waits for an answer.", **values)
    return word(language, words.SURVEYS, it.status, **values)


def _planned_survey(it: Survey, values: dict[str, str], language: str, zone: ZoneInfo) -> str:
    if it.due_at is None:
        return translate(language, "%(survey)s waits for the order to get further.", **values)
    deferral = word(language, words.DEFERRALS, it.deferred_reason) if it.deferred_reason else None
    return translate(
        language,
        "%(survey)s is due on %(day)s%(by)s%(deferral)s.",
        day=day(it.due_at, language, zone),
        deferral=f" ({deferral})" if deferral else "",
        **values,
    )


def deferral(it: StoredDeferral, number: str | None, language: str, zone: ZoneInfo) -> str:
    """Until when a survey was deferred, and why."""
    return translate(
        language,
        "%(survey)s was moved to %(day)s: %(deferral)s.",
        survey=_the_survey(number, language),
        day=day(datetime.fromisoformat(it["until"]), language, zone),
        deferral=word(language, words.DEFERRALS, it["reason"]),
    )


def _the_survey(number: str | None, language: str) -> str:
    if number:
        return translate(language, "The survey about order %(number)s", number=number)
    return translate(language, "The survey")


def by(language: str, channel: str | None) -> str:
    """The channel, to follow what was sent; empty for none."""
    if channel is None:
        return ""
    return translate(language, " by %(channel)s", channel=word(language, words.CHANNELS, channel))


def skipped_survey(it: Survey, order: Order | None, language: str) -> str:
    """Which survey is not sent and why; of a kind of order that is never surveyed, which kind."""
    about = (
        translate(language, "The survey about order %(number)s", number=order.number)
        if order
        else translate(language, "The survey")
    )
    reason = skip_reason(it.reason, language)
    if order is not None and it.reason is SkipReason.excluded and (order.test or order.history):
        reason = word(language, words.NEVER_SURVEYED, "test" if order.test else "history")
    return translate(language, "%(survey)s is not sent: %(reason)s.", survey=about, reason=reason)


def skip_reason(reason: SkipReason | None, language: str) -> str:
    """Why an order is not surveyed, to follow a colon."""
    if reason is None:
        return translate(language, "no reason was kept")
    return word(language, words.SKIPS, reason)


def message(it: Message, language: str) -> str:
    """Where a message stands and why."""
    text = translate(
        language,
        "The %(template)s%(number)s%(by)s %(status)s%(because)s.",
        template=word(language, words.TEMPLATES, it.template),
        number=f" {it.step}" if it.step > 1 else "",
        by=by(language, it.channel),
        status=word(language, words.MESSAGES, it.status),
        because=_because(it.reason and word(language, words.MESSAGE_REASONS, it.reason)),
    )
    return f"{text} {translate(language, 'It may have arrived twice.')}" if it.possible_duplicate else text


def attempt(it: Attempt, template: str, language: str) -> str:
    """How one try to send ended."""
    return translate(
        language,
        "Attempt %(number)s to send the %(template)s by %(provider)s %(status)s%(because)s.",
        number=it.number,
        template=word(language, words.TEMPLATES, template),
        provider=it.provider,
        status=word(language, words.ATTEMPTS, it.status),
        because=_because(it.error and word(language, words.MESSAGE_REASONS, it.error)),
    )


def provider_event(it: ProviderEvent, template: str, language: str) -> str:
    """What a provider reported."""
    text = word(
        language,
        words.PROVIDER_EVENTS,
        it.kind,
        provider=it.provider.capitalize(),
        template=word(language, words.TEMPLATES, template),
    )
    return f"{text}{_because(it.detail)}."


def _because(detail: str | None) -> str:
    return f": {without_addresses(detail)}" if detail else ""


def response(it: Response, language: str, *, pii: bool) -> str:
    """The score and the comment, without addresses where `pii` is false."""
    comment = f": “{it.comment if pii else without_addresses(it.comment)}”" if it.comment else ""
    text = translate(
        language,
        "Answered %(score)s, %(band)s",
        score=it.score,
        band=word(language, words.BANDS, band_of(it.score)),
    )
    changed = translate(language, " (changed %(count)s×)", count=it.changes) if it.changes else ""
    return f"{text}{changed}{comment}"


def consent(it: ConsentFact, language: str, *, pii: bool) -> str:
    """What they decided about a channel, and where it is known from if `pii`."""
    channel = word(language, words.CHANNELS, it.channel)
    where = f" ({it.source})" if it.source and pii else ""
    if it.given:
        return translate(language, "Agreed to %(channel)s%(where)s.", channel=channel, where=where)
    return translate(language, "Did not agree to %(channel)s%(where)s.", channel=channel, where=where)


def suppression(it: Suppression, language: str) -> str:
    """Why an address gets nothing any more."""
    return translate(
        language,
        "Gets nothing%(by)s any more: %(reason)s.",
        by=by(language, it.channel),
        reason=word(language, words.SUPPRESSIONS, it.reason),
    )


def lifted_suppression(it: Suppression, language: str) -> str:
    """That they took back their own decision."""
    return translate(
        language,
        "Gets messages%(by)s again; taken back: %(reason)s.",
        by=by(language, it.channel),
        reason=word(language, words.SUPPRESSIONS, it.reason),
    )


def day(at: datetime, language: str, zone: ZoneInfo) -> str:
    """The day of a moment in a time zone, as people write it."""
    return long_date(at.astimezone(zone).date(), language)
