"""Pure decisions about one survey: whether it is sent, by which channel, and when."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from uuid import UUID
from zoneinfo import ZoneInfo

from app.base.frozen import quick
from app.brands.amount_rules import amount_in
from app.brands.programme import Channel, Exclude, Programme, QuietHours, SurveyTerms, Trigger
from app.brands.rules import next_daytime
from app.customers.rules import ContactOptions, NoContactReason
from app.surveys.rules import Deferral, SkipReason, SurveyCause

_UTC = ZoneInfo("UTC")


@quick
@dataclass(frozen=True, slots=True)
class SurveyInput:
    """All that a decision about one survey depends on, besides the programme and the time."""

    cause_id: UUID
    happened_at: datetime
    """When the order was paid, or the occasion took place."""
    cause_kind: SurveyCause = SurveyCause.order
    fulfilled_at: datetime | None = None
    delivered_at: datetime | None = None
    cancelled: bool = False
    refunded: bool = False
    """Completely; after a partial refund the survey is still sent."""
    total: Decimal | None = Decimal(0)
    """In major units of `currency`; None without an order."""
    currency: str = ""
    """The order's; empty without one."""
    source: str | None = None
    tags: Sequence[str] = ()
    test: bool = False
    history: bool = False
    trial: bool = False
    """Sent at once: no delay, quiet hours, sample, limit or earlier survey defers it."""
    relayed: bool = False
    """The buyer's address is a marketplace's relay or a no-reply address."""
    share: float = 0.0
    """The cause's place in [0, 1) for the sample; any where everybody is asked."""
    contact: ContactOptions | None = None
    """None without a customer."""
    zone: ZoneInfo = _UTC
    """The customer's, else the shop's."""
    country_quiet_hours: QuietHours | None = None
    """The brand's quiet hours in the customer's country, besides the programme's own."""


@dataclass(frozen=True, slots=True)
class Planned:
    """To be sent at `due_at`; None until a fact starts the clock."""

    channel: Channel
    triggered_at: datetime | None
    due_at: datetime | None
    deferred: Deferral | None = None


@dataclass(frozen=True, slots=True)
class Skipped:
    """Not to be sent, for this reason."""

    reason: SkipReason


@dataclass(frozen=True, slots=True)
class Send:
    """To be sent now, by this channel."""

    channel: Channel


@dataclass(frozen=True, slots=True)
class Deferred:
    """To be decided again at `until`, which is later than the time of this decision."""

    until: datetime
    why: Deferral


@dataclass(frozen=True, slots=True)
class Start:
    """The fact that started the clock, and when the survey falls due by it alone."""

    triggered_at: datetime
    due_at: datetime


def starts(fact: SurveyInput, survey: SurveyTerms) -> Start | None:
    """The fact that starts the clock: the trigger or a later one, else the next best.

    None where the terms wait for the trigger without a fallback. For an occasion there is only its
    own time, and a trial is due when it is placed.
    """
    if fact.trial:
        return Start(fact.happened_at, fact.happened_at)
    if fact.cause_kind is not SurveyCause.order:
        return Start(fact.happened_at, fact.happened_at + timedelta(hours=survey.delay_hours))
    after_trigger = {
        Trigger.delivered: (fact.delivered_at,),
        # A shop may report the delivery alone; what is delivered was fulfilled before.
        Trigger.fulfilled: (fact.fulfilled_at, fact.delivered_at),
        Trigger.paid: (fact.happened_at,),
    }
    for at in after_trigger[survey.trigger]:
        if at is not None:
            return Start(at, at + timedelta(hours=survey.delay_hours))
    if survey.trigger is Trigger.delivered and fact.fulfilled_at is not None:
        at, days = fact.fulfilled_at, survey.fallback_days.fulfilled
    else:
        at, days = fact.happened_at, survey.fallback_days.paid
    return None if days is None else Start(at, at + timedelta(days=days))


def plan(fact: SurveyInput, programme: Programme, *, now: datetime) -> Planned | Skipped:
    """The survey as the facts are now; the same whatever order they came in."""
    channel = channel_or_reason(fact, programme, now=now)
    if isinstance(channel, SkipReason):
        return Skipped(channel)
    start = starts(fact, programme.survey)
    if start is None:
        return Planned(channel, None, None)
    if is_too_late(start, programme.survey, now=now):
        return Skipped(SkipReason.too_late)
    due_at = start.due_at if fact.trial else _daytime(start.due_at, fact, programme.survey)
    return Planned(
        channel, start.triggered_at, due_at, Deferral.quiet_hours if due_at != start.due_at else None
    )


def recheck(
    fact: SurveyInput,
    programme: Programme,
    *,
    now: datetime,
    last_queued_at: datetime | None,
    next_day: datetime,
    is_day_full: bool,
) -> Send | Deferred | Skipped:
    """Decide what to do with a survey that is due at `now`.

    `last_queued_at` is when the customer's latest survey was queued, `next_day` the brand's next
    midnight, `is_day_full` whether `max_per_day` were queued today.
    """
    survey = programme.survey
    channel = channel_or_reason(fact, programme, now=now)
    if isinstance(channel, SkipReason):
        return Skipped(channel)
    start = starts(fact, survey)
    if start is not None and is_too_late(start, survey, now=now):
        return Skipped(SkipReason.too_late)
    if fact.trial:
        return Send(channel)
    triggered_at = fact.happened_at if start is None else start.triggered_at
    since_last = _after_the_last(fact, survey, last_queued_at, triggered_at, now=now)
    if since_last is not None:
        return since_last
    awake_at = _daytime(now, fact, survey)
    if awake_at > now:
        return Deferred(awake_at, Deferral.quiet_hours)
    return Deferred(_daytime(next_day, fact, survey), Deferral.max_per_day) if is_day_full else Send(channel)


def _after_the_last(
    fact: SurveyInput,
    survey: SurveyTerms,
    last_queued_at: datetime | None,
    triggered_at: datetime,
    *,
    now: datetime,
) -> Deferred | Skipped | None:
    """Defer or skip a survey within `recontact_days` of the customer's latest; else None."""
    free_at = None if last_queued_at is None else last_queued_at + timedelta(days=survey.recontact_days)
    if free_at is None or survey.recontact_days == 0 or free_at <= now:
        return None
    if free_at > triggered_at + timedelta(days=survey.expires_days):
        return Skipped(SkipReason.recontact)
    return Deferred(_daytime(free_at, fact, survey), Deferral.recontact)


def recheck_reminder(
    fact: SurveyInput,
    programme: Programme,
    *,
    channel: Channel,
    reminders_sent: int,
    expires_at: datetime,
    now: datetime,
) -> Send | Deferred | None:
    """Decide what to do with a reminder that is due at `now`; None for no more reminders."""
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
    """The first channel that can reach the customer, or why the survey is skipped."""
    if is_excluded(fact, programme.survey.exclude):
        return SkipReason.excluded
    off = is_off(fact, programme, now=now)
    if off is not None:
        return off
    if fact.share * 100 >= programme.survey.sample_percent and not fact.trial:
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
    # A person's own decision weighs more than a missing address.
    strongest = next(
        word
        for word in (NoContactReason.unsubscribed, NoContactReason.no_consent, NoContactReason.no_address)
        if word in refusals
    )
    return SkipReason(strongest.value)


def is_excluded(fact: SurveyInput, exclude: Exclude) -> bool:
    """Test orders, imported history, and what the programme leaves out by source, tag or total."""
    if fact.test or fact.history or (fact.relayed and exclude.relays):
        return True
    if fact.source is not None and fact.source.casefold() in {
        source.casefold() for source in exclude.sources
    }:
        return True
    if {tag.casefold() for tag in fact.tags} & {tag.casefold() for tag in exclude.tags}:
        return True
    if exclude.below_total is None or fact.total is None:
        return False
    least = amount_in(exclude.below_total, fact.currency)
    return least is not None and fact.total < least


def is_off(fact: SurveyInput, programme: Programme, *, now: datetime) -> SkipReason | None:
    """Why nobody is to be surveyed about this now, whoever the customer is."""
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
