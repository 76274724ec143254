"""A person as a shop names them, and their addresses made comparable. Pure."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class ConsentSaid:
    """What a customer said about one channel. `given` None: nothing was said, what is known stays."""

    given: bool | None = None
    opt_in_level: str | None = None
    source: str | None = None
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Person:
    """A customer as a shop names them, unnormalised; everything may be absent."""

    external_id: str | None = None
    email: str | None = None
    phone: str | None = None
    first_name: str | None = None
    last_name: str | None = None
    locale: str | None = None
    time_zone: str | None = None
    country: str | None = None
    """ISO 3166 code: of the person, else of where the order is shipped; a hint for their phone number and zone."""
    email_consent: ConsentSaid = ConsentSaid()
    sms_consent: ConsentSaid = ConsentSaid()
