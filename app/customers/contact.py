"""E-mail addresses and phone numbers in comparable form. Pure."""

import re
import unicodedata
from collections.abc import Sequence
from functools import cache

import idna
import phonenumbers

from app.base.text import one_line
from app.customers.relays import is_relay

MAX_EMAIL = 254
"""RFC 5321 allows a path of 256 octets, two of which are its brackets."""
_MAX_LOCAL = 64
_HALF_CHARACTER = re.compile("[\ud800-\udfff]")
_LOCAL = re.compile(r"[a-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[a-z0-9!#$%&'*+/=?^_`{|}~-]+)*")
"""RFC 5321's dot-string: our providers deliver to no quoted or non-ASCII mailboxes."""
_DOMAIN = re.compile(r"(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+(?!\d+$)[a-z0-9-]{1,62}[a-z0-9]")
_ONE_MAILBOX = {
    "googlemail.com": "gmail.com",
    "me.com": "icloud.com",
    "mac.com": "icloud.com",
    "protonmail.com": "proton.me",
    "protonmail.ch": "proton.me",
    "pm.me": "proton.me",
}
"""Domains under which a provider gives one mailbox several names.

Google: support.google.com/mail/answer/10313. Apple: support.apple.com/118230. Proton:
proton.me/support/addresses-and-aliases (a name belongs to one account under all of its domains).
"""
_IGNORED_SIGNS = {"gmail.com": re.compile(r"\."), "proton.me": re.compile(r"[._-]")}
"""What a provider ignores in a name. Google: support.google.com/mail/answer/7436150. Proton:
`removeEmailAlias` of its web clients (ProtonMail/WebClients, `src/helpers/string.js`)."""
_YAHOO = re.compile(r"yahoo\.[a-z.]{2,6}|ymail\.com|rocketmail\.com")
"""Disposable addresses are `base-word`, and the dash is reserved for them: Yahoo's application for
patent US 2006/0041621 and its AddressGuard help. All of a person's have one base, which they chose;
the mailbox's own name may be another, so these alone are known to be one person's."""
_FASTMAIL = re.compile(r"([a-z0-9_-]+)\.(fastmail\.(?:com|fm|net|org|jp|de|es|in|se|uk|us|to))")
"""Whatever stands before `@name.fastmail.com` reaches `name@fastmail.com`:
fastmail.help/hc/en-us/articles/360060591053."""
_MAX_PHONE = 40
_E164 = re.compile(r"\+([1-9][0-9]{6,14})")


def email_identity(text: str | None) -> str | None:
    """The address as it is compared and written to, or None where it is not deliverable.

    Lower case (`casefold` would turn `ß` into another mailbox), and the ASCII form of an
    international domain, which providers accept and which makes both spellings one person.
    Invisible characters, which come along when an address is copied, are dropped. Aliases stay: the
    person chose them.
    """
    if not text or len(text) > 2 * MAX_EMAIL or _HALF_CHARACTER.search(text):
        return None
    plain = one_line(text, limit=2 * MAX_EMAIL)
    local, at, domain = unicodedata.normalize("NFC", plain).lower().rpartition("@")
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


def personal_email(text: str | None) -> str | None:
    """As `email_identity`; None also for a relay or no-reply address, which identifies nobody."""
    identity = email_identity(text)
    return None if is_relay(identity) else identity


def email_key(identity: str) -> str:
    """The address without aliases: for "new customer" and fraud only, never written to.

    A plus-tag is dropped everywhere (no provider gives `a+x` to somebody else than `a`). Other
    aliases are those that Google, Apple, Proton, Yahoo and Fastmail document.
    """
    local, _, domain = identity.rpartition("@")
    if fastmail := _FASTMAIL.fullmatch(domain):
        local, domain = fastmail.groups()
    local = local.partition("+")[0] or local
    domain = _ONE_MAILBOX.get(domain, domain)
    if ignored := _IGNORED_SIGNS.get(domain):
        local = ignored.sub("", local) or local
    elif _YAHOO.fullmatch(domain):
        local = local.partition("-")[0] or local
    return f"{local}@{domain}"


def phone_e164(text: str | None, regions: Sequence[str | None]) -> str | None:
    """The number in E.164 (`+49…`), or None where it is not valid in any of these regions.

    A number with its country prefix needs no region; for a national one the regions are tried in
    order.
    """
    text = one_line(text or "", limit=_MAX_PHONE + 1)
    if not text or len(text) > _MAX_PHONE:
        return None
    if _is_e164(text):
        return text
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


def _is_e164(text: str) -> bool:
    """Whether the text is a valid number in E.164 for certain.

    Most shops send that, and for it the library's parser is the larger part of the cost of an
    order's customer. Its parser changes a number that begins with the country's national prefix or
    a zero, so such a number is left to it.
    """
    digits = _E164.fullmatch(text)
    if digits is None:
        return False
    for length in (1, 2, 3):
        code, rest = int(digits[1][:length]), digits[1][length:]
        if code in phonenumbers.COUNTRY_CODE_TO_REGION_CODE:
            break
    else:
        return False
    prefix = _national_prefix(code)
    if prefix is None or prefix.match(rest) or not rest or rest[0] == "0":
        return False
    return _is_ordinary(code, rest) or phonenumbers.is_valid_number(phonenumbers.PhoneNumber(code, int(rest)))


def _is_ordinary(code: int, digits: str) -> bool:
    """Whether it is a mobile or fixed number of a code's only country, and so valid.

    Nearly all are, and the library asks for nine other kinds before these.
    """
    kinds = _ordinary_kinds(code)
    return bool(kinds) and _is_of(kinds[0], digits) and any(_is_of(kind, digits) for kind in kinds[1:])


_NumberKind = tuple[frozenset[int], re.Pattern[str]]
"""Numbers of digits, none for any, and the pattern of a kind of number."""


def _is_of(kind: _NumberKind, digits: str) -> bool:
    lengths, pattern = kind
    return (not lengths or len(digits) in lengths) and pattern.fullmatch(digits) is not None


@cache
def _ordinary_kinds(code: int) -> tuple[_NumberKind, ...]:
    """All numbers of the code, mobile ones and fixed ones; none for a code of several countries."""
    regions = phonenumbers.COUNTRY_CODE_TO_REGION_CODE[code]
    metadata = phonenumbers.PhoneMetadata.metadata_for_region(regions[0]) if len(regions) == 1 else None
    if metadata is None:
        return ()
    kinds = (metadata.general_desc, metadata.mobile, metadata.fixed_line)
    return tuple(
        (frozenset(kind.possible_length), re.compile(kind.national_number_pattern))
        for kind in kinds
        if kind is not None and kind.national_number_pattern is not None
    )


@cache
def _national_prefix(code: int) -> re.Pattern[str] | None:
    """What the parser removes from the start of a number; None for a code of no one country."""
    metadata = phonenumbers.PhoneMetadata.metadata_for_region(phonenumbers.region_code_for_country_code(code))
    return None if metadata is None else re.compile(metadata.national_prefix_for_parsing or r"(?!)")
