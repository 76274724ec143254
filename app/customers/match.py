"""Decide which customer each person of a batch is. Pure.

The e-mail address is the identity. A person without one is recognised by the shop's id where
nothing contradicts it, else by the phone number. A shop's id that is used with another e-mail
address moves to that address's customer, since the address is what we write to and what a friend is
checked by. A customer who had no address yet gets it.

Of each detail the newest statement counts, by the time of the order or event that made it and not
by its arrival; of two at one time, the one that sorts last.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from uuid import UUID

from app.base.frozen import quick
from app.base.text import one_line_or_none
from app.brands.rules import is_zone
from app.customers.contact import personal_email, phone_e164
from app.customers.names import stated_name
from app.customers.person import Person
from app.customers.places import country_code, locale_tag, zone_of_country

DETAILS = ("first_name", "last_name", "locale", "time_zone")
"""Details that a newer value replaces and an absent one leaves; `<name>_at` is its time."""
RANKED = {"phone": "phone_agreed", "country": "country_own"}
"""Details that also have a rank, the second name: a higher one wins whatever the times."""
_NEVER = datetime.min.replace(tzinfo=UTC)


@quick
@dataclass(frozen=True, slots=True)
class ComparablePerson:
    """A person with normalised addresses; every field but the time may be absent."""

    external_id: str | None
    email: str | None
    phone: str | None
    first_name: str | None
    last_name: str | None
    locale: str | None
    time_zone: str | None
    country: str | None
    country_own: bool
    phone_agreed: bool
    at: datetime

    @property
    def is_anonymous(self) -> bool:
        """Whether nothing identifies them."""
        return self.email is None and self.phone is None and self.external_id is None


@dataclass(slots=True)
class KnownCustomer:
    """A customer as stored; `changes` are this batch's new values by column name."""

    id: UUID
    email: str | None = None
    phone: str | None = None
    phone_at: datetime | None = None
    phone_agreed: bool = False
    first_name: str | None = None
    first_name_at: datetime | None = None
    last_name: str | None = None
    last_name_at: datetime | None = None
    locale: str | None = None
    locale_at: datetime | None = None
    time_zone: str | None = None
    time_zone_at: datetime | None = None
    country: str | None = None
    country_at: datetime | None = None
    country_own: bool = False
    new: bool = False
    changes: dict[str, object] = field(default_factory=dict)

    def set(self, values: Mapping[str, object]) -> None:
        """Set columns, by their names."""
        for name, value in values.items():
            setattr(self, name, value)
        self.changes |= values

    def learn(self, name: str, value: str | None, at: datetime) -> bool:
        """Take a detail that is newer than the known one; returns whether it was. None is never."""
        if value is None or (at, value) <= self._known(name):
            return False
        self.set({name: value, f"{name}_at": at})
        return True

    def learn_ranked(self, name: str, value: str | None, at: datetime, *, rank: bool) -> bool:
        """As `learn`, for a detail of `RANKED`."""
        flag = RANKED[name]
        if value is None or (rank, at, value) <= (getattr(self, flag), *self._known(name)):
            return False
        self.set({name: value, f"{name}_at": at, flag: rank})
        return True

    def _known(self, name: str) -> tuple[datetime, str]:
        return getattr(self, f"{name}_at") or _NEVER, getattr(self, name) or ""

    @property
    def identity_changed(self) -> bool:
        """Whether a stored customer's unique key changes; another batch may take it meanwhile."""
        return not self.new and ("email" in self.changes or ("phone" in self.changes and self.email is None))


@dataclass(slots=True)
class CustomerIndex:
    """The customers that a batch may name.

    `resolve` is called in the order of the batch, so that each person finds those before.
    """

    by_email: dict[str, KnownCustomer]
    by_phone: dict[str, KnownCustomer]
    by_reference: dict[str, KnownCustomer]
    new_references: dict[str, KnownCustomer] = field(default_factory=dict)
    moved_references: dict[str, KnownCustomer] = field(default_factory=dict)
    former_references: set[tuple[str, UUID]] = field(default_factory=set)
    """Ids that belonged to a customer until a person with another address used them."""

    def resolve(self, person: ComparablePerson, new_id: Callable[[], UUID]) -> KnownCustomer | None:
        """The customer of this person, new where none is known; None for an anonymous one."""
        if person.is_anonymous:
            return None
        known = self._find(person)
        if known is None:
            known = new_customer(new_id(), person)
        else:
            update_details(known, person)
        if known.email:
            self.by_email.setdefault(known.email, known)
        if known.phone:
            self.by_phone.setdefault(known.phone, known)
        if person.external_id:
            self._refer(person.external_id, known)
        return known

    def _find(self, person: ComparablePerson) -> KnownCustomer | None:
        referred = self.by_reference.get(person.external_id or "")
        if person.email:
            addressless = referred if referred and referred.email is None else None
            return self.by_email.get(person.email) or addressless
        by_phone = self.by_phone.get(person.phone or "")
        if referred and (
            referred.email
            or person.phone in (None, referred.phone)
            or (referred.phone is None and by_phone is None)
        ):
            return referred
        return by_phone

    def _refer(self, external_id: str, known: KnownCustomer) -> None:
        before = self.by_reference.get(external_id)
        self.by_reference[external_id] = known
        if before is not None and before is not known:
            self.former_references.add((external_id, before.id))
        if before is None or external_id in self.new_references:
            self.new_references[external_id] = known
        elif before is not known:
            self.moved_references[external_id] = known


def comparable(person: Person, *, now: datetime) -> ComparablePerson:
    """Return the person with normalised addresses; a statement without a time is of `now`.

    A national phone number is read in the person's own country or not at all: elsewhere it is
    somebody else's.
    """
    own_country = country_code(person.country)
    return ComparablePerson(
        external_id=_external_id(person.external_id),
        email=personal_email(person.email),
        phone=phone_e164(person.phone, [country_code(person.phone_country) or own_country]),
        first_name=stated_name(person.first_name),
        last_name=stated_name(person.last_name),
        locale=locale_tag(person.locale),
        time_zone=person.time_zone if person.time_zone and is_zone(person.time_zone) else None,
        country=own_country or country_code(person.shipping_country),
        country_own=own_country is not None,
        phone_agreed=person.sms_consent.given is True,
        at=person.at or now,
    )


def _external_id(text: str | None) -> str | None:
    """A shop's id for a customer; WooCommerce gives every guest the id `0`."""
    plain = one_line_or_none(text, limit=256)
    return None if plain in (None, "0") or len(plain) > 255 else plain


def new_customer(customer_id: UUID, person: ComparablePerson) -> KnownCustomer:
    """The customer that a person nobody knew is, as `update_details` makes it of an empty one."""
    at = person.at
    zone = person.time_zone
    if zone is None and person.country is not None:
        zone = zone_of_country(person.country)
    return KnownCustomer(
        customer_id,
        person.email,
        person.phone,
        None if person.phone is None else at,
        person.phone is not None and person.phone_agreed,
        person.first_name,
        None if person.first_name is None else at,
        person.last_name,
        None if person.last_name is None else at,
        person.locale,
        None if person.locale is None else at,
        zone,
        None if person.time_zone is None else at,
        person.country,
        None if person.country is None else at,
        person.country is not None and person.country_own,
        new=True,
    )


def update_details(known: KnownCustomer, person: ComparablePerson) -> None:
    """Set on the customer what the person adds.

    A number with consent to texts stays until there is consent for another, since consent belongs
    to a number. A customer without an e-mail address keeps the number, which is their identity. The
    time zone is taken from a country that has only one, unless it was stated.
    """
    if known.email is None and person.email is not None:
        known.set({"email": person.email})
    if known.phone is None or known.email is not None:
        known.learn_ranked("phone", person.phone, person.at, rank=person.phone_agreed)
    if person.phone is None and person.phone_agreed and known.phone and not known.phone_agreed:
        known.set({"phone_agreed": True})
    for name in DETAILS:
        if (value := getattr(person, name)) is not None:
            known.learn(name, value, person.at)
    learnt = known.learn_ranked("country", person.country, person.at, rank=person.country_own)
    if learnt and known.time_zone_at is None:
        known.set({"time_zone": zone_of_country(known.country)})
