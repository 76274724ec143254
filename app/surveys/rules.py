"""The states of surveys, the reasons why one is skipped or deferred, and the bands of scores."""

from enum import StrEnum


class SurveyCause(StrEnum):
    """What a survey is about; with the cause's id it is unique."""

    order = "order"
    occasion = "occasion"
    """Something else that a customer had with the brand: a stay, a support case, a renewal."""


class SurveyStatus(StrEnum):
    """Where a survey stands."""

    planned = "planned"
    queued = "queued"
    """Its message is queued; no provider is known to have accepted it."""
    sent = "sent"
    """A provider has accepted its message."""
    answered = "answered"
    expired = "expired"
    skipped = "skipped"


OPEN = (SurveyStatus.queued, SurveyStatus.sent)
"""Waiting for a response. A message may arrive before it is recorded as sent, so both count."""
ANSWERABLE = (*OPEN, SurveyStatus.answered)
"""Taking a response, or a change of it."""


class SkipReason(StrEnum):
    """Why a survey is not sent; shown to people."""

    no_consent = "no_consent"
    no_address = "no_address"
    recontact = "recontact"
    refunded = "refunded"
    cancelled = "cancelled"
    sampled_out = "sampled_out"
    unsubscribed = "unsubscribed"
    excluded = "excluded"
    surveys_disabled = "surveys_disabled"
    too_late = "too_late"


class Deferral(StrEnum):
    """Why a survey is due later than its trigger alone would say."""

    quiet_hours = "quiet_hours"
    recontact = "recontact"
    max_per_day = "max_per_day"


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


OF_THE_ORDER = frozenset({SkipReason.cancelled, SkipReason.refunded, SkipReason.excluded})
"""Skips for what is known of the order itself. They outweigh all others, so that a skip reason does
not depend on which of its facts came first. A changed order may undo them, under the terms they
were decided by."""
RECONSIDERED = frozenset({SkipReason.no_consent, SkipReason.no_address, SkipReason.too_late})
"""Skips that a later fact may undo: an address, a consent, or the delivery that restarts the clock.

All others are final, so that a survey which was decided against does not come back when terms or
switches change.
"""
