"""A person as a shop describes them, before anything is compared or normalised. Pure."""

from dataclasses import dataclass
from datetime import datetime

from app.base.frozen import quick
from app.base.replace import replaced


@quick
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


@quick
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
    """ISO 3166 code of the person's own country."""
    shipping_country: str | None = None
    """Where a parcel went: a hint where nothing is known of the person's own country."""
    phone_country: str | None = None
    """The country in which a national phone number is read; None: `country`."""
    at: datetime | None = None
    """When all this was stated; None: at the time of the order or delivery."""
    email_consent: ConsentStatement = ConsentStatement()
    sms_consent: ConsentStatement = ConsentStatement()


def stated_at(person: Person, at: datetime, *, received_at: datetime) -> Person:
    """The person with the time of the statement: `at`, the time of the order or event.

    Consents without a time of their own get it too, so a repeated, late or replayed delivery cannot
    undo a later statement. No statement is later than its receipt: a wrong clock cannot make one
    that nothing later replaces.
    """
    at = min(person.at or at, received_at)
    dated = {
        name: replaced(consent, at=min(consent.at or at, received_at))
        for name in ("email_consent", "sms_consent")
        if (consent := getattr(person, name)).given is not None
    }
    return replaced(person, at=at, **dated)
