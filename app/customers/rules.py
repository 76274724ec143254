"""Pure decisions about consent, suppression and how a customer may be contacted."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import assert_never
from uuid import UUID

from app.base.frozen import quick
from app.base.text import one_line_or_none
from app.brands.programme import Channel
from app.brands.rules import CountryRulesJson
from app.customers.person import ConsentStatement, Person


class SuppressionReason(StrEnum):
    """Why nothing is sent to an address any more; no order ever lifts a suppression."""

    unsubscribed = "unsubscribed"
    bounced = "bounced"
    complained = "complained"
    stopped = "stopped"
    """A STOP by text message, from the person or reported by the provider."""
    erased = "erased"


TRIAL_SOURCE = "tenfold try"
"""The source of the consent that an operator's trial order states."""
OWN_DECISIONS = frozenset({SuppressionReason.unsubscribed, SuppressionReason.stopped})
"""Suppressions that the person may take back; every other one stays."""


class NoContactReason(StrEnum):
    """Why nothing may be sent to a customer on a channel; also the reasons of skipped surveys."""

    no_address = "no_address"
    no_consent = "no_consent"
    unsubscribed = "unsubscribed"


class EmailBasis(StrEnum):
    """The legal basis for writing to customers of a country whose consent is unknown."""

    existing_customer = "existing_customer"
    consent = "consent"


CONSENT_COUNTRIES = frozenset({"DE"})
"""Where a survey by e-mail is advertising that needs consent, by default (BGH VI ZR 225/17)."""


@dataclass(frozen=True, slots=True)
class ContactOptions:
    """How a customer may be contacted: every channel is in `addresses` or in `refusals`.

    `without_consent` are the addresses that nothing but consent is missing for: they may be used to
    reply to the customer.
    """

    customer_id: UUID
    addresses: Mapping[Channel, str]
    refusals: Mapping[Channel, NoContactReason]
    first_name: str | None = None
    last_name: str | None = None
    locale: str | None = None
    time_zone: str | None = None
    country: str | None = None
    erased: bool = False
    without_consent: Mapping[Channel, str] = field(default_factory=dict)

    def reply_address(self, channel: Channel) -> str | None:
        """Where a reply to the customer may be sent; None where nothing may be."""
        return self.addresses.get(channel) or self.without_consent.get(channel)


def email_basis(countries: Mapping[str, CountryRulesJson], country: str | None) -> EmailBasis:
    """The brand's basis in a country, from `Brand.countries`; an unknown value counts as unset."""
    settings = countries.get(country or "") if countries else None
    basis = settings.get("email_basis") if isinstance(settings, dict) else None
    if basis is not None and basis in tuple(EmailBasis):
        return EmailBasis(basis)
    return EmailBasis.consent if country in CONSENT_COUNTRIES else EmailBasis.existing_customer


def consent_countries(countries: Mapping[str, CountryRulesJson]) -> frozenset[str]:
    """Where the brand writes with consent alone, by ISO 3166 code."""
    named = CONSENT_COUNTRIES.union(countries)
    return frozenset(each for each in named if email_basis(countries, each) is EmailBasis.consent)


def refusal(
    channel: Channel,
    address: str | None,
    suppressed: SuppressionReason | None,
    consent: bool | None,
    basis: EmailBasis,
) -> NoContactReason | None:
    """Why nothing may be sent to this address, or None where it may.

    A bounced address counts as none; every other suppression is the person's own decision.
    `consent` is the customer's latest for the channel. Where it is unknown, the basis decides for
    e-mail, and a text message needs consent.
    """
    if address is None or suppressed is SuppressionReason.bounced:
        return NoContactReason.no_address
    if suppressed is not None:
        return NoContactReason.unsubscribed
    if consent is not None:
        return None if consent else NoContactReason.no_consent
    match channel:
        case Channel.email:
            return None if basis is EmailBasis.existing_customer else NoContactReason.no_consent
        case Channel.sms:
            return NoContactReason.no_consent
        case _:
            assert_never(channel)


@quick
@dataclass(frozen=True, slots=True)
class StatedConsent:
    """A customer's consent or refusal for a channel, at a time."""

    customer_id: UUID
    channel: Channel
    given: bool
    opt_in_level: str | None
    source: str | None
    at: datetime


def stated_consents(people: Sequence[tuple[UUID | None, Person]], *, now: datetime) -> list[StatedConsent]:
    """What these people stated about each channel; a statement without a time is of `now`."""
    stated: list[StatedConsent] = []
    for customer_id, person in people:
        if customer_id is None:
            continue
        if person.email_consent.given is not None:
            stated.append(_stated(customer_id, Channel.email, person.email_consent, now))
        if person.sms_consent.given is not None:
            stated.append(_stated(customer_id, Channel.sms, person.sms_consent, now))
    return stated


def _stated(customer_id: UUID, channel: Channel, statement: ConsentStatement, now: datetime) -> StatedConsent:
    return StatedConsent(
        customer_id,
        channel,
        statement.given is True,
        one_line_or_none(statement.opt_in_level),
        one_line_or_none(statement.source),
        statement.at or now,
    )
