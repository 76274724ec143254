"""Files of orders that shops export: their formats, and what is shared by those that are tables."""

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from functools import lru_cache

from app.base.frozen import quick
from app.platforms.events import PlatformEvent, Unparseable
from app.platforms.settings import PlatformSettings


class FileFormat(StrEnum):
    """Who wrote a file of orders."""

    shopify = "shopify"
    woocommerce = "woocommerce"
    tenfold = "tenfold"


@dataclass(frozen=True, slots=True)
class FileShop:
    """What a file leaves out, since everybody in the shop knows it."""

    currency: str
    zone: tzinfo
    """Of times without a zone."""
    received_at: datetime
    settings: PlatformSettings | None = None
    """Of the shop's platform."""


@quick
@dataclass(frozen=True, slots=True)
class TableRow:
    """One row: its line in the file, and its cells by `column_name`, without the empty ones."""

    line: int
    values: Mapping[str, str]

    def first(self, *names: str) -> str | None:
        """The first of these columns that has something."""
        for name in names:
            if name in self.values:
                return self.values[name]
        return None


@dataclass(frozen=True, slots=True)
class TableFormat:
    """How a table of orders is read."""

    name: FileFormat
    problem: Callable[[Collection[str]], str | None]
    """Why a table with these columns cannot be read, in a sentence; None where it can."""
    order_of: Callable[[TableRow], str | None]
    """What names the row's order; None continues the order of the row before."""
    read: Callable[[Sequence[TableRow], FileShop], list[PlatformEvent]]
    """The events of one order's rows, none for an order that was not paid. Raises
    `Unparseable`."""


_NO_WORD = re.compile(r"[\W_]+")
_GUARDED = frozenset("0123456789+-=@")
_DECIMAL = re.compile(r"-?[0-9]+(?:\.[0-9]{1,2})?")
_SPACED = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d [+-]\d{4}", re.ASCII)
_OFFSET = re.compile(r"\s*([+-]\d{2}):?(\d{2})$")
_GERMAN_DATE = re.compile(r"(\d{1,2})\.(\d{1,2})\.(\d{4})\b,?")
_SYMBOLS = re.compile(r"[^0-9,.\-]+")
_SHORTENED = re.compile(r"[0-9][eE][+-]?[0-9]")
"""How a spreadsheet writes a long number."""
_AMOUNT_LENGTH = 40


def column_name(header: str) -> str:
    """A header in comparable form: `First Name (Billing)` is `first_name_billing`."""
    return _NO_WORD.sub("_", header.casefold()).strip("_")


def plain_cell(cell: str) -> str:
    """A cell without the apostrophe by which exports keep spreadsheets from calculating."""
    plain = cell.strip()
    return plain[1:] if plain.startswith("'") and plain[1:2] in _GUARDED else plain


@lru_cache(maxsize=256)
def iso_time(text: str) -> str:
    """A time as ISO 8601: `2026-03-10 12:00:00 +0100` and `10.03.2026 12:00` are made one."""
    if _SPACED.fullmatch(text):
        return f"{text[:19]}{text[20:23]}:{text[23:]}"
    text = _OFFSET.sub(r"\1:\2", text.strip()) if ":" in text else text.strip()
    if german := _GERMAN_DATE.match(text):
        day, month, year = german.groups()
        text = f"{year}-{int(month):02}-{int(day):02}{text[german.end() :]}"
    return re.sub(r"\s+", " ", text.replace("/", "-") if text[4:5] == "/" else text)


def decimal_text(text: str, column: str) -> str:
    """An amount as text with a decimal point, without its symbol. Raises `Unparseable`.

    `1,234` alone could be either number, so it is refused, and so is `1.2E+05`.
    """
    if len(text) <= _AMOUNT_LENGTH and _DECIMAL.fullmatch(text):
        return text
    if len(text) > _AMOUNT_LENGTH or _SHORTENED.search(text):
        raise Unparseable(f"{column} is no amount as it was exported.")
    plain = _SYMBOLS.sub("", text)
    comma, point = plain.rfind(","), plain.rfind(".")
    if comma >= 0 and point < 0 and re.fullmatch(r"-?\d{1,3},\d{3}", plain):
        raise Unparseable(f"{column} can be read in two ways; write amounts with a decimal point.")
    if comma > point:
        plain = plain.replace(".", "").replace(",", ".")
    return plain.replace(",", "")


def amount_of(text: str | None, column: str) -> Decimal | None:
    """An amount; None for an empty cell. Raises `Unparseable` for anything else."""
    if text is None:
        return None
    try:
        return Decimal(decimal_text(text, column))
    except InvalidOperation:
        raise Unparseable(f"{column} is no amount.") from None


def known_amount(text: str | None) -> Decimal | None:
    """As `amount_of`; None too for what cannot be read, where that is only informational."""
    try:
        return amount_of(text, "")
    except Unparseable:
        return None


def split_name(name: str | None) -> tuple[str | None, str | None]:
    """The first word of a full name, and the rest."""
    first, _, last = (name or "").strip().partition(" ")
    return first or None, last.strip() or None


def in_words_of_file(error: Unparseable, columns: Mapping[str, str]) -> Unparseable:
    """The error with the file's column in place of the platform's field that it begins with."""
    field, _, rest = str(error).partition(" ")
    return Unparseable(f"{columns[field]} {rest}") if field in columns else error
