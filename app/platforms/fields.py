"""Read a delivery's JSON field by field: exact numbers, aware times, text that can be stored.

Every error names the field.
"""

import json
from codecs import BOM_UTF8
from collections.abc import Mapping
from datetime import UTC, datetime, tzinfo
from decimal import Decimal
from typing import Any

import msgspec

from app.base import money
from app.base.log import scrub
from app.base.months import YEARS
from app.base.text import one_line, one_line_or_none
from app.customers.places import country_code
from app.platforms.events import Unparseable

ID_LIMIT = 128
"""Characters of a platform's id: long enough for any, short enough for an index."""
LIST_LIMIT = 500
"""Entries of a list that are read; orders with more lines than that keep the first."""
_NOTHING: Mapping[str, Any] = {}
_MOST_PIECES = 10**9


def load(raw: bytes) -> "Fields":
    """The JSON object in a body, its decimals exact. Raises `Unparseable` for anything else."""
    try:
        body = _FAST_DECODER.decode(raw)
    except (msgspec.MsgspecError, ValueError, ArithmeticError, RecursionError):
        body = _load_slowly(raw)
    if not isinstance(body, dict):
        raise Unparseable("The body must be a JSON object.")
    return Fields(body)


def _load_slowly(raw: bytes) -> object:
    """As the fast decoder, which refuses more: a byte-order mark, half of a surrogate pair.

    Raises `Unparseable`, which says what is wrong.
    """
    try:
        return _DECODER.decode(raw.removeprefix(BOM_UTF8).decode())
    except UnicodeDecodeError:
        raise Unparseable("The body is not UTF-8.") from None
    except RecursionError:
        raise Unparseable("The body is nested too deeply.") from None
    except (ValueError, ArithmeticError):
        # A number of thousands of digits raises ValueError, an absurd exponent ArithmeticError.
        raise Unparseable("The body is no JSON that can be read.") from None


def _no_number(name: str) -> object:
    raise Unparseable(f"{name} is no JSON number.")


_FAST_DECODER = msgspec.json.Decoder(float_hook=Decimal)
_DECODER = json.JSONDecoder(parse_float=Decimal, parse_constant=_no_number)


class Fields:
    """One JSON object of a delivery.

    A field that is null, absent or blank is None; one of the wrong kind raises `Unparseable`, from
    every method here. In a `lenient` object it is None too (in a list it is left out): nothing that
    is only informational may make a delivery fail.
    """

    __slots__ = ("_inside", "_name", "lenient", "values")

    def __init__(
        self,
        values: Mapping[str, Any],
        lenient: bool = False,  # by position, since an order has dozens of objects
        inside: "Fields | None" = None,
        name: str | tuple[str, int] = "",
    ) -> None:
        self.values = values
        self.lenient = lenient
        self._inside = inside
        self._name = name

    @property
    def _path(self) -> str:
        """What stands before a field in an error; only then it is put together."""
        if self._inside is None:
            return ""
        name = self._name if isinstance(self._name, str) else f"{self._name[0]}[{self._name[1]}]"
        return f"{self._inside._path}{name}."  # noqa: SLF001  # another one of this class

    @property
    def informational(self) -> "Fields":
        """This object, lenient; the objects inside it are too."""
        return (
            self if self.lenient else Fields(self.values, lenient=True, inside=self._inside, name=self._name)
        )

    def wrong(self, name: str, problem: str) -> Unparseable:
        """Return the error about a field, to be raised: `data.total must …`."""
        return Unparseable(f"{self._path}{name} {problem}.")

    def _refuse(self, name: str, problem: str) -> None:
        """Raise the error about a field, unless the object is lenient."""
        if not self.lenient:
            raise self.wrong(name, problem)

    def text(self, name: str, *, limit: int = 200) -> str | None:
        """One line of text; a number is taken as it is written."""
        value = self.values.get(name)
        if value is None:
            return None
        if isinstance(value, str):
            # As `one_line_or_none`: a call less for each of the dozens of texts of an order.
            is_plain = value.isprintable() and len(value) <= limit and "  " not in value
            if value and is_plain and value[0] != " " != value[-1]:
                return value
            return one_line_or_none(value, limit=limit)
        if isinstance(value, bool) or not isinstance(value, (int, Decimal)):
            self._refuse(name, "must be text")
            return None
        return str(value)[:limit]

    def id_or_none(self, name: str) -> str | None:
        """An id as text, unchanged: one that cannot be stored as it came is an error."""
        value = self.values.get(name)
        if value is None or value == "":
            return None
        if isinstance(value, bool) or not isinstance(value, (str, int)):
            self._refuse(name, "must be text or a whole number")
            return None
        given = str(value)
        if len(given) > ID_LIMIT or one_line(given, limit=ID_LIMIT) != given:
            self._refuse(name, f"must be one line of at most {ID_LIMIT} ordinary characters")
            return None
        return given

    def id(self, name: str) -> str:
        """An id, which is required."""
        value = self.id_or_none(name)
        if value is None:
            raise self.wrong(name, "is missing")
        return value

    def moment(self, name: str, *, zone: tzinfo | None = None) -> datetime | None:
        """An ISO 8601 time, in UTC; one without a zone is read in `zone`, None: refused."""
        value = self.values.get(name)
        if value is None or value == "":
            return None
        try:
            at = datetime.fromisoformat(value)
        except (ValueError, TypeError):
            self._refuse(name, "must be an ISO 8601 time such as 2026-03-10T12:00:00Z")
            return None
        if at.tzinfo is None:
            at = datetime.combine(at, at.time(), zone)
        if at.tzinfo is None:
            self._refuse(name, "must carry its time zone, as in 2026-03-10T12:00:00Z")
            return None
        if at.year not in YEARS:
            self._refuse(name, f"must lie between the years {YEARS.start} and {YEARS.stop - 1}")
            return None
        return at if at.tzinfo is UTC else at.astimezone(UTC)

    def currency(self, name: str) -> str:
        """An ISO 4217 code, which is required."""
        value = self.values.get(name)
        code = value.strip().upper() if isinstance(value, str) else ""
        try:
            money.exponent(code)
        except money.MoneyError as error:
            raise self.wrong(name, f"cannot be used: {scrub(str(error))}") from None
        return code

    def signed_amount(self, name: str, currency: str) -> int | None:
        """An amount in minor units of the currency, rounded half up to its decimals."""
        value = self.values.get(name)
        if value is None or value == "":
            return None
        try:
            return money.parse_rounded(value, currency)
        except money.MoneyError as error:
            self._refuse(name, f"cannot be booked: {scrub(str(error))}")
            return None

    def amount_or_none(self, name: str, currency: str) -> int | None:
        """As `signed_amount`, not negative."""
        minor = self.signed_amount(name, currency)
        if minor is not None and minor < 0:
            self._refuse(name, "must not be negative")
            return None
        return minor

    def amount(self, name: str, currency: str) -> int:
        """An amount in minor units, which is required."""
        value = self.amount_or_none(name, currency)
        if value is None:
            raise self.wrong(name, "is missing")
        return value

    def signed_decimal(self, name: str) -> Decimal | None:
        """An amount in major units of a currency that is not known here."""
        value = self.values.get(name)
        if value is None or value == "":
            return None
        try:
            return money.parse_decimal(value)
        except money.MoneyError as error:
            self._refuse(name, f"cannot be booked: {scrub(str(error))}")
            return None

    def decimal(self, name: str) -> Decimal:
        """As `signed_decimal`; required, not negative."""
        value = self.signed_decimal(name)
        if value is None:
            raise self.wrong(name, "is missing")
        if value < 0:
            raise self.wrong(name, "must not be negative")
        return value

    def decimal_or_none(self, name: str) -> Decimal | None:
        """As `signed_decimal`, not negative."""
        value = self.signed_decimal(name)
        if value is not None and value < 0:
            self._refuse(name, "must not be negative")
            return None
        return value

    def quantity(self, name: str) -> float | None:
        """How many or how much of an item: a number or its text, with at most three decimals."""
        value = self.values.get(name)
        if value is None or value == "":
            return None
        if type(value) is int and 0 <= value <= _MOST_PIECES:
            return value
        try:
            number = money.parse_decimal(value)
        except money.MoneyError:
            self._refuse(name, "must be a number")
            return None
        if not 0 <= number <= _MOST_PIECES:
            self._refuse(name, "must be a number, not negative")
            return None
        return int(number) if number == int(number) else round(float(number), 3)

    def country(self, name: str) -> str | None:
        """An ISO 3166 code; what names no country is None, since a country is a hint only."""
        return country_code(self.text(name))

    def object_(self, name: str) -> "Fields | None":
        """An object inside this one; PHP writes one without fields as `[]`."""
        value = self.values.get(name)
        if value is None or value == []:
            return None
        if not isinstance(value, dict):
            self._refuse(name, "must be an object")
            return None
        return Fields(value, self.lenient, self, name)

    def object_or_empty(self, name: str) -> "Fields":
        """As `object_`, and one without fields where there is none."""
        value = self.values.get(name)
        if isinstance(value, dict):
            return Fields(value, self.lenient, self, name)
        return self.object_(name) or Fields(_NOTHING, self.lenient, self, name)

    def list_(self, name: str) -> list[Any]:
        """A list inside this object, empty where it is absent; at most `LIST_LIMIT` entries."""
        value = self.values.get(name)
        if value is None:
            return []
        if not isinstance(value, list):
            self._refuse(name, "must be a list")
            return []
        return value[:LIST_LIMIT]

    def objects(self, name: str) -> "list[Fields]":
        """The objects of a list."""
        found = []
        for place, value in enumerate(self.list_(name)):
            if isinstance(value, dict):
                found.append(Fields(value, self.lenient, self, (name, place)))
            else:
                self._refuse(f"{name}[{place}]", "must be an object")
        return found

    def texts(self, name: str, *, limit: int = 100) -> tuple[str, ...]:
        """The texts of a list that are neither null nor blank."""
        values = [value for value in self.list_(name) if value is not None]
        if any(not isinstance(value, str) for value in values):
            self._refuse(name, "must be a list of texts")
        texts = (one_line(value, limit=limit) for value in values if isinstance(value, str))
        return tuple(filter(None, texts))
