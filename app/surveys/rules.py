"""Pure decisions about surveys: when one is due, why one is skipped, which band a score is in."""

from enum import StrEnum


class SurveyStatus(StrEnum):
    """Every order has a survey row, in one of these."""

    planned = "planned"
    sent = "sent"
    answered = "answered"
    expired = "expired"
    skipped = "skipped"


class SkipReason(StrEnum):
    """Why an order is not surveyed; shown to people."""

    no_consent = "no_consent"
    no_address = "no_address"
    recontact = "recontact"
    refunded = "refunded"
    cancelled = "cancelled"
    sampled_out = "sampled_out"
    unsubscribed = "unsubscribed"
    excluded = "excluded"
    not_asking = "not_asking"
    too_late = "too_late"


class Band(StrEnum):
    """The three groups of the Net Promoter Score."""

    promoter = "promoter"
    passive = "passive"
    detractor = "detractor"


def band_of(score: int) -> Band:
    """9-10 promoter, 7-8 passive, 0-6 detractor."""
    if score >= 9:
        return Band.promoter
    return Band.passive if score >= 7 else Band.detractor
