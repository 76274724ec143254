"""E-mail addresses and phone numbers in comparable form. Pure."""

import re
import unicodedata
from collections.abc import Sequence

import idna
import phonenumbers

MAX_EMAIL = 254
"""RFC 5321 allows a path of 256 octets, two of which are its brackets."""
_MAX_LOCAL = 64
_LOCAL = re.compile(r"[a-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[a-z0-9!#$%&'*+/=?^_`{|}~-]+)*")
"""RFC 5321's dot-string: our providers deliver to no quoted or non-ASCII mailboxes."""
_DOMAIN = re.compile(r"(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+(?!\d+$)[a-z0-9-]{1,62}[a-z0-9]")
_DOTLESS = frozenset({"gmail.com", "googlemail.com"})
"""Two names of one provider, whose mailboxes are the same with and without dots."""
_MAX_PHONE = 40


def email_identity(text: str | None) -> str | None:
    """The address as it is compared and written to, or None where it is not deliverable.

    Lower case (`casefold` would turn `ß` into another mailbox), and the ASCII form of an
    international domain, which providers accept and which makes both spellings one person. Aliases
    stay: the person chose them.
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

    A plus-tag is dropped everywhere (no provider gives `a+x` to somebody else than `a`), dots only
    where the provider ignores them.
    """
    local, _, domain = identity.rpartition("@")
    local = local.partition("+")[0] or local
    if domain in _DOTLESS:
        local, domain = local.replace(".", ""), "gmail.com"
    return f"{local}@{domain}"


def phone_e164(text: str | None, regions: Sequence[str | None]) -> str | None:
    """The number in E.164 (`+49…`), or None where it is not valid in any of these regions.

    A number with its country prefix needs no region; for a national one the regions are tried in
    order.
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
