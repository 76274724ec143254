"""Read a delivery's JSON field by field: exact numbers, aware times, text that can be stored.

Every error names the field.
"""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from app.base import money
from app.base.log import scrub
from app.base.text import one_line, one_line_or_none
from app.platforms.events import Unparseable

ID_LIMIT = 128
"""Characters of a platform's id: long enough for any, short enough for an index."""
LIST_LIMIT = 500
"""Entries of a list that are read; orders with more lines than that keep the first."""
_YEARS = range(1970, 2201)


def load(raw: bytes) -> "Fields":
    """The JSON object in a body, its decimals exact. Raises `Unparseable` for anything else."""
    try:
        body = json.loads(raw.decode("utf-8-sig"), parse_float=Decimal, parse_constant=_no_number)
    except UnicodeDecodeError:
        raise Unparseable("The body is not UTF-8.") from None
    except RecursionError:
        raise Unparseable("The body is nested too deeply.") from None
    except (ValueError, ArithmeticError):
        # A number of thousands of digits raises ValueError, an absurd exponent ArithmeticError.
        raise Unparseable("The body is no JSON that can be read.") from None
    if not isinstance(body, dict):
        raise Unparseable("The body must be a JSON object.")
    return Fields(body)


def _no_number(name: str) -> object:
    raise Unparseable(f"{name} is no JSON number.")


class Fields:
    """One JSON object of a delivery.

    A field that is null, absent or blank is None; one of the wrong kind raises `Unparseable`, from
    every method here.
    """

    __slots__ = ("path", "values")

    def __init__(self, values: Mapping[str, Any], path: str = "") -> None:
        self.values = values
        self.path = path

    def wrong(self, name: str, problem: str) -> Unparseable:
        """Return the error about a field, to be raised: `data.total must …`."""
        return Unparseable(f"{self.path}{name} {problem}.")

    def text(self, name: str, *, limit: int = 200) -> str | None:
        """One line of text; a number is taken as it is written."""
        value = self.values.get(name)
        if value is None:
            return None
        if isinstance(value, str):
            return one_line_or_none(value, limit=limit)
        if isinstance(value, bool) or not isinstance(value, (int, Decimal)):
            raise self.wrong(name, "must be text")
        return str(value)[:limit]

    def id_or_none(self, name: str) -> str | None:
        """An id as text, unchanged: one that cannot be stored as it came is an error."""
        value = self.values.get(name)
        if value is None or value == "":
            return None
        if isinstance(value, bool) or not isinstance(value, (str, int)):
            raise self.wrong(name, "must be text or a whole number")
        given = str(value)
        if len(given) > ID_LIMIT or one_line(given, limit=ID_LIMIT) != given:
            raise self.wrong(name, f"must be one line of at most {ID_LIMIT} ordinary characters")
        return given

    def id(self, name: str) -> str:
        """An id, which is required."""
        value = self.id_or_none(name)
        if value is None:
            raise self.wrong(name, "is missing")
        return value

    def moment(self, name: str) -> datetime | None:
        """An ISO 8601 time with a zone, in UTC."""
        value = self.values.get(name)
        if value is None or value == "":
            return None
        try:
            at = datetime.fromisoformat(value)
        except (ValueError, TypeError):
            raise self.wrong(name, "must be an ISO 8601 time such as 2026-03-10T12:00:00Z") from None
        if at.tzinfo is None:
            raise self.wrong(name, "must carry its time zone, as in 2026-03-10T12:00:00Z")
        if at.year not in _YEARS:
            raise self.wrong(name, f"must lie between the years {_YEARS.start} and {_YEARS.stop - 1}")
        return at.astimezone(UTC)

    def currency(self, name: str) -> str:
        """An ISO 4217 code, which is required."""
        value = self.values.get(name)
        code = value.strip().upper() if isinstance(value, str) else ""
        try:
            money.exponent(code)
        except money.MoneyError as error:
            raise self.wrong(name, f"cannot be used: {scrub(str(error))}") from None
        return code

    def amount_or_none(self, name: str, currency: str) -> int | None:
        """An amount in minor units of the currency, not negative."""
        value = self.values.get(name)
        if value is None or value == "":
            return None
        try:
            minor = money.parse(value, currency)
        except money.MoneyError as error:
            raise self.wrong(name, f"cannot be booked: {scrub(str(error))}") from None
        if minor < 0:
            raise self.wrong(name, "must not be negative")
        return minor

    def amount(self, name: str, currency: str) -> int:
        """An amount in minor units, which is required."""
        value = self.amount_or_none(name, currency)
        if value is None:
            raise self.wrong(name, "is missing")
        return value

    def decimal(self, name: str) -> Decimal:
        """An amount in major units of a currency that is not known here; required, not negative."""
        try:
            value = money.parse_decimal(self.values.get(name))  # type: ignore[arg-type]  # it checks the type
        except money.MoneyError as error:
            raise self.wrong(name, f"cannot be booked: {scrub(str(error))}") from None
        if value < 0:
            raise self.wrong(name, "must not be negative")
        return value

    def country(self, name: str) -> str | None:
        """An ISO 3166 code; anything else is None, since a country is a hint only."""
        code = (self.text(name) or "").upper()
        return code if len(code) == 2 and code.isascii() and code.isalpha() else None

    def object_(self, name: str) -> "Fields | None":
        """An object inside this one."""
        value = self.values.get(name)
        if value is None:
            return None
        if not isinstance(value, dict):
            raise self.wrong(name, "must be an object")
        return Fields(value, f"{self.path}{name}.")

    def object_or_empty(self, name: str) -> "Fields":
        """As `object_`, and one without fields where there is none."""
        return self.object_(name) or Fields({}, f"{self.path}{name}.")

    def list_(self, name: str) -> list[Any]:
        """A list inside this object, empty where it is absent; at most `LIST_LIMIT` entries."""
        value = self.values.get(name)
        if value is None:
            return []
        if not isinstance(value, list):
            raise self.wrong(name, "must be a list")
        return value[:LIST_LIMIT]

    def objects(self, name: str) -> "list[Fields]":
        """The objects of a list."""
        found = []
        for place, value in enumerate(self.list_(name)):
            if not isinstance(value, dict):
                raise self.wrong(f"{name}[{place}]", "must be an object")
            found.append(Fields(value, f"{self.path}{name}[{place}]."))
        return found

    def texts(self, name: str, *, limit: int = 100) -> tuple[str, ...]:
        """The texts of a list that are neither null nor blank."""
        values = [value for value in self.list_(name) if value is not None]
        if any(not isinstance(value, str) for value in values):
            raise self.wrong(name, "must be a list of texts")
        return tuple(text for value in values if (text := one_line(value, limit=limit)))
