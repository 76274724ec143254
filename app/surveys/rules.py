"""Pure decisions about surveys: when one is due, why one is skipped or put off, which band a score is in."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from uuid import UUID
from zoneinfo import ZoneInfo

from app.brands.programme import Channel, Exclude, Programme, QuietHours, SurveyTerms, Trigger
from app.brands.rules import next_daytime
from app.customers.rules import ContactOptions, NoContactReason

_UTC = ZoneInfo("UTC")


class SurveyStatus(StrEnum):
    """Every order has a survey row, in one of these."""

    planned = "planned"
    sent = "sent"
    answered = "answered"
    expired = "expired"
    skipped = "skipped"


class SkipReason(StrEnum):
    """Why an order is not surveyed; shown to people."""

    no_consent = "no_consent"
    no_address = "no_address"
    recontact = "recontact"
    refunded = "refunded"
    cancelled = "cancelled"
    sampled_out = "sampled_out"
    unsubscribed = "unsubscribed"
    excluded = "excluded"
    surveys_disabled = "surveys_disabled"
    too_late = "too_late"


class Deferral(StrEnum):
    """Why a survey is due later than its trigger alone would say."""

    quiet_hours = "quiet_hours"
    recontact = "recontact"
    max_per_day = "max_per_day"


class Band(StrEnum):
    """The three groups of the Net Promoter Score."""

    promoter = "promoter"
    passive = "passive"
    detractor = "detractor"


def band_of(score: int) -> Band:
    """9-10 promoter, 7-8 passive, 0-6 detractor."""
    if score >= 9:
        return Band.promoter
    return Band.passive if score >= 7 else Band.detractor


RECONSIDERED = frozenset({SkipReason.no_consent, SkipReason.no_address, SkipReason.too_late})
"""Skips that a later fact may undo: an address, a consent, or the delivery that starts the clock anew.

All others are final, so that a survey which was decided against does not come back when terms or switches change.
"""


@dataclass(frozen=True, slots=True)
class SurveyInput:
    """All that a decision about one order's survey depends on, besides the programme and the time."""

    order_id: UUID
    paid_at: datetime
    fulfilled_at: datetime | None = None
    delivered_at: datetime | None = None
    cancelled: bool = False
    refunded: bool = False
    """Wholly; a partial refund is no reason not to ask."""
    total: Decimal = Decimal(0)
    """In major units of the order's currency."""
    source: str | None = None
    tags: Sequence[str] = ()
    test: bool = False
    history: bool = False
    share: float = 0.0
    """The order's place in [0, 1) for the sample."""
    contact: ContactOptions | None = None
    """None where the order has no customer."""
    zone: ZoneInfo = _UTC
    """The customer's, else the shop's."""
    country_quiet_hours: QuietHours | None = None
    """What the brand keeps in the customer's country besides the programme's own: it may only narrow the day."""


@dataclass(frozen=True, slots=True)
class Planned:
    """To be asked at `due_at`; without it, once the fact comes that starts the clock."""

    channel: Channel
    triggered_at: datetime | None
    due_at: datetime | None
    deferred: Deferral | None = None


@dataclass(frozen=True, slots=True)
class Skipped:
    """Not to be asked, for this reason."""

    reason: SkipReason


@dataclass(frozen=True, slots=True)
class Send:
    """To be asked now, by this channel."""

    channel: Channel


@dataclass(frozen=True, slots=True)
class Deferred:
    """To be looked at again at `until`, which lies after the moment of the decision."""

    until: datetime
    why: Deferral


@dataclass(frozen=True, slots=True)
class Start:
    """The fact that started the clock, and when the survey falls due by it alone."""

    triggered_at: datetime
    due_at: datetime


def starts(fact: SurveyInput, survey: SurveyTerms) -> Start | None:
    """The best fact so far: the trigger or one beyond it, else the next best; None where that one waits for ever."""
    after_trigger = {
        Trigger.delivered: (fact.delivered_at,),
        # What has arrived has left before; a shop that reports the arrival alone is not waited for.
        Trigger.fulfilled: (fact.fulfilled_at, fact.delivered_at),
        Trigger.paid: (fact.paid_at,),
    }
    for at in after_trigger[survey.trigger]:
        if at is not None:
            return Start(at, at + timedelta(hours=survey.delay_hours))
    if survey.trigger is Trigger.delivered and fact.fulfilled_at is not None:
        at, days = fact.fulfilled_at, survey.fallback_days.fulfilled
    else:
        at, days = fact.paid_at, survey.fallback_days.paid
    return None if days is None else Start(at, at + timedelta(days=days))


def plan(fact: SurveyInput, programme: Programme, *, now: datetime) -> Planned | Skipped:
    """The survey of an order as its facts stand: the same whatever order they came in."""
    channel = channel_or_reason(fact, programme, now=now)
    if isinstance(channel, SkipReason):
        return Skipped(channel)
    start = starts(fact, programme.survey)
    if start is None:
        return Planned(channel, None, None)
    if is_too_late(start, programme.survey, now=now):
        return Skipped(SkipReason.too_late)
    due_at = _daytime(start.due_at, fact, programme.survey)
    return Planned(
        channel, start.triggered_at, due_at, Deferral.quiet_hours if due_at != start.due_at else None
    )


def recheck(
    fact: SurveyInput,
    programme: Programme,
    *,
    now: datetime,
    last_sent_at: datetime | None,
    next_day: datetime,
    is_day_full: bool,
) -> Send | Deferred | Skipped:
    """What becomes of a survey that is due at `now`.

    `last_sent_at` is the customer's latest survey, `next_day` the brand's next midnight, `is_day_full` whether `max_per_day`
    are out already.
    """
    survey = programme.survey
    channel = channel_or_reason(fact, programme, now=now)
    if isinstance(channel, SkipReason):
        return Skipped(channel)
    start = starts(fact, survey)
    if start is not None and is_too_late(start, survey, now=now):
        return Skipped(SkipReason.too_late)
    free_at = None if last_sent_at is None else last_sent_at + timedelta(days=survey.recontact_days)
    if free_at is not None and survey.recontact_days > 0 and free_at > now:
        triggered_at = fact.paid_at if start is None else start.triggered_at
        if free_at > triggered_at + timedelta(days=survey.expires_days):
            return Skipped(SkipReason.recontact)
        return Deferred(_daytime(free_at, fact, survey), Deferral.recontact)
    awake_at = _daytime(now, fact, survey)
    if awake_at > now:
        return Deferred(awake_at, Deferral.quiet_hours)
    return Deferred(_daytime(next_day, fact, survey), Deferral.max_per_day) if is_day_full else Send(channel)


def recheck_reminder(
    fact: SurveyInput,
    programme: Programme,
    *,
    channel: Channel,
    reminders_sent: int,
    expires_at: datetime,
    now: datetime,
) -> Send | Deferred | None:
    """What becomes of a reminder that is due at `now`; None for no reminder any more."""
    unasked = (
        is_off(fact, programme, now=now) is not None
        or fact.contact is None
        or channel not in fact.contact.addresses
    )
    if unasked or reminders_sent >= programme.survey.max_reminders:
        return None
    awake_at = _daytime(now, fact, programme.survey)
    if awake_at >= expires_at:
        return None
    return Deferred(awake_at, Deferral.quiet_hours) if awake_at > now else Send(channel)


def channel_or_reason(fact: SurveyInput, programme: Programme, *, now: datetime) -> Channel | SkipReason:
    """The first channel that can reach the customer, or why nobody is asked."""
    if is_excluded(fact, programme.survey.exclude):
        return SkipReason.excluded
    off = is_off(fact, programme, now=now)
    if off is not None:
        return off
    if fact.share * 100 >= programme.survey.sample_percent:
        return SkipReason.sampled_out
    if fact.contact is None:
        return SkipReason.no_address
    for channel in programme.survey.channels:
        if channel in fact.contact.addresses:
            return channel
    refusals = {
        fact.contact.refusals.get(channel, NoContactReason.no_address)
        for channel in programme.survey.channels
    }
    # What a person said weighs more than what we do not know of them.
    strongest = next(
        word
        for word in (NoContactReason.unsubscribed, NoContactReason.no_consent, NoContactReason.no_address)
        if word in refusals
    )
    return SkipReason(strongest.value)


def is_excluded(fact: SurveyInput, exclude: Exclude) -> bool:
    """Test orders, imported history, and what the programme leaves out by source, tag or total."""
    if fact.test or fact.history:
        return True
    if fact.source is not None and fact.source.casefold() in {
        source.casefold() for source in exclude.sources
    }:
        return True
    if {tag.casefold() for tag in fact.tags} & {tag.casefold() for tag in exclude.tags}:
        return True
    return exclude.below_total is not None and fact.total < exclude.below_total


def is_off(fact: SurveyInput, programme: Programme, *, now: datetime) -> SkipReason | None:
    """Why this order is not to be asked about now, whoever bought it."""
    if fact.cancelled:
        return SkipReason.cancelled
    if fact.refunded:
        return SkipReason.refunded
    return None if programme.surveys_enabled and programme.runs_at(now) else SkipReason.surveys_disabled


def _daytime(at: datetime, fact: SurveyInput, survey: SurveyTerms) -> datetime:
    return next_daytime(at, fact.zone, survey.quiet_hours, fact.country_quiet_hours)


def is_too_late(start: Start, survey: SurveyTerms, *, now: datetime) -> bool:
    """Whether it fell due more than `expires_days` ago."""
    return start.due_at + timedelta(days=survey.expires_days) < now
