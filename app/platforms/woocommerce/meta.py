"""The `meta_data` of WooCommerce's orders and customers: what plugins added, by keys."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from app.base.text import one_line_or_none
from app.customers.person import ConsentStatement
from app.platforms.consent_words import consent_of_word
from app.platforms.fields import Fields

_TICKED = {"1": True, "on": True, "y": True, "0": False, "off": False, "n": False}
"""How plugins store a checkbox, besides the words that every shop uses."""


@dataclass(frozen=True, slots=True)
class Meta:
    """The values by their keys; of a key that comes twice the first, as WordPress reads it."""

    values: Mapping[str, Any]

    @classmethod
    def of(cls, body: Fields) -> "Meta":
        """Read it from an order or a customer; what is no entry is left out."""
        entries = body.values.get("meta_data")
        values: dict[str, Any] = {}
        for entry in entries if isinstance(entries, list) else ():
            if isinstance(entry, dict) and isinstance(key := entry.get("key"), str):
                values.setdefault(key, entry.get("value"))
        return cls(values)

    def text(self, key: str | None, *, limit: int = 200) -> str | None:
        """A text under this key; None where there is no key, or something else."""
        value = self.values.get(key) if key else None
        return one_line_or_none(value, limit=limit) if isinstance(value, str) else None

    def consent(self, key: str | None) -> ConsentStatement:
        """What the field under this key states; an empty or unknown value is no statement."""
        value = self.values.get(key) if key else None
        if not isinstance(value, (str, bool, int)):
            return ConsentStatement()
        word = str(value).strip().lower()
        given = _TICKED.get(word)
        return ConsentStatement(given=consent_of_word(word) if given is None else given, source="woocommerce")
