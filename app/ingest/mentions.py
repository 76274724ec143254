"""Whom a raw body names: every e-mail address, number, id and code in it, as compared. Pure.

Values are parsed and normalised before they are compared: an escape, a spelling or a longer address
that contains a shorter one makes no difference.
"""

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

from app.base.tokens import plain_code
from app.customers.contact import email_identity, phone_e164
from app.customers.places import country_code

Scalar = str | int
_MOST_VALUES = 500_000
"""Values of one body that are read. An order of Shopify's has one in 20 bytes, so a body of the
most that is accepted has half as many."""
_LONGEST = 2_000
"""Characters of one text that are read."""
_BUYER = frozenset({"data", "customer", "order", "billing", "billing_address"})
"""Where an address is that of the buyer; elsewhere it may be anybody's."""
_PHONE_NAMES = ("phone", "mobile", "tel")
_CODE_NAMES = ("code", "coupon", "discount", "voucher", "landing", "referr", "note", "value")
_BETWEEN_ADDRESSES = re.compile(r"[\s<>\"'(),;:\[\]]+")
_BETWEEN_PARTS = re.compile(r"[\s<>\"'(),;:\[\]=&?/]+")
_BETWEEN_WORDS = re.compile(r"[^\w\-]+")
_NUMBER = re.compile(r"[+0-9(][0-9\s().\-/\u00a0]{5,38}")


@dataclass(slots=True)
class Mentions:
    """What a body holds, normalised: the values may be many people's."""

    emails: set[str] = field(default_factory=set)
    buyer_emails: set[str] = field(default_factory=set)
    """Those that stand where the buyer's does."""
    phones: set[str] = field(default_factory=set)
    references: set[str] = field(default_factory=set)
    """The shop's ids of customers."""
    orders: set[str] = field(default_factory=set)
    """The shop's ids of orders that facts are about."""
    codes: set[str] = field(default_factory=set)
    """Words that may be promo codes, as compared."""

    def add(self, other: "Mentions") -> None:
        """Add what another body of the same delivery names."""
        for name in ("emails", "buyer_emails", "phones", "references", "orders", "codes"):
            getattr(self, name).update(getattr(other, name))


def mentions_of(body: bytes, *, topic: str, regions: Sequence[str | None] = ()) -> Mentions:
    """What a delivery's body names; a body that is no JSON is read word by word.

    A national number is read in the countries that the body names, and in `regions`; every reading
    counts.
    """
    found = Mentions()
    try:
        content = json.loads(body.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        _read_text(found, body.decode("utf-8", "replace"), regions)
        return found
    values = list(_values(content))
    countries = {code for path, value in values if (code := _country(path, value))}
    every_region = [*sorted(countries), *regions]
    is_customer = topic.startswith(("customers/", "customer."))
    for path, value in values:
        _read(found, path, value, every_region)
        if is_customer and path in (("id",), ("data", "id")):
            found.references.add(str(value))
    return found


def _values(content: Any) -> Iterator[tuple[tuple[str, ...], Scalar]]:
    """Every text and whole number with the names that lead to it, without places in lists."""
    waiting: list[tuple[tuple[str, ...], Any]] = [((), content)]
    count = 0
    while waiting and count < _MOST_VALUES:
        path, value = waiting.pop()
        count += 1
        if isinstance(value, dict):
            waiting += [((*path, str(name).lower()), inner) for name, inner in value.items()]
        elif isinstance(value, list):
            waiting += [(path, inner) for inner in value]
        elif isinstance(value, (str, int)) and not isinstance(value, bool):
            yield path, value


def _country(path: tuple[str, ...], value: Scalar) -> str | None:
    if not path or "country" not in path[-1] or not isinstance(value, str):
        return None
    return country_code(value)


def _read(found: Mentions, path: tuple[str, ...], value: Scalar, regions: Sequence[str | None]) -> None:
    name = path[-1] if path else ""
    if name == "customer_id" or path[-2:] == ("customer", "id"):
        found.references.add(str(value))
    elif name == "order_id":
        found.orders.add(str(value))
    text = str(value)[:_LONGEST]
    if any(word in name for word in _PHONE_NAMES) or text.lstrip().startswith(("+", "00")):
        found.phones |= _phones(text, regions)
    if isinstance(value, int):
        return
    if "@" in text or "%40" in text:
        addresses = _emails(text)
        found.emails |= addresses
        if name in ("email", "contact_email") and _BUYER.issuperset(path[:-1]):
            found.buyer_emails |= addresses
    if any(word in part for part in path for word in _CODE_NAMES):
        found.codes |= _words(text)


def _read_text(found: Mentions, text: str, regions: Sequence[str | None]) -> None:
    for line in text.splitlines()[:_MOST_VALUES]:
        found.emails |= _emails(line)
        for number in _NUMBER.findall(line[:_LONGEST]):
            found.phones |= _phones(number, regions)


def _emails(text: str) -> set[str]:
    plain = unquote(text) if "%" in text else text
    parts = {*_BETWEEN_ADDRESSES.split(plain), *_BETWEEN_PARTS.split(plain)}
    return {found for part in parts if "@" in part and (found := email_identity(part.strip(".")))}


def _phones(text: str, regions: Sequence[str | None]) -> set[str]:
    plain = text.strip()
    readings = [phone_e164(plain, [])]
    if not plain.startswith(("+", "0")):
        # A whole number has lost the sign before its country's prefix.
        readings.append(phone_e164(f"+{plain}", []))
    if not plain.startswith("+"):
        readings += [phone_e164(plain, [region]) for region in regions]
    return {found for found in readings if found}


def _words(text: str) -> set[str]:
    """The words of a text as codes are compared, and the whole of it, which may hold spaces."""
    plain = unquote(text) if "%" in text else text
    words = [plain[:100], *_BETWEEN_WORDS.split(plain)[:200]]
    return {code for word in words if 4 <= len(code := plain_code(word)) <= 40}
