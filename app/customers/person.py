"""A person as a shop describes them, before anything is compared or normalised. Pure."""

from dataclasses import dataclass, replace
from datetime import datetime


@dataclass(frozen=True, slots=True)
class ConsentStatement:
    """What a delivery states about the consent for one channel.

    `given` None is no statement: what is known stays. `at` None: at the time of the order or
    delivery.
    """

    given: bool | None = None
    opt_in_level: str | None = None
    source: str | None = None
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Person:
    """A customer as a shop describes them; every field may be absent."""

    external_id: str | None = None
    email: str | None = None
    phone: str | None = None
    first_name: str | None = None
    last_name: str | None = None
    locale: str | None = None
    time_zone: str | None = None
    country: str | None = None
    """ISO 3166 code of the person, else of the shipping address; a hint for phone number and
    zone."""
    email_consent: ConsentStatement = ConsentStatement()
    sms_consent: ConsentStatement = ConsentStatement()


def with_consent_times(person: Person, at: datetime) -> Person:
    """The person with `at`, the time of receipt, in every consent without a time of its own.

    So a delivery that is processed late, or once more, cannot undo a later consent.
    """
    dated = {
        name: replace(consent, at=at)
        for name in ("email_consent", "sms_consent")
        if (consent := getattr(person, name)).given is not None and consent.at is None
    }
    return replace(person, **dated) if dated else person
