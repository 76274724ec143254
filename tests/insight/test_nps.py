import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.insight.nps import Counts, change, interval, nps, wilson


@pytest.mark.parametrize(
    ("counts", "score", "low", "high"),
    [
        (Counts(32, 13, 6), 50.9804, 29.2949, 67.0014),
        (Counts(50, 30, 20), 30.0, 14.0511, 44.2013),
        (Counts(58, 27, 15), 43.0, 27.4382, 56.0570),
        (Counts(775, 300, 175), 48.0, 43.8538, 51.9164),
        (Counts(10, 0, 0), 100.0, 47.5036, 100.0),
    ],
)
def test_score_and_interval_match_the_published_vectors(counts, score, low, high):
    found = interval(counts)
    assert found is not None
    assert nps(counts) == pytest.approx(score, abs=5e-5)
    assert (found.low, found.high) == (pytest.approx(low, abs=5e-5), pytest.approx(high, abs=5e-5))


def test_thirteen_points_are_noise_at_a_hundred_responses():
    moved = change(Counts(50, 30, 20), Counts(58, 27, 15))
    assert moved is not None
    assert (moved.points, moved.z, moved.p) == (
        pytest.approx(13),
        pytest.approx(1.1902, abs=5e-5),
        pytest.approx(0.2340, abs=5e-5),
    )
    assert moved.is_noise


def test_response_rate_has_the_wilson_interval():
    found = wilson(51, 400)
    assert found is not None
    assert (found.low, found.high) == (pytest.approx(0.09832, abs=5e-6), pytest.approx(0.16377, abs=5e-6))


def test_no_response_gives_no_score():
    assert nps(Counts()) is None
    assert interval(Counts()) is None
    assert change(Counts(), Counts(1, 0, 0)) is None
    assert wilson(0, 0) is None


@given(st.integers(0, 10**6), st.integers(0, 10**6), st.integers(0, 10**6))
def test_an_interval_is_ordered_and_within_a_hundred(promoters, passives, detractors):
    counts = Counts(promoters, passives, detractors)
    found = interval(counts)
    if found is not None:
        assert -100 <= found.low < found.high <= 100


@given(st.integers(1, 10**6), st.floats(0, 1))
def test_a_rate_lies_in_its_interval(whole, share):
    part = round(whole * share)
    found = wilson(part, whole)
    assert found is not None
    assert found.low - 1e-9 <= part / whole <= found.high + 1e-9
