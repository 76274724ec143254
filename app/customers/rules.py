"""Pure words and decisions of consent, suppression and reach."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, assert_never
from uuid import UUID

from app.brands.programme import Channel


class SuppressionReason(StrEnum):
    """Why an address gets nothing any more; no order ever lifts one."""

    unsubscribed = "unsubscribed"
    bounced = "bounced"
    complained = "complained"
    stopped = "stopped"
    """A text said STOP, or the carrier says that it did."""
    erased = "erased"


class NoContactReason(StrEnum):
    """Why nothing may be sent to a customer on a channel; also the words a skipped survey carries."""

    no_address = "no_address"
    no_consent = "no_consent"
    unsubscribed = "unsubscribed"


class EmailBasis(StrEnum):
    """On what ground a brand writes to customers of a country who never said yes or no."""

    existing_customer = "existing_customer"
    consent = "consent"


CONSENT_COUNTRIES = frozenset({"DE"})
"""Where a survey by e-mail is advertising that needs consent unless the brand says otherwise (BGH VI ZR 225/17)."""


@dataclass(frozen=True, slots=True)
class ContactOptions:
    """How a customer may be reached now: every channel stands either in `addresses` or in `refusals`."""

    customer_id: UUID
    addresses: Mapping[Channel, str]
    refusals: Mapping[Channel, NoContactReason]
    first_name: str | None = None
    last_name: str | None = None
    locale: str | None = None
    time_zone: str | None = None
    country: str | None = None


def email_basis(countries: Mapping[str, Any], country: str | None) -> EmailBasis:
    """The brand's basis in a country, from `Brand.countries`; a word that is none counts as unset."""
    said = countries.get(country or "")
    word = said.get("email_basis") if isinstance(said, dict) else None
    if word in tuple(EmailBasis):
        return EmailBasis(word)
    return EmailBasis.consent if country in CONSENT_COUNTRIES else EmailBasis.existing_customer


def refusal(
    channel: Channel,
    address: str | None,
    suppressed: SuppressionReason | None,
    said: bool | None,
    basis: EmailBasis,
) -> NoContactReason | None:
    """Why nothing may go to this address, or None where it may.

    A bounced address is as good as none; every other suppression is the person's own wish. `said` is what the customer last said
    about the channel: no is never, yes is yes; where nothing is known the basis decides for e-mail, and a text needs a yes.
    """
    if address is None or suppressed is SuppressionReason.bounced:
        return NoContactReason.no_address
    if suppressed is not None:
        return NoContactReason.unsubscribed
    if said is not None:
        return None if said else NoContactReason.no_consent
    match channel:
        case Channel.email:
            return None if basis is EmailBasis.existing_customer else NoContactReason.no_consent
        case Channel.sms:
            return NoContactReason.no_consent
        case _:
            assert_never(channel)
