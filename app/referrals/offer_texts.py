"""What a code offers, as its reader reads it: the same words and the same last day everywhere."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import assert_never
from zoneinfo import ZoneInfo

from app.base.i18n import (
    N_,
    day_in_text,
    likely_territory,
    parse_locale,
    short_date,
    shown_amount,
    shown_decimal,
    shown_percent,
    translate,
)
from app.brands.models import Brand
from app.brands.programme import DiscountKind, RewardKind
from app.brands.rules import zone_or
from app.brands.terms import Terms
from app.referrals.amount_rules import reward_value
from app.referrals.shown import AnyCode

_AD_LABEL_COUNTRIES = frozenset(
    ["AT", "BE", "CH", "DE", "DK", "ES", "FI", "FR", "GB", "IE", "IT", "NL", "NO", "PL", "SE"]
)
"""Countries whose authorities want paid recommendations to begin with a word like "Ad".

Among them: Germany, section 5a(4) UWG (Werbung, Anzeige); the United Kingdom, the CAP Code and the
ASA's guidance (Ad); France, law 2023-451 (Publicité); Poland, UOKiK's recommendations of 2022
(Reklama); the Netherlands, the Reclamecode Social Media; Norway, section 3 of the marketing act.
"""


@dataclass(frozen=True, slots=True)
class Reader:
    """Who reads a text about a code."""

    language: str
    """One of `app.base.i18n.languages()` or `variants()`."""
    locales: tuple[str | None, ...]
    """Their region for amounts and dates, the person's first."""
    zone: ZoneInfo
    """Of days: the brand's, so that one code ends on one day, whoever reads it."""

    def amount(self, minor: int, currency: str) -> str:
        """An amount in minor units: `$10`."""
        return shown_amount(minor, currency, self.language, *self.locales)

    def day(self, day: date) -> str:
        """`31 December 2026`, on pages and in messages."""
        return day_in_text(day, self.language, *self.locales)

    def short_day(self, day: date) -> str:
        """`18 Dec`."""
        return short_date(day, self.language, *self.locales)

    def last_day(self, expires_at: datetime) -> date:
        """The last whole day on which something can be used that expires then.

        What is promised until a day holds in its evening too.
        """
        return expires_at.astimezone(self.zone).date() - timedelta(days=1)

    def end_day(self, expires_at: datetime) -> date:
        """The day on which something ends that expires then; at midnight it is the day before."""
        return (expires_at.astimezone(self.zone) - timedelta(microseconds=1)).date()


def reader_of(brand: Brand, locale: str | None = None) -> Reader:
    """The reader with this locale of a brand's page or message."""
    return Reader(brand.language_for(locale), (locale, brand.locale), zone_or(brand.time_zone, "UTC"))


@dataclass(frozen=True, slots=True)
class OfferTexts:
    """What friend and referrer get by a code, and under which terms."""

    discount: str
    """`10%` or `$10`."""
    reward: str | None
    """What the referrer gets for a friend's order; None for thanks alone."""
    reward_rule: str
    """When and as what the referrer gets it, in a sentence; empty for thanks alone."""
    minimum: str | None
    """The least subtotal of a friend's order."""
    new_customers_only: bool
    last_day: date
    ends_on: str
    """The last day in words."""

    def terms(self) -> dict[str, object]:
        """The values of `templates/web/_terms.html`."""
        return {
            "minimum": self.minimum,
            "new_customers_only": self.new_customers_only,
            "ends_on": self.ends_on,
        }


def offer_texts(code: AnyCode, terms: Terms, reader: Reader) -> OfferTexts:
    """The texts of one code under its terms."""
    minimum = code.minimum_subtotal
    reward = reward_text(terms, code.currency, reader)
    last_day = reader.last_day(code.expires_at)
    return OfferTexts(
        discount=_discount_text(code.discount_kind, code.discount_value, code.currency, reader),
        reward=reward,
        reward_rule=_reward_rule(terms.reward.kind, reward, reader.language) if reward else "",
        minimum=None
        if minimum is None
        else shown_decimal(minimum, code.currency, reader.language, *reader.locales),
        new_customers_only=terms.offer.new_customers_only,
        last_day=last_day,
        ends_on=reader.day(last_day),
    )


def _discount_text(kind: DiscountKind, value: Decimal, currency: str, reader: Reader) -> str:
    if kind is DiscountKind.percent:
        return shown_percent(value, reader.language, *reader.locales)
    return shown_decimal(value, currency, reader.language, *reader.locales)


def reward_text(terms: Terms, currency: str, reader: Reader) -> str | None:
    """`$10`, or None where a referrer gets thanks alone."""
    value = reward_value(terms.reward, currency)
    return reader.amount(value, currency) if value else None


def _reward_rule(kind: RewardKind, reward: str, language: str) -> str:
    match kind:
        case RewardKind.code:
            text = N_(
                "Once a friend’s order can no longer be returned, you get a code worth %(reward)s for an order of your own."
            )
        case RewardKind.credit:
            text = N_("Once a friend’s order can no longer be returned, %(reward)s is credited to you.")
        case RewardKind.none:
            return ""
        case _:
            assert_never(kind)
    return translate(language, text, reward=reward)


def disclosure_text(reward: str | None, country: str | None, reader: Reader) -> str:
    """The sentence that informs a friend that the referrer gets a reward; empty without one.

    It begins with "Ad" where the referrer's country wants that; `country` is theirs, else that of
    their locale or the brand's counts, else the one where most speak the language.
    """
    if reward is None:
        return ""
    if (country or _territory(reader)) in _AD_LABEL_COUNTRIES:
        return translate(reader.language, "Ad: I get %(reward)s if you order.", reward=reward)
    return translate(reader.language, "I get %(reward)s if you order.", reward=reward)


def _territory(reader: Reader) -> str | None:
    found = (parse_locale(locale) for locale in reader.locales)
    named = next((locale.territory for locale in found if locale is not None and locale.territory), None)
    return named or likely_territory(reader.language)
