"""Which customer a person is, decided over what is known of a batch. Pure.

The e-mail address is the identity; for who gives none, the shop's own id where it does not contradict, else the phone number.
A shop's id follows: an id known under one customer and now used with another address moves to that address's customer, since an
address is what we write to and what a friend is judged by. A customer who had no address yet gets it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from app.base.text import one_line_or_none
from app.brands.programme import Channel
from app.brands.rules import is_zone
from app.customers import contact
from app.customers.contact import ConsentStatement, Person

DETAILS = ("first_name", "last_name", "locale", "country")
"""What the newest word replaces and silence leaves."""


@dataclass(frozen=True, slots=True)
class Named:
    """A person with comparable addresses; everything may be absent."""

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
    def nobody(self) -> bool:
        """Whether nothing is left by which they could be found again."""
        return self.email is None and self.phone is None and self.external_id is None


@dataclass(slots=True)
class Known:
    """A customer as the database has them, and what this batch adds in `changes` (names of columns and their new values)."""

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

    def learn(self, name: str, value: str | None) -> None:
        """Take a newer value; silence changes nothing."""
        if value is not None and getattr(self, name) != value:
            setattr(self, name, value)
            self.changes[name] = value

    @property
    def identity_changed(self) -> bool:
        """Whether a unique key of a customer who stands already would change: somebody else may have taken it meanwhile."""
        return not self.new and ("email" in self.changes or ("phone" in self.changes and self.email is None))


@dataclass(slots=True)
class Book:
    """The customers that a batch may speak of. `place` goes through the batch in order, so each sees what came before."""

    by_email: dict[str, Known]
    by_phone: dict[str, Known]
    by_reference: dict[str, Known]
    new_references: dict[str, Known] = field(default_factory=dict)
    moved_references: dict[str, Known] = field(default_factory=dict)

    def place(self, person: Named, new_id: Callable[[], UUID]) -> Known | None:
        """The customer this person is, made where there is none; None for nobody."""
        if person.nobody:
            return None
        known = self._find(person) or Known(new_id(), new=True)
        learn_all(known, person)
        if known.email:
            self.by_email.setdefault(known.email, known)
        if known.phone:
            self.by_phone.setdefault(known.phone, known)
        if person.external_id:
            self._refer(person.external_id, known)
        return known

    def _find(self, person: Named) -> Known | None:
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

    def _refer(self, external_id: str, known: Known) -> None:
        before = self.by_reference.get(external_id)
        self.by_reference[external_id] = known
        if before is None or external_id in self.new_references:
            self.new_references[external_id] = known
        elif before is not known:
            self.moved_references[external_id] = known


def named(person: Person, shop_regions: Sequence[str]) -> Named:
    """A person made comparable; national phone numbers are read in their country, their language's, then the shop's."""
    locale = contact.locale_tag(person.locale)
    country = contact.country_code(person.country)
    spoken = locale.rpartition("-")[2] if locale and "-" in locale else None
    return Named(
        external_id=_external_id(person.external_id),
        email=contact.email_identity(person.email),
        phone=contact.phone_e164(person.phone, (country, spoken, *shop_regions)),
        first_name=one_line_or_none(person.first_name, limit=100),
        last_name=one_line_or_none(person.last_name, limit=100),
        locale=locale,
        time_zone=person.time_zone if person.time_zone and is_zone(person.time_zone) else None,
        country=country,
        agrees_to_texts=person.sms_consent.given is True,
    )


def _external_id(text: str | None) -> str | None:
    """A shop's id for a customer; WooCommerce calls every guest `0`."""
    plain = one_line_or_none(text, limit=256)
    return None if plain in (None, "0") or len(plain) > 255 else plain


def learn_all(known: Known, person: Named) -> None:
    """Let a customer take over what a person says.

    A number that agreed to texts is kept until its owner agrees for another: consent belongs to a number. A customer known by
    their number alone keeps it, since it is who they are. A zone is guessed from a country that has but one.
    """
    guess = contact.zone_of_country(known.country)
    if known.email is None:
        known.learn("email", person.email)
    if known.phone is None or (
        known.email is not None and (person.agrees_to_texts or not known.agreed_to_texts)
    ):
        known.learn("phone", person.phone)
    known.agreed_to_texts = known.agreed_to_texts or person.agrees_to_texts
    for name in DETAILS:
        known.learn(name, getattr(person, name))
    known.learn("time_zone", person.time_zone)
    if person.time_zone is None and known.time_zone in (None, guess):
        known.learn("time_zone", contact.zone_of_country(known.country))


@dataclass(frozen=True, slots=True)
class Said:
    """What a customer said about a channel, at a time."""

    customer_id: UUID
    channel: Channel
    given: bool
    opt_in_level: str | None
    source: str | None
    at: datetime

    def outdoes(self, other: "Said") -> bool:
        """The later word counts; of two at one time, the no. So the order in which they arrive cannot matter."""
        return (self.at, not self.given) > (other.at, not other.given)


def last_words(people: Sequence[tuple[UUID | None, Person]], *, now: datetime) -> list[Said]:
    """The last word of each customer on each channel, in key order; a word without a time counts from `now`."""
    last: dict[tuple[UUID, Channel], Said] = {}
    for customer_id, person in people:
        for channel, consent in ((Channel.email, person.email_consent), (Channel.sms, person.sms_consent)):
            said = _said(customer_id, channel, consent, now)
            if said is None:
                continue
            before = last.get((said.customer_id, channel))
            if before is None or said.outdoes(before):
                last[said.customer_id, channel] = said
    return [last[key] for key in sorted(last)]


def _said(
    customer_id: UUID | None, channel: Channel, consent: ConsentStatement, now: datetime
) -> Said | None:
    if customer_id is None or consent.given is None:
        return None
    level, source = one_line_or_none(consent.opt_in_level), one_line_or_none(consent.source)
    return Said(customer_id, channel, consent.given, level, source, consent.at or now)
