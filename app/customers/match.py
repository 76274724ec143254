"""Decide which customer each person of a batch is. Pure.

The e-mail address is the identity. A person without one is recognised by the shop's id where
nothing contradicts it, else by the phone number. A shop's id that is used with another e-mail
address moves to that address's customer, since the address is what we write to and what a friend is
checked by. A customer who had no address yet gets it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from app.base.text import one_line_or_none
from app.brands.rules import is_zone
from app.customers.contact import email_identity, phone_e164
from app.customers.person import Person
from app.customers.places import country_code, locale_tag, zone_of_country

DETAILS = ("first_name", "last_name", "locale", "country")
"""Details that a newer value replaces and an absent one leaves."""


@dataclass(frozen=True, slots=True)
class ComparablePerson:
    """A person with normalised addresses; every field may be absent."""

    external_id: str | None
    email: str | None
    phone: str | None
    first_name: str | None
    last_name: str | None
    locale: str | None
    time_zone: str | None
    country: str | None
    agrees_to_texts: bool

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
    first_name: str | None = None
    last_name: str | None = None
    locale: str | None = None
    time_zone: str | None = None
    country: str | None = None
    agreed_to_texts: bool = False
    new: bool = False
    changes: dict[str, str] = field(default_factory=dict)

    def set(self, name: str, value: str | None) -> None:
        """Set a column to a newer value; None changes nothing."""
        if value is not None and getattr(self, name) != value:
            setattr(self, name, value)
            self.changes[name] = value

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
        known = self._find(person) or KnownCustomer(new_id(), new=True)
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


def comparable(person: Person, shop_regions: Sequence[str]) -> ComparablePerson:
    """Return the person with normalised addresses.

    A national phone number is read in the person's country, that of their locale, then the shop's.
    """
    locale = locale_tag(person.locale)
    country = country_code(person.country)
    locale_country = locale.rpartition("-")[2] if locale and "-" in locale else None
    return ComparablePerson(
        external_id=_external_id(person.external_id),
        email=email_identity(person.email),
        phone=phone_e164(person.phone, (country, locale_country, *shop_regions)),
        first_name=one_line_or_none(person.first_name, limit=100),
        last_name=one_line_or_none(person.last_name, limit=100),
        locale=locale,
        time_zone=person.time_zone if person.time_zone and is_zone(person.time_zone) else None,
        country=country,
        agrees_to_texts=person.sms_consent.given is True,
    )


def _external_id(text: str | None) -> str | None:
    """A shop's id for a customer; WooCommerce gives every guest the id `0`."""
    plain = one_line_or_none(text, limit=256)
    return None if plain in (None, "0") or len(plain) > 255 else plain


def update_details(known: KnownCustomer, person: ComparablePerson) -> None:
    """Set on the customer what the person adds.

    A number with consent to texts stays until there is consent for another, since consent belongs
    to a number. A customer without an e-mail address keeps the number, which is their identity. The
    time zone is taken from a country that has only one.
    """
    guess = zone_of_country(known.country)
    if known.email is None:
        known.set("email", person.email)
    if known.phone is None or (
        known.email is not None and (person.agrees_to_texts or not known.agreed_to_texts)
    ):
        known.set("phone", person.phone)
    known.agreed_to_texts = known.agreed_to_texts or person.agrees_to_texts
    for name in DETAILS:
        known.set(name, getattr(person, name))
    known.set("time_zone", person.time_zone)
    if person.time_zone is None and known.time_zone in (None, guess):
        known.set("time_zone", zone_of_country(known.country))
