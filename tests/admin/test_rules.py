"""Rules about who may do what."""

import pytest

from app.admin.rules import is_own_form

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
