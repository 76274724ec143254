"""A person as a shop names them, and their addresses made comparable. Pure."""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache
from zoneinfo import ZoneInfo

import idna
import phonenumbers
from babel.core import get_global

from app.brands.rules import is_zone

MAX_EMAIL = 254
"""RFC 5321 allows a path of 256 octets, two of which are its brackets."""
_MAX_LOCAL = 64
_LOCAL = re.compile(r"[a-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[a-z0-9!#$%&'*+/=?^_`{|}~-]+)*")
"""RFC 5321's dot-string. Quoted and non-ASCII mailboxes exist, but no provider of ours delivers to them."""
_DOMAIN = re.compile(r"(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+(?!\d+$)[a-z0-9-]{1,62}[a-z0-9]")
_DOTLESS = frozenset({"gmail.com", "googlemail.com"})
"""Providers whose mailboxes are the same with and without dots, and which are one provider under two names."""
_MAX_PHONE = 40
_LOCALE = re.compile(r"([a-z]{2,3})(?:[-_]([a-z]{4}))?(?:[-_]([a-z]{2}))?(?:[-_.@].*)?", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class ConsentStatement:
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
    email_consent: ConsentStatement = ConsentStatement()
    sms_consent: ConsentStatement = ConsentStatement()


def email_identity(text: str | None) -> str | None:
    """The address as we compare and write to it, or None for what is no deliverable address: it counts as absent.

    Lower case (`casefold` would turn `ß` into another mailbox); an international domain in its ASCII form, which is what providers
    take and what makes both spellings one person. Aliases stay: they are the person's own choice of where to be written to.
    """
    if not text or len(text) > 2 * MAX_EMAIL:
        return None
    local, at, domain = unicodedata.normalize("NFC", text.strip()).lower().rpartition("@")
    if not at or len(local) > _MAX_LOCAL or not _LOCAL.fullmatch(local):
        return None
    if not domain.isascii():
        try:
            domain = idna.encode(domain, uts46=True).decode()
        except UnicodeError:
            return None
    if not _DOMAIN.fullmatch(domain) or len(local) + 1 + len(domain) > MAX_EMAIL:
        return None
    return f"{local}@{domain}"


def email_key(identity: str) -> str:
    """The address without aliases: for "new customer" and fraud only, never written to.

    A plus-tag is dropped everywhere (no provider gives `a+x` to somebody else than `a`), dots only where the provider is known
    to ignore them.
    """
    local, _, domain = identity.rpartition("@")
    local = local.partition("+")[0] or local
    if domain in _DOTLESS:
        local, domain = local.replace(".", ""), "gmail.com"
    return f"{local}@{domain}"


def phone_e164(text: str | None, regions: Sequence[str | None]) -> str | None:
    """The number in E.164 (`+49…`), or None where it is no valid number of any of these regions.

    A number with its country prefix needs no region; the regions, most likely first, are tried for a national one.
    """
    if not text or len(text) > _MAX_PHONE:
        return None
    international = re.sub(r"^\s*\(?00", "+", text)
    tries: list[tuple[str, str | None]] = [(text, region) for region in regions if region] + [
        (international, None)
    ]
    if text.lstrip().startswith("+"):
        tries = [(text, None)]
    for spelling, region in tries:
        try:
            number = phonenumbers.parse(spelling, region)
        except phonenumbers.NumberParseException:
            continue
        if phonenumbers.is_valid_number(number):
            return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
    return None


def shop_regions(locale: str, time_zone: str, currency: str) -> tuple[str, ...]:
    """The countries a shop's national phone numbers may belong to, most likely first: by its locale, zone and currency.

    A currency's first two letters are its country in ISO 4217 (JPY, CHF); EUR and XOF name none.
    """
    tag = locale_tag(locale) or ""
    zone_country = get_global("zone_territories").get(time_zone)
    hints = (tag.rpartition("-")[2] if "-" in tag else None, zone_country, currency[:2].upper())
    return tuple(dict.fromkeys(hint for hint in hints if hint in phonenumbers.SUPPORTED_REGIONS))


def country_code(text: str | None) -> str | None:
    """The ISO 3166 code in capitals, or None where it is none; `UK` and `EL`, which people write, are `GB` and `GR`."""
    code = (text or "").strip()
    code = code.upper() if code.isascii() else ""  # `ß` would grow into South Sudan
    code = {"UK": "GB", "EL": "GR"}.get(code, code)
    return code if code in _countries() else None


def locale_tag(text: str | None) -> str | None:
    """A language tag such as `de` or `pt-BR`, whatever way it was written; None where it is none."""
    found = _LOCALE.fullmatch((text or "").strip()[:40])
    if found is None:
        return None
    language, script, territory = found.groups()
    parts = (language.lower(), script and script.title(), territory and territory.upper())
    return "-".join(part for part in parts if part)


@cache
def _countries() -> frozenset[str]:
    """Countries and areas, from the CLDR; `ZZ` and the like are none."""
    return frozenset(code for code in get_global("territory_zones") if len(code) == 2 and code.isalpha()) - {
        "ZZ"
    }


@cache
def zone_of_country(country: str | None) -> str | None:
    """The country's time zone where all of it keeps the same time, else None.

    Germany has two names for one time; Spain and the United States have several times.
    """
    zones = [name for name in get_global("territory_zones").get(country or "", []) if is_zone(name)]
    # A winter's and a summer's noon tell zones apart that keep different times, now and by their rules for the summer.
    noons = (datetime(2026, 1, 15, 12), datetime(2026, 7, 15, 12))  # noqa: DTZ001  # local times, read in each zone
    offsets = {tuple(noon.replace(tzinfo=ZoneInfo(name)).utcoffset() for noon in noons) for name in zones}
    return zones[0] if len(offsets) == 1 else None


def dated(person: Person, at: datetime) -> Person:
    """The person with a time for every consent that was said without one: `at`, when it came in.

    So a delivery that is worked off late, or once more, cannot undo what was said after it.
    """
    undated = {
        name: replace(said, at=at)
        for name in ("email_consent", "sms_consent")
        if (said := getattr(person, name)).given is not None and said.at is None
    }
    return replace(person, **undated) if undated else person
