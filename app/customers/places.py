"""Countries, languages and time zones, as shops write them. Pure."""

import re
from collections.abc import Mapping
from datetime import datetime
from functools import cache, lru_cache
from zoneinfo import ZoneInfo

import phonenumbers
from babel.core import Locale, get_global

from app.brands.rules import is_zone

_LOCALE = re.compile(r"([a-z]{2,3})(?:[-_]([a-z]{4}))?(?:[-_]([a-z]{2}))?(?:[-_.@].*)?", re.IGNORECASE)


def shop_regions(locale: str, time_zone: str, currency: str) -> tuple[str, ...]:
    """The countries that a shop's national phone numbers may belong to, the most likely first.

    They come from its locale, zone and currency. The first two letters of a currency are its
    country in ISO 4217 (JPY, CHF); EUR and XOF name none.
    """
    tag = locale_tag(locale) or ""
    zone_country = get_global("zone_territories").get(time_zone)
    hints = (tag.rpartition("-")[2] if "-" in tag else None, zone_country, currency[:2].upper())
    return tuple(dict.fromkeys(hint for hint in hints if hint in phonenumbers.SUPPORTED_REGIONS))


@lru_cache(maxsize=1024)
def country_code(text: str | None) -> str | None:
    """The ISO 3166 code in capitals, or None; `UK` and `EL` are read as `GB` and `GR`.

    A code of three letters and a name in English or German are read too: some countries need a
    consent, whatever way a shop names them.
    """
    given = (text or "").strip()
    code = given.upper() if given.isascii() else ""  # `ß` would become `SS`, South Sudan
    code = {"UK": "GB", "EL": "GR"}.get(code, code)
    if len(code) == 2 or not given:
        return code if code in _countries() else None
    return _names().get(given.casefold())


def locale_tag(text: str | None) -> str | None:
    """A language tag such as `de` or `pt-BR`, however it was written, or None."""
    found = _LOCALE.fullmatch((text or "").strip()[:40])
    if found is None:
        return None
    language, script, territory = found.groups()
    parts = (language.lower(), script and script.title(), territory and territory.upper())
    return "-".join(part for part in parts if part)


@cache
def _countries() -> frozenset[str]:
    """The countries and areas of the CLDR, without `ZZ` (unknown)."""
    return frozenset(code for code in get_global("territory_zones") if len(code) == 2 and code.isalpha()) - {
        "ZZ"
    }


@cache
def _names() -> Mapping[str, str]:
    """Codes by names and by codes of three letters, case folded."""
    named = {
        name.casefold(): code
        for language in ("en", "de")
        for code, name in Locale.parse(language).territories.items()
    }
    # A former country has several codes today.
    longer = {
        alias.casefold(): codes[0]
        for alias, codes in get_global("territory_aliases").items()
        if len(codes) == 1
    }
    return {name: code for name, code in {**longer, **named}.items() if code in _countries()}


@cache
def zone_of_country(country: str | None) -> str | None:
    """A zone of the country if all its zones have the same time, else None.

    Germany has two zones with one time; Spain and the United States have several times.
    """
    zones = [name for name in get_global("territory_zones").get(country or "", []) if is_zone(name)]
    # A noon in winter and one in summer distinguish zones with different offsets or summer rules.
    noons = (datetime(2026, 1, 15, 12), datetime(2026, 7, 15, 12))  # noqa: DTZ001  # local
    offsets = {tuple(noon.replace(tzinfo=ZoneInfo(name)).utcoffset() for noon in noons) for name in zones}
    return zones[0] if len(offsets) == 1 else None
