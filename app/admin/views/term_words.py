"""Terms in words: each value, what differs between two programmes, and what a switch stops."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from zoneinfo import ZoneInfo

from pydantic import JsonValue

from app.admin.texts import moment_text
from app.admin.views.term_fields import FIELDS, SWITCHES, Kind, TermField
from app.admin.views.term_form import moment_at, value_at
from app.base.i18n import N_, SOURCE, shown_decimal, shown_percent, translate
from app.brands.programme import Programme


@dataclass(frozen=True, slots=True)
class ShownChange:
    """A term that differs, in words."""

    name: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class TermWords:
    """How a brand reads its terms."""

    currencies: Sequence[str]
    zone: ZoneInfo

    def changes(self, before: Programme, after: Programme) -> list[ShownChange]:
        """What differs, switches too, in the order of the form."""
        old, new = before.as_json(), after.as_json()
        return [
            ShownChange(translate(SOURCE, field.name), self.value(field, one), self.value(field, other))
            for field in (*FIELDS, *SWITCHES)
            if (one := value_at(old, field.path)) != (other := value_at(new, field.path))
        ]

    def value(self, field: TermField, value: JsonValue) -> str:
        """`10%`, `30 days`, `€10`, `no limit`."""
        if value is None or value == []:
            return translate(SOURCE, field.empty) if field.empty else "–"
        match field.kind:
            case Kind.percent:
                return shown_percent(Decimal(str(value)), SOURCE)
            case Kind.money:
                return self._amounts(value)
            case Kind.moment:
                return moment_text(moment_at(str(value), self.zone), SOURCE)
            case Kind.number:
                return f"{value} {translate(SOURCE, field.unit) if field.unit else ''}".rstrip()
            case _:
                return self._words(field, value)

    def _words(self, field: TermField, value: JsonValue) -> str:
        parts = [str(each) for each in value] if isinstance(value, list) else [str(value)]
        if field.kind is Kind.yes:
            return translate(SOURCE, "on") if value else translate(SOURCE, "off")
        if field.kind is Kind.choice:
            return self._chosen(field, " ".join(parts))
        return ", ".join(self._chosen(field, each) for each in parts)

    def _chosen(self, field: TermField, value: str) -> str:
        name = dict(field.options).get(value)
        return translate(SOURCE, name) if name else value

    def _amounts(self, value: JsonValue) -> str:
        if isinstance(value, dict):
            return ", ".join(shown_decimal(Decimal(str(each)), code, SOURCE) for code, each in value.items())
        amounts = [shown_decimal(Decimal(str(value)), code, SOURCE) for code in self.currencies]
        return ", ".join(amounts) or str(value)


@dataclass(frozen=True, slots=True)
class SwitchWords:
    """What a switch does, and what its change stops and leaves; marked for translation."""

    name: str
    runs: str
    off: str
    stops: str
    stays: str
    begins: str


SWITCH_WORDS = {
    "surveys_enabled": SwitchWords(
        N_("Surveys"),
        N_("Customers are asked after their orders."),
        N_("Nobody is asked."),
        N_(
            "New orders are not asked about, and surveys and reminders that fall due meanwhile are not sent, later neither."
        ),
        N_("Surveys that were sent can still be answered, and who answers 9 or 10 still gets an offer."),
        N_(
            "New orders are asked about, and planned surveys are sent as they fall due. What was left out meanwhile is not made up for."
        ),
    ),
    "offers_enabled": SwitchWords(
        N_("Offers"),
        N_("Who answers 9 or 10 gets a code at once."),
        N_("Nobody gets a code."),
        N_("Who answers 9 or 10 is thanked, and gets no code."),
        N_("Codes and links that are out keep their terms and keep working."),
        N_("Who answers 9 or 10 from now on gets a code."),
    ),
    "redemptions_enabled": SwitchWords(
        N_("Redemptions"),
        N_("Friends’ orders count, and referrers are rewarded."),
        N_("Friends’ orders do not count."),
        N_(
            "A friend’s order with a code does not count, the checkout refuses codes, and share links show no offer."
        ),
        N_("Orders that count already are rewarded once they are kept, and rewards can be spent."),
        N_("Friends’ orders from now on count."),
    ),
}
"""By the field of the programme."""
