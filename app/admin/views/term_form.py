"""The terms as the texts of a form, and a form's texts as terms."""

from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any, cast
from zoneinfo import ZoneInfo

from pydantic import JsonValue, ValidationError

from app.admin.views.term_fields import BUDGET, DISCOUNT, FIELDS, QUIET_HOURS, Kind, TermField
from app.base.i18n import SOURCE, translate
from app.brands.programme import Programme

Json = Mapping[str, JsonValue]
Texts = dict[str, str]
"""A form's texts by the name of the input."""
_TAGS = ("amount", "by_currency")
"""What pydantic adds to the place of an amount."""
_JOINED = (DISCOUNT, QUIET_HOURS, BUDGET)
"""Parts of the terms that are made of several fields."""


class BadTerms(Exception):
    """Terms that cannot be; `errors` has a sentence by the name of the input."""

    def __init__(self, errors: Mapping[str, str]) -> None:
        super().__init__(errors)
        self.errors = errors


@dataclass(frozen=True, slots=True)
class TermsForm:
    """How a brand enters its terms: in which currencies, and in which zone."""

    currencies: Sequence[str]
    """Of the brand's shops; empty without a shop."""
    zone: ZoneInfo

    def inputs(self, field: TermField) -> list[tuple[str, str]]:
        """The names of a field's inputs, each with the currency that it is in."""
        if field.kind is not Kind.money or not self.currencies:
            return [(field.path, "")]
        return [(f"{field.path}.{currency}", currency) for currency in self.currencies]

    def texts(self, programme: Programme) -> Texts:
        """The programme as a form shows it."""
        stored = programme.as_json()
        found: Texts = {}
        for field in FIELDS:
            found |= self._texts(field, value_at(stored, field.path))
        return found

    def _texts(self, field: TermField, value: JsonValue) -> Texts:
        if field.kind is Kind.money:
            return {
                name: _decimal_text(value.get(currency) if isinstance(value, dict) else value)
                for name, currency in self.inputs(field)
            }
        return {field.path: self._text(field, value)}

    def _text(self, field: TermField, value: JsonValue) -> str:
        match field.kind:
            case Kind.yes:
                return "on" if value else ""
            case Kind.lines:
                return "\n".join(cast("list[str]", value or []))
            case Kind.percent:
                return _decimal_text(value)
            case Kind.moment if value:
                return moment_at(str(value), self.zone).strftime("%Y-%m-%dT%H:%M")
            case _ if isinstance(value, list):
                return " ".join(str(each) for each in value)
            case _:
                return "" if value is None else str(value)

    def programme(self, entered: Texts, present: Programme) -> Programme:
        """The present programme with what the form changed. Raises BadTerms.

        What was not changed stays exactly as it is.
        """
        stored, shown = present.as_json(), self.texts(present)
        made: dict[str, Any] = deepcopy(stored)
        changed = [
            field
            for field in FIELDS
            if any(entered.get(name, "") != shown[name] for name, _ in self.inputs(field))
        ]
        if not changed:
            return present
        for field in changed:
            if not field.path.startswith(_JOINED):
                _put(made, field.path, self._value(field, entered, value_at(stored, field.path)))
        touched = {part for part in _JOINED for field in changed if field.path.startswith(part)}
        for part in touched:
            _put(made, part, self._joined(part, entered, stored))
        try:
            return Programme.model_validate(made)
        except ValidationError as error:
            raise BadTerms(self._errors(error, made)) from None

    def _joined(self, part: str, entered: Texts, stored: Json) -> JsonValue:
        fields = {field.path: field for field in FIELDS if field.path.startswith(part)}
        values = {
            path.removeprefix(f"{part}."): self._value(field, entered, value_at(stored, path))
            for path, field in fields.items()
        }
        if part == DISCOUNT:
            name = "percent" if values["kind"] == "percent" else "amount"
            return {"kind": values["kind"], "value": values[name] or ""}
        if part == BUDGET and not values["period"]:
            return None
        if part == BUDGET:
            return {**values, "amount": values["amount"] or ""}
        return values if any(values.values()) else None

    def _value(self, field: TermField, entered: Texts, stored: JsonValue) -> JsonValue:
        """The JSON value of what was entered, or a text that the programme refuses."""
        text = entered.get(field.path, "")
        is_list = field.kind is Kind.ticks or field.path.endswith(".channels")
        match field.kind:
            case Kind.money:
                return self._amounts(field, entered, stored)
            case Kind.percent:
                return _number_text(text)
            case Kind.yes:
                return bool(text)
            case Kind.lines:
                return [line.strip() for line in text.splitlines() if line.strip()]
            case Kind.moment if text:
                return self._moment(text)
            case _:
                return list(text.split()) if is_list else text or (None if field.empty else "")

    def _amounts(self, field: TermField, entered: Texts, stored: JsonValue) -> JsonValue:
        """One amount where all currencies have the same and were one before, else a map."""
        given = {
            currency: _number_text(entered[name])
            for name, currency in self.inputs(field)
            if entered.get(name)
        }
        if not given:
            return None if field.empty else ""
        is_one = len(given) == len(self.inputs(field)) and len(set(given.values())) == 1
        if is_one and not isinstance(stored, dict):
            return next(iter(given.values()))
        return dict(given)

    def _moment(self, text: str) -> str:
        try:
            return datetime.fromisoformat(text).replace(tzinfo=self.zone).isoformat()
        except ValueError:
            return text

    def _errors(self, error: ValidationError, made: Json) -> dict[str, str]:
        found: dict[str, str] = {}
        for each in error.errors(include_url=False, include_input=False):
            parts = [str(part) for part in each["loc"] if isinstance(part, str) and part not in _TAGS]
            found.setdefault(self.input_at(".".join(parts), made), _sentence(each["type"], dict(each)))
        return found

    def input_at(self, place: str, made: Json) -> str:
        """The name of the input at fault, by a place in the terms; of a whole part its first."""
        if not place:
            return "ends_at"
        if place.startswith(f"{DISCOUNT}.value"):
            kind = value_at(made, f"{DISCOUNT}.kind")
            place = place.replace(".value", ".percent" if kind == "percent" else ".amount", 1)
        names = [name for field in FIELDS for name, _ in self.inputs(field)]
        if place in names:
            return place
        inside = [name for name in names if name.startswith(f"{place}.")]
        around = [name for name in names if place.startswith(f"{name}.")]
        return (inside or around or ["ends_at"])[0]


def moment_at(stored: str, zone: ZoneInfo) -> datetime:
    """A stored date in the zone; one at the end of the calendar, as some were stored, as it is."""
    at = datetime.fromisoformat(stored)
    try:
        return at.astimezone(zone)
    except OverflowError:
        return at


def value_at(stored: Json, path: str) -> JsonValue:
    """The value of a field; None where a part of its path is not there."""
    head, _, last = path.rpartition(".")
    if head == DISCOUNT and last in ("percent", "amount"):
        return value_at(stored, f"{DISCOUNT}.value") if value_at(stored, f"{DISCOUNT}.kind") == last else None
    value: JsonValue = dict(stored)
    for name in path.split("."):
        value = value.get(name) if isinstance(value, dict) else None
    return value


def _put(made: dict[str, Any], path: str, value: JsonValue) -> None:
    *parts, last = path.split(".")
    for name in parts:
        made = made[name]
    made[last] = value


def _decimal_text(value: JsonValue) -> str:
    """`10` for `10.00`, `9.50` as it is."""
    if value is None:
        return ""
    number = Decimal(str(value))
    return f"{number:.0f}" if number == number.to_integral_value() else f"{number:f}"


def _number_text(text: str) -> str:
    """A number as it is written here or with a comma: `9,50` is `9.50`."""
    plain = text.replace("\u00a0", "").replace(" ", "")
    if plain.count(",") == 1 and "." not in plain:
        plain = plain.replace(",", ".")
    try:
        return plain if Decimal(plain).is_finite() else text
    except InvalidOperation:
        return text


def _sentence(kind: str, error: Mapping[str, Any]) -> str:
    """What is wrong with a field, in a sentence."""
    limits = error.get("ctx", {})
    if kind in ("int_parsing", "int_type", "int_from_float"):
        return translate(SOURCE, "Write a whole number.")
    if kind.startswith(("decimal_", "missing")):
        return translate(SOURCE, "Write a number such as 10 or 9.50.")
    if kind == "greater_than_equal":
        return translate(SOURCE, "It is at least %(least)s.", least=limits["ge"])
    if kind == "less_than_equal":
        return translate(SOURCE, "It is at most %(most)s.", most=limits["le"])
    if kind.startswith(("time_", "datetime_")):
        return translate(SOURCE, "Write a time, or leave it empty.")
    text = str(error["msg"]).removeprefix("Value error, ")
    return f"{text[:1].upper()}{text[1:]}."
