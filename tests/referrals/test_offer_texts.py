"""What a code offers, in words: amounts, terms, the last day and the disclosure."""

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from app.brands.models import Brand
from app.brands.programme import DiscountKind, OfferTerms, RewardKind, RewardTerms
from app.brands.terms import Terms
from app.referrals.models import Code
from app.referrals.offer_texts import disclosure_text, offer_texts, reader_of

BERLIN = Brand(id=1, slug="acme", name="Acme", time_zone="Europe/Berlin", locale="en")


def code(**values: object) -> Code:
    plain = {
        "discount_kind": DiscountKind.amount,
        "discount_value": Decimal("10.00"),
        "currency": "USD",
        "minimum_subtotal": Decimal(50),
        "expires_at": datetime(2026, 12, 31, 23, 0, tzinfo=UTC),
    }
    return Code(**(plain | values))


def terms(kind: RewardKind = RewardKind.code, **offer: object) -> Terms:
    return Terms(offer=OfferTerms(**offer), reward=RewardTerms(kind=kind, value=Decimal(10)))


def test_amounts_and_terms_are_written_for_the_reader():
    found = offer_texts(code(), terms(), reader_of(BERLIN, "en-US"))
    assert (found.discount, found.reward, found.minimum) == ("$10", "$10", "$50")
    percent = code(discount_kind=DiscountKind.percent, discount_value=Decimal("12.5"), minimum_subtotal=None)
    found = offer_texts(percent, terms(), reader_of(BERLIN))
    assert (found.discount, found.minimum) == ("12.5%", None)


def test_the_last_day_is_of_the_brands_calendar_whoever_reads_it():
    for locale in ("en-US", "ja-JP", None):
        found = offer_texts(code(), terms(), reader_of(BERLIN, locale))
        assert found.last_day == date(2026, 12, 31)
    assert found.ends_on == "31\u00a0December 2026"


def test_what_is_promised_until_a_day_holds_in_its_evening():
    afternoon = datetime(2026, 12, 31, 14, 30, tzinfo=UTC)
    assert offer_texts(code(expires_at=afternoon), terms(), reader_of(BERLIN)).last_day == date(2026, 12, 30)
    assert reader_of(BERLIN).end_day(afternoon) == date(2026, 12, 31)


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (RewardKind.code, "you get a code worth $10 for an order of your own."),
        (RewardKind.credit, "$10 is credited to you."),
        (RewardKind.none, ""),
    ],
)
def test_a_reward_is_promised_as_what_it_is(kind: RewardKind, words: str):
    found = offer_texts(code(), terms(kind), reader_of(BERLIN))
    assert found.reward_rule.endswith(words)
    assert "yours" not in found.reward_rule
    assert (found.reward is None) is (kind is RewardKind.none)


@pytest.mark.parametrize(
    ("country", "locale", "label"),
    [
        ("DE", "en-US", True),
        ("GB", None, True),
        ("US", "fr-FR", False),
        (None, "en-GB", True),
        (None, "en", False),
        (None, "en-AU", False),
    ],
)
def test_a_recommendation_is_called_an_ad_where_the_country_wants_it(
    country: str | None, locale: str | None, label: bool
):
    found = disclosure_text("$10", country, reader_of(BERLIN, locale))
    assert found == ("Ad: " if label else "") + "I get $10 if you order."
    assert disclosure_text(None, country, reader_of(BERLIN, locale)) == ""


def test_without_a_country_the_one_where_most_speak_the_language_decides():
    assert disclosure_text("10 €", None, reader_of(BERLIN, "de")).startswith("Werbung: ")
