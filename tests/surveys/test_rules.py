from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from itertools import pairwise
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest

from app.brands.programme import Channel, Programme, QuietHours, SurveyTerms
from app.brands.rules import next_daytime
from app.customers.rules import ContactOptions, NoContactReason
from app.surveys.form import MAX_COMMENT, read_form, read_score
from app.surveys.rules import Band, Deferral, SkipReason, band_of
from app.surveys.schedule_rules import (
    Deferred,
    Planned,
    Send,
    Skipped,
    SurveyInput,
    plan,
    recheck,
    recheck_reminder,
)

NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)
BERLIN = ZoneInfo("Europe/Berlin")
ROW = UUID(int=1)


def contact(*channels: Channel, **refusals: NoContactReason) -> ContactOptions:
    return ContactOptions(
        ROW, dict.fromkeys(channels, "x"), {Channel(name): why for name, why in refusals.items()}
    )


FACT = SurveyInput(ROW, happened_at=NOON, contact=contact(Channel.email), zone=BERLIN, total=Decimal(80))


def terms(**survey) -> Programme:
    return Programme.model_validate({"survey": {"quiet_hours": None} | survey})


def daytime(at: datetime, fact: SurveyInput, survey: SurveyTerms) -> datetime:
    return next_daytime(at, fact.zone, survey.quiet_hours, fact.country_quiet_hours)


def planned(fact: SurveyInput, programme: Programme, now: datetime = NOON) -> Planned:
    made = plan(fact, programme, now=now)
    assert isinstance(made, Planned)
    return made


def test_bands():
    assert [band_of(score) for score in (0, 6, 7, 8, 9, 10)] == [
        Band.detractor,
        Band.detractor,
        Band.passive,
        Band.passive,
        Band.promoter,
        Band.promoter,
    ]


DAY = timedelta(days=1)
SHIPPED, ARRIVED = NOON + 2 * DAY, NOON + 4 * DAY


@pytest.mark.parametrize(
    ("trigger", "facts", "fallback", "due_after"),
    [
        ("delivered", {"delivered_at": ARRIVED, "fulfilled_at": SHIPPED}, {}, 7 * DAY),
        ("delivered", {"fulfilled_at": SHIPPED}, {}, 9 * DAY),
        ("delivered", {}, {}, 14 * DAY),
        ("delivered", {"fulfilled_at": SHIPPED}, {"fulfilled": 0}, 2 * DAY),
        ("delivered", {"fulfilled_at": SHIPPED}, {"fulfilled": None}, None),
        ("delivered", {}, {"paid": None}, None),
        ("delivered", {"fulfilled_at": SHIPPED}, {"paid": None}, 9 * DAY),
        ("fulfilled", {"fulfilled_at": SHIPPED, "delivered_at": ARRIVED}, {}, 5 * DAY),
        ("fulfilled", {"delivered_at": ARRIVED}, {}, 7 * DAY),
        ("fulfilled", {}, {}, 14 * DAY),
        ("paid", {"fulfilled_at": SHIPPED, "delivered_at": ARRIVED}, {}, 3 * DAY),
    ],
)
def test_a_survey_is_due_after_its_trigger_or_the_next_best_fact(trigger, facts, fallback, due_after):
    programme = terms(trigger=trigger, fallback_days=fallback)
    due_at = planned(replace(FACT, **facts), programme).due_at
    assert due_at == (None if due_after is None else NOON + due_after)


@pytest.mark.parametrize(
    ("change", "survey", "reason"),
    [
        ({"test": True}, {}, SkipReason.excluded),
        ({"history": True}, {}, SkipReason.excluded),
        ({"relayed": True, "contact": None}, {}, SkipReason.excluded),
        ({"source": "POS"}, {"exclude": {"sources": ["pos"]}}, SkipReason.excluded),
        ({"tags": ["VIP", "wholesale"]}, {"exclude": {"tags": ["Wholesale"]}}, SkipReason.excluded),
        ({"total": Decimal("19.99")}, {"exclude": {"below_total": "20"}}, SkipReason.excluded),
        ({"cancelled": True}, {}, SkipReason.cancelled),
        ({"refunded": True}, {}, SkipReason.refunded),
        ({"share": 0.4}, {"sample_percent": 40}, SkipReason.sampled_out),
        ({"share": 0.0}, {"sample_percent": 0}, SkipReason.sampled_out),
        ({"contact": None}, {}, SkipReason.no_address),
        ({"contact": contact(email=NoContactReason.no_address)}, {}, SkipReason.no_address),
        (
            {"contact": contact(email=NoContactReason.no_consent, sms=NoContactReason.no_address)},
            {"channels": ["sms", "email"]},
            SkipReason.no_consent,
        ),
        (
            {"contact": contact(email=NoContactReason.unsubscribed, sms=NoContactReason.no_consent)},
            {"channels": ["email", "sms"]},
            SkipReason.unsubscribed,
        ),
        ({"happened_at": NOON - timedelta(days=44, seconds=1)}, {}, SkipReason.too_late),
    ],
)
def test_why_an_order_is_not_surveyed(change, survey, reason):
    assert plan(replace(FACT, **change), terms(**survey), now=NOON) == Skipped(reason)


@pytest.mark.parametrize(
    ("change", "survey"),
    [
        ({"source": None}, {"exclude": {"sources": ["pos"]}}),
        ({"total": Decimal("20.00")}, {"exclude": {"below_total": "20"}}),
        ({"share": 0.3999}, {"sample_percent": 40}),
        ({"share": 0.99999}, {"sample_percent": 100}),
        ({"relayed": True}, {"exclude": {"relays": False}}),
        ({"happened_at": NOON - timedelta(days=44)}, {}),
    ],
)
def test_what_lies_just_inside_is_surveyed(change, survey):
    assert planned(replace(FACT, **change), terms(**survey)).due_at is not None


@pytest.mark.parametrize(
    "programme",
    [
        {"surveys_enabled": False},
        {"starts_at": "2026-03-10T12:00:01Z"},
        {"ends_at": "2026-03-10T12:00:00Z"},
    ],
)
def test_no_survey_outside_the_programmes_dates(programme):
    assert plan(FACT, Programme.model_validate(programme), now=NOON) == Skipped(SkipReason.surveys_disabled)


def test_the_first_usable_channel_is_used():
    programme = terms(channels=["sms", "email"])
    assert (
        planned(replace(FACT, contact=contact(Channel.email, Channel.sms)), programme).channel is Channel.sms
    )
    assert (
        planned(
            replace(FACT, contact=contact(Channel.email, sms=NoContactReason.no_consent)), programme
        ).channel
        is Channel.email
    )


def wall(text: str, fold: int = 0) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=BERLIN, fold=fold).astimezone(UTC)


def hours(start: int, end: int, half: int = 0) -> QuietHours:
    return QuietHours(from_=time(start), to=time(end, half))


@pytest.mark.parametrize(
    ("at", "quiet", "expected"),
    [
        (wall("2026-03-10T19:59:59"), hours(20, 9), wall("2026-03-10T19:59:59")),
        (wall("2026-03-10T20:00"), hours(20, 9), wall("2026-03-11T09:00")),
        (wall("2026-03-11T00:00"), hours(20, 9), wall("2026-03-11T09:00")),
        (wall("2026-03-11T08:59:59"), hours(20, 9), wall("2026-03-11T09:00")),
        (wall("2026-03-11T09:00"), hours(20, 9), wall("2026-03-11T09:00")),
        (wall("2026-03-10T12:30"), hours(12, 14), wall("2026-03-10T14:00")),
        (wall("2026-03-10T11:59"), hours(12, 14), wall("2026-03-10T11:59")),
        # The night of 29 March is an hour short, that of 25 October an hour long; nine o'clock is
        # nine o'clock.
        (wall("2026-03-28T21:00"), hours(20, 9), datetime(2026, 3, 29, 7, tzinfo=UTC)),
        (wall("2026-10-24T21:00"), hours(20, 9), datetime(2026, 10, 25, 8, tzinfo=UTC)),
        # Half past two does not come on 29 March: the first moment that is later by the clock.
        (wall("2026-03-29T01:00"), hours(20, 2, 30), datetime(2026, 3, 29, 1, 30, tzinfo=UTC)),
        # It comes twice on 25 October; in the hour's second coming only the second one lies ahead.
        (wall("2026-10-25T02:10"), hours(20, 2, 30), datetime(2026, 10, 25, 0, 30, tzinfo=UTC)),
        (wall("2026-10-25T02:10", fold=1), hours(20, 2, 30), datetime(2026, 10, 25, 1, 30, tzinfo=UTC)),
    ],
)
def test_quiet_hours_end_by_the_customers_clock(at, quiet, expected):
    survey = Programme.model_validate({"survey": {"quiet_hours": quiet.model_dump(by_alias=True)}}).survey
    assert daytime(at, FACT, survey) == expected


def test_a_countrys_quiet_hours_only_narrow_the_day():
    survey = terms(quiet_hours={"from": "20:00", "to": "09:00"}).survey
    narrower = replace(FACT, country_quiet_hours=hours(18, 10))
    assert daytime(wall("2026-03-10T18:30"), narrower, survey) == wall("2026-03-11T10:00")
    wider = replace(FACT, country_quiet_hours=hours(22, 7))
    assert daytime(wall("2026-03-10T20:30"), wider, survey) == wall("2026-03-11T09:00")
    elsewhere = replace(FACT, country_quiet_hours=hours(9, 12))
    assert daytime(wall("2026-03-10T21:00"), elsewhere, survey) == wall("2026-03-11T12:00")
    assert daytime(wall("2026-03-10T18:30"), narrower, terms().survey) == wall("2026-03-11T10:00")


def test_quiet_hours_that_leave_nothing_of_the_day_still_end():
    survey = terms(quiet_hours={"from": "08:00", "to": "20:00"}).survey
    sleepless = replace(FACT, country_quiet_hours=hours(19, 9))
    assert daytime(wall("2026-03-10T12:00"), sleepless, survey) == wall("2026-03-10T12:00")


def test_a_plan_is_moved_into_daytime_and_marked():
    programme = Programme()
    night = replace(FACT, delivered_at=wall("2026-03-10T22:00"))
    made = planned(night, programme)
    assert (made.due_at, made.deferred) == (wall("2026-03-14T09:00"), Deferral.quiet_hours)
    assert planned(replace(FACT, delivered_at=wall("2026-03-10T12:00")), programme).deferred is None


def test_daytime_never_moves_backwards_over_a_year():
    moments = [wall("2026-01-01T00:00") + timedelta(minutes=47 * step) for step in range(11_000)]
    for before, after in pairwise(daytime(moment, FACT, Programme().survey) for moment in moments):
        assert before <= after


LATER = NOON + 20 * DAY
"""Six days after the survey of FACT fell due by its payment."""


def again(fact: SurveyInput = FACT, programme: Programme | None = None, *, now=LATER, last=None, full=False):
    next_day = (now + DAY).replace(hour=0)
    return recheck(
        fact, programme or terms(), now=now, last_queued_at=last, next_day=next_day, is_day_full=full
    )


def test_a_due_survey_is_looked_at_again_before_it_is_sent():
    assert again() == Send(Channel.email)
    assert again(replace(FACT, refunded=True)) == Skipped(SkipReason.refunded)
    assert again(now=NOON + 45 * DAY) == Skipped(SkipReason.too_late)
    assert again(full=True) == Deferred((LATER + DAY).replace(hour=0), Deferral.max_per_day)
    quiet = terms(quiet_hours={"from": "12:00", "to": "17:00"})
    assert again(programme=quiet) == Deferred(LATER.replace(hour=15), Deferral.quiet_hours)


def test_a_recently_surveyed_customer_is_deferred_or_skipped():
    # Paid on day 0, so the window may end on day 30 at the latest.
    assert again(last=LATER - 90 * DAY) == Send(Channel.email)
    assert again(last=NOON - 60 * DAY) == Deferred(NOON + 30 * DAY, Deferral.recontact)
    assert again(last=NOON - 60 * DAY + timedelta(seconds=1)) == Skipped(SkipReason.recontact)
    assert again(programme=terms(recontact_days=0), last=LATER) == Send(Channel.email)


def test_a_reminder_is_looked_at_again_too():
    def reminded(fact=FACT, programme=None, sent=0, now=LATER):
        return recheck_reminder(
            fact,
            programme or terms(),
            channel=Channel.email,
            reminders_sent=sent,
            expires_at=LATER + 30 * DAY,
            now=now,
        )

    assert reminded() == Send(Channel.email)
    assert reminded(sent=1) is None
    assert reminded(replace(FACT, cancelled=True)) is None
    assert reminded(replace(FACT, contact=contact(Channel.sms, email=NoContactReason.unsubscribed))) is None
    assert reminded(now=LATER + 30 * DAY) is None
    quiet = terms(quiet_hours={"from": "12:00", "to": "17:00"})
    assert reminded(programme=quiet) == Deferred(LATER.replace(hour=15), Deferral.quiet_hours)


@pytest.mark.parametrize("text", [None, "", "11", "-1", "9.0", "nine", "٩", "1e1", "0x9", "010", "9 9"])
def test_what_is_no_score_is_none(text):
    assert read_score(text) is None


def test_scores_are_read_as_written():
    assert [read_score(str(score)) for score in range(11)] == list(range(11))
    assert read_score(" 9 ") == 9


def test_a_comment_is_stored_as_clean_text():
    def comment(text: str) -> str | None:
        return read_form({"comment": text}).comment

    assert comment("  Nice\r\n\r\n\r\n\r\nshirt\x00\x07\u202e 👨‍👩‍👧 ") == "Nice\n\nshirt 👨‍👩‍👧"
    assert comment(" \x00\n ") is None
    assert len(comment("x" * 6000) or "") == MAX_COMMENT
