"""The outcome for a publication after a call."""

from datetime import timedelta
from decimal import Decimal
from uuid import UUID

import pytest

from app.base.errors import Fault, Outcome, OutsideError
from app.brands.programme import DiscountKind
from app.platforms.discounts import Live, NotSent, Pending, PublishResult, Refused, Taken, Unknown
from app.referrals.publishing.rules import (
    LONGEST_WAIT,
    REFUSED_WAIT,
    discount_title,
    next_state,
    pause_after,
    result_of_failure,
    wait_after,
    wait_after_failure,
)
from app.referrals.rules import PublicationState
from tests.support.constants import NOW

SECONDS = timedelta(seconds=1)


@pytest.mark.parametrize(
    ("result", "is_shown", "state", "waits"),
    [
        (Live("1"), False, PublicationState.live, None),
        (Pending("job", 3.0), False, PublicationState.sending, 3 * SECONDS),
        (Unknown("why"), False, PublicationState.sending, 10 * SECONDS),
        (NotSent("why"), True, PublicationState.wanted, 10 * SECONDS),
        (Refused("why"), False, PublicationState.failed, None),
        (Taken("why"), True, PublicationState.failed, None),
        (Taken("why"), False, PublicationState.failed, 0 * SECONDS),
    ],
)
def test_each_result_has_its_state_and_its_next_time(
    result: PublishResult, is_shown: bool, state: PublicationState, waits: timedelta | None
):
    found = next_state(result, attempt=2, is_shown=is_shown, now=NOW)
    assert found.state is state
    assert found.due_at == (None if waits is None else NOW + waits)
    assert (found.reason == "why") == (not isinstance(result, Live | Pending))
    assert found.job == ("job" if isinstance(result, Pending) else None)
    assert found.remote_id == ("1" if isinstance(result, Live) else None)


def test_waits_double_up_to_a_quarter_of_an_hour():
    assert [wait_after(each) / SECONDS for each in (0, 1, 2, 3)] == [5, 5, 10, 20]
    assert wait_after(10_000) == LONGEST_WAIT


def test_what_failed_waits_as_the_failure_says_and_what_was_refused_for_good_for_hours():
    down = OutsideError(Outcome.unknown, "down", retry_after=3.0)
    assert wait_after_failure(down, 2) == 10 * SECONDS
    busy = OutsideError(Outcome.refused, "busy", retry_after=30.0, fault=Fault.busy)
    assert wait_after_failure(busy, 2) == 30 * SECONDS
    refused = OutsideError(Outcome.refused, "no", permanent=True)
    assert [wait_after_failure(refused, each) for each in (1, 9)] == [REFUSED_WAIT, REFUSED_WAIT]


def test_a_busy_platform_is_left_alone_as_long_as_it_says_and_a_broken_one_ever_longer():
    busy = OutsideError(Outcome.refused, "busy", retry_after=7.0, fault=Fault.busy)
    assert pause_after(busy, 9) == 7 * SECONDS
    for seconds, wait in ((None, 2 * SECONDS), (10_000.0, LONGEST_WAIT)):
        busy = OutsideError(Outcome.refused, "busy", retry_after=seconds, fault=Fault.busy)
        assert pause_after(busy, 9) == wait
    later = OutsideError(Outcome.unknown, "down", retry_after=12.0, fault=Fault.outage)
    assert [pause_after(later, each) / SECONDS for each in (1, 2, 3)] == [12, 12, 20]
    down = OutsideError(Outcome.unknown, "down", fault=Fault.outage)
    assert [pause_after(down, each) / SECONDS for each in (1, 2, 3)] == [5, 10, 20]


@pytest.mark.parametrize(("outcome", "kind"), [(Outcome.unknown, Unknown), (Outcome.refused, NotSent)])
def test_only_an_unknown_outcome_leaves_a_code_perhaps_in_the_shop(outcome: Outcome, kind: type):
    assert isinstance(result_of_failure(OutsideError(outcome, "why")), kind)


def test_a_discount_is_named_for_the_people_who_run_the_shop():
    terms = UUID(hex="3f2a9c" + "0" * 26)
    assert discount_title(DiscountKind.percent, Decimal("10.00"), "EUR", terms) == (
        "Tenfold: 10% for friends (3f2a9c)"
    )
    assert discount_title(DiscountKind.percent, Decimal("12.50"), "EUR", terms).startswith("Tenfold: 12.5%")
    assert discount_title(DiscountKind.amount, Decimal(100), "EUR", terms).startswith("Tenfold: 100.00 EUR")
