"""Rules about who may do what."""

from datetime import timedelta
from uuid import UUID

import pytest

from app.admin.devices import device_of
from app.admin.rules import (
    CONFIRMED_FOR,
    SESSION_IDLE,
    LinkState,
    Role,
    SessionTimes,
    ends_keys,
    is_confirmed,
    is_live,
    is_own_form,
    link_state,
    may_grant_role,
    may_have_shops,
    may_see_shop,
    needs_second_factor,
)
from tests.support.constants import NOW

SHOP, OTHER = UUID(int=1), UUID(int=2)
MINUTE = timedelta(minutes=1)

OWN = ["https://nps.example.com", "http://127.0.0.1:8000"]


@pytest.mark.parametrize(
    ("site", "origin", "loose", "strict"),
    [
        (None, None, True, True),
        ("same-origin", "https://nps.example.com", True, True),
        ("same-origin", "https://NPS.example.com:443", True, True),
        ("same-origin", "null", True, True),
        ("none", None, True, True),
        (None, "null", True, False),
        (None, "http://127.0.0.1:8000", True, True),
        ("same-origin", "https://evil.example", False, False),
        (None, "https://nps.example.com.evil.example", False, False),
        (None, "https://nps.example.com@evil.example", False, False),
        (None, "http://nps.example.com", False, False),
        (None, "https://nps.example.com:8443", False, False),
        (None, "nps.example.com", False, False),
        (None, "https://[", False, False),
        (None, "", False, False),
        ("same-site", "null", False, False),
        ("cross-site", "null", False, False),
        ("cross-site", None, False, False),
        ("", None, False, False),
    ],
)
def test_a_form_is_taken_from_our_own_origins_alone(site, origin, loose, strict):
    assert is_own_form(site, origin, OWN, strict=False) is loose
    assert is_own_form(site, origin, OWN, strict=True) is strict


def test_a_session_lives_while_it_is_used_and_not_too_old():
    times = SessionTimes(last_seen_at=NOW, confirmed_at=NOW, expires_at=NOW + 2 * SESSION_IDLE)
    assert is_live(times, now=NOW + SESSION_IDLE - MINUTE)
    assert not is_live(times, now=NOW + SESSION_IDLE)
    old = SessionTimes(last_seen_at=NOW, confirmed_at=NOW, expires_at=NOW)
    assert not is_live(old, now=NOW)
    assert is_confirmed(times, now=NOW + CONFIRMED_FOR - MINUTE)
    assert not is_confirmed(times, now=NOW + CONFIRMED_FOR)


def test_a_used_link_stays_used_after_it_would_have_expired():
    assert link_state(None, NOW + MINUTE, now=NOW) is LinkState.usable
    assert link_state(None, NOW, now=NOW) is LinkState.expired
    assert link_state(NOW - MINUTE, NOW - MINUTE, now=NOW) is LinkState.used


def test_an_administrator_has_every_shop_and_others_at_least_one():
    assert [may_have_shops(role, None) for role in Role] == [True] * 4
    assert [may_have_shops(role, [SHOP]) for role in Role] == [True, True, True, False]
    assert not may_have_shops(Role.viewer, [])
    assert may_see_shop(None, SHOP)
    assert (may_see_shop({SHOP}, SHOP), may_see_shop({SHOP}, OTHER)) == (True, False)


def test_what_a_role_brings_and_takes():
    assert [needs_second_factor(role, production=True) for role in Role] == [False, False, False, True]
    assert not any(needs_second_factor(role, production=False) for role in Role)
    assert [may_grant_role(role, sees_people=False) for role in Role] == [True, False, False, False]
    assert all(may_grant_role(role, sees_people=True) for role in Role)
    assert ends_keys(Role.admin, Role.marketer)
    assert ends_keys(Role.admin, None)
    assert not ends_keys(Role.admin, Role.admin)
    assert not ends_keys(Role.viewer, Role.support)


@pytest.mark.parametrize(
    ("user_agent", "words"),
    [
        (
            "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:145.0) Gecko/20100101 Firefox/145.0",
            "Firefox, Windows",
        ),
        (
            "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 Version/18.0 Safari/605.1.15",
            "Safari, macOS",
        ),
        (
            "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 CriOS/130 Mobile Safari/604.1",
            "Chrome, iPhone",
        ),
        (
            "Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 Chrome/130.0 Safari/537.36 Edg/130.0",
            "Edge, Windows",
        ),
        (
            "Mozilla/5.0 (Linux; Android 15) AppleWebKit/537.36 Chrome/130.0 Mobile Safari/537.36",
            "Chrome, Android",
        ),
        ("<script>", "?"),
        ("", "?"),
    ],
)
def test_a_browser_is_named_in_words_and_never_by_its_own(user_agent, words):
    assert device_of(user_agent) == words
