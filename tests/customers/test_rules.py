"""Edges of consent: who may be reached, and why not."""

from itertools import product

import pytest

from app.brands.programme import Channel
from app.customers.rules import EmailBasis, NoContactReason, SuppressionReason, email_basis, refusal

HAS = EmailBasis.existing_customer
WANTS = EmailBasis.consent


@pytest.mark.parametrize(
    ("channel", "address", "suppressed", "consent", "basis", "no"),
    [
        (Channel.email, "a@b.co", None, None, HAS, None),
        (Channel.email, "a@b.co", None, None, WANTS, NoContactReason.no_consent),
        (Channel.email, "a@b.co", None, True, WANTS, None),
        (Channel.email, "a@b.co", None, False, HAS, NoContactReason.no_consent),
        (Channel.email, None, None, True, HAS, NoContactReason.no_address),
        (Channel.email, "a@b.co", SuppressionReason.unsubscribed, True, HAS, NoContactReason.unsubscribed),
        (Channel.email, "a@b.co", SuppressionReason.complained, None, HAS, NoContactReason.unsubscribed),
        (Channel.email, "a@b.co", SuppressionReason.erased, True, HAS, NoContactReason.unsubscribed),
        (Channel.email, "a@b.co", SuppressionReason.bounced, True, HAS, NoContactReason.no_address),
        (Channel.sms, "+491701234567", None, None, HAS, NoContactReason.no_consent),
        (Channel.sms, "+491701234567", None, True, WANTS, None),
        (Channel.sms, "+491701234567", None, False, HAS, NoContactReason.no_consent),
        (Channel.sms, "+491701234567", SuppressionReason.stopped, True, HAS, NoContactReason.unsubscribed),
        (Channel.sms, None, None, True, HAS, NoContactReason.no_address),
    ],
)
def test_refusal_by_address_suppression_consent_and_basis(
    channel: Channel,
    address: str | None,
    suppressed: SuppressionReason | None,
    consent: bool | None,
    basis: EmailBasis,
    no: NoContactReason | None,
) -> None:
    assert refusal(channel, address, suppressed, consent, basis) is no


def test_refused_consent_always_refuses() -> None:
    for channel, suppressed, basis in product(Channel, [None, *SuppressionReason], EmailBasis):
        for consent in (True, False, None):
            if suppressed is not None or consent is False:
                assert refusal(channel, "x", suppressed, consent, basis) is not None


@pytest.mark.parametrize(
    ("countries", "country", "basis"),
    [
        ({}, "DE", WANTS),
        ({}, "FR", HAS),
        ({}, None, HAS),
        ({"DE": {"email_basis": "existing_customer"}}, "DE", HAS),
        ({"FR": {"email_basis": "consent"}}, "FR", WANTS),
        ({"DE": {"quiet_hours": None}}, "DE", WANTS),
        ({"DE": {"email_basis": "nonsense"}}, "DE", WANTS),
        ({"FR": "nonsense"}, "FR", HAS),
    ],
)
def test_basis_is_the_brands_setting_for_the_country(
    countries: dict[str, object], country: str | None, basis: EmailBasis
) -> None:
    assert email_basis(countries, country) is basis
