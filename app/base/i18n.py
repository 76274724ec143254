"""Languages: which ones exist, which one a reader gets, and texts translated by gettext catalogs.

English is the source language and has no catalog. Every other language is a file
`locales/<tag>/LC_MESSAGES/tenfold.po`, where the folder is a language tag such as `de` or `pt_BR`.
A folder `de@informal` holds a variant: the texts that differ where readers are addressed in another
form. Catalogs are compiled in memory when they are first used, so no stale `.mo` file can be
shipped.

Texts carry values by name, `%(name)s`; a literal per cent sign is written `%%`.
`locales/extract.py` finds every text that is marked in code and templates.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from functools import cache, lru_cache
from io import BytesIO

from babel import Locale, UnknownLocaleError
from babel.core import get_global
from babel.dates import format_date, format_skeleton
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.numbers import format_currency, format_percent
from babel.support import NullTranslations, Translations

from app.base import money
from app.base.paths import ROOT

LOCALES = ROOT / "locales"
DOMAIN = "tenfold"
NO_BREAK = "\u00a0"
"""A space at which no line ends."""
SOURCE = "en"
"""The language that the texts in code and templates are written in."""


def languages() -> Sequence[str]:
    """Every language as a BCP 47 tag (`en`, `de`, `pt-BR`): English first, then by name."""
    return tuple(tag for tag in _catalogs() if "@" not in tag)


def variants() -> Sequence[str]:
    """The languages in another form of address, such as `de@informal`."""
    return tuple(tag for tag in _catalogs() if "@" in tag)


@cache
def _catalogs() -> Sequence[str]:
    found = LOCALES.glob(f"*/LC_MESSAGES/{DOMAIN}.po")
    return (SOURCE, *sorted(path.parent.parent.name.replace("_", "-") for path in found))


def language_of(*locales: str | None, variant: str | None = None) -> str:
    """The language of the first locale that has one here, else English.

    A locale is `de`, `de-AT` or `de_AT` in any case; None, empty and unreadable ones are skipped.
    Callers name the person's locale first and the brand's default last. With `variant` it is the
    language's variant of that name, `de@informal`, where it has one.
    """
    language = _language_of(*locales)
    named = f"{language}@{variant}"
    return named if named in _catalogs() else language


def language_tag(language: str) -> str:
    """The BCP 47 tag of a language or variant, for `lang` in HTML and for its locale."""
    return language.partition("@")[0]


@cache
def _by_lower_case() -> Mapping[str, str]:
    return {tag.lower(): tag for tag in languages()}


@lru_cache(maxsize=1024)
def known_language(locale: str) -> str | None:
    """The language of a locale as `language_of` reads it; None where it is none of ours."""
    parts = locale.replace("_", "-").lower().split("-")
    while parts:
        if tag := _by_lower_case().get("-".join(parts)):
            return tag
        parts.pop()
    return None


@lru_cache(maxsize=1024)
def _language_of(*locales: str | None) -> str:
    return next(filter(None, (known_language(locale or "") for locale in locales)), SOURCE)


@cache
def translations(language: str) -> NullTranslations:
    """The catalog of one of `languages()` or `variants()`.

    A text that a variant lacks is its language's; one that a language lacks stays English. Raises
    FileNotFoundError for any other language.
    """
    if language == SOURCE:
        return NullTranslations()
    path = LOCALES / language.replace("-", "_") / "LC_MESSAGES" / f"{DOMAIN}.po"
    with path.open("rb") as source:
        catalog = read_po(source, locale=language_tag(language).replace("-", "_"), domain=DOMAIN)
    for message in list(catalog):
        # Compiling would put the English text of a plural that has no translation.
        if isinstance(message.string, tuple) and not all(message.string):
            catalog.delete(message.id, message.context)
    compiled = BytesIO()
    write_mo(compiled, catalog)
    compiled.seek(0)
    found = Translations(compiled, domain=DOMAIN)
    if language != language_tag(language):
        found.add_fallback(translations(language_tag(language)))
    return found


def N_(text: str) -> str:  # noqa: N802  # gettext's own name, which extraction tools know
    """Mark a text in a table for extraction and return it as it is.

    It is translated where it is shown.
    """
    return text


def translate(language: str, text: str, /, **values: object) -> str:
    """`text` in `language` with `values` in place of `%(name)s`.

    Raises KeyError where a value is missing.
    """
    return translations(language).gettext(text) % values


def translate_plural(language: str, one: str, many: str, count: int, /, **values: object) -> str:
    """The form of the text that `language` uses for `count`, which is also the value `%(num)s`."""
    return translations(language).ngettext(one, many, count) % {"num": count, **values}


@lru_cache(maxsize=4096)
def shown_amount(minor: int, currency: str, language: str, *locales: str | None) -> str:
    """An amount in minor units as the reader's language and region write it.

    `$10`, `¥1,500`, `€9.50`, in German `10 €`; whole amounts have no decimals.
    """
    return shown_decimal(money.to_decimal(minor, currency), currency, language, *locales)


@lru_cache(maxsize=4096)
def shown_decimal(amount: Decimal, currency: str, language: str, *locales: str | None) -> str:
    """As `shown_amount`, of major units, rounded half up to the currency's decimals."""
    rounded = _rounded(amount, currency)
    places = 0 if rounded == rounded.to_integral_value() else money.exponent(currency)
    return _shown_amount(rounded, currency, places, _number_locale(language, *locales))


@lru_cache(maxsize=4096)
def exact_decimal(amount: Decimal, currency: str, language: str) -> str:
    """An amount of a column, of major units: `€10.00` below `€9.50`, and `−€2.50`.

    Always with the currency's decimals, and with a minus sign as wide as the digits.
    """
    rounded = _rounded(amount, currency)
    text = _shown_amount(rounded, currency, money.exponent(currency), _number_locale(language))
    return text.replace("-", "\N{MINUS SIGN}")


def _rounded(amount: Decimal, currency: str) -> Decimal:
    return amount.quantize(Decimal(1).scaleb(-money.exponent(currency)), ROUND_HALF_UP)


def _shown_amount(amount: Decimal, currency: str, places: int, locale: Locale) -> str:
    decimals = f"0.{'0' * places}" if places else "0"
    # The decimals of ISO 4217: those that CLDR shows are fewer for some currencies.
    pattern = re.sub(r"0(?:\.0+)?(?![0#,])", decimals, locale.currency_formats["standard"].pattern)
    text = format_currency(amount, currency, format=pattern, locale=locale, currency_digits=False)
    # A currency without a sign of its own is its three letters, which CLDR sets apart.
    return re.sub(r"([A-Z])(?=\d)", "\\1\u00a0", text)


@lru_cache(maxsize=1024)
def shown_percent(percent: Decimal, language: str, *locales: str | None) -> str:
    """A percentage as the reader's language writes it: `12.5%`, in German `12,5 %`."""
    locale = _number_locale(language, *locales)
    pattern = re.sub(r"0(?![0#,])", "0.###", locale.percent_formats[None].pattern)
    return format_percent(percent / 100, format=pattern, locale=locale)


def _number_locale(language: str, *locales: str | None) -> Locale:
    """As `regional_locale`, but plain English has the short signs: `$10`, not `US$10`."""
    found = regional_locale(language, *locales)
    return Locale(SOURCE) if found.territory == "001" else found


@lru_cache(maxsize=1024)
def regional_locale(language: str, *locales: str | None) -> Locale:
    """The locale for dates of a page in `language`: the first of `locales` in that language.

    Without one it is the language's own. Plain English writes dates as most countries do, `31
    December 2026`.
    """
    own = Locale.parse(language_tag(language), sep="-")
    for locale in locales:
        found = parse_locale(locale)
        if found is not None and found.language == own.language and found.territory:
            return found
    return Locale("en", "001") if language == SOURCE else own


@lru_cache(maxsize=1024)
def parse_locale(locale: str | None) -> Locale | None:
    """A locale as a person or a shop writes it, `de-AT` or `de_AT`; None for an unreadable one."""
    try:
        return Locale.parse((locale or "").replace("_", "-"), sep="-")
    except (ValueError, UnknownLocaleError):
        return None


@lru_cache(maxsize=256)
def likely_territory(language: str) -> str | None:
    """The country where most people speak the language, by CLDR: `DE` of `de`, `US` of `en`."""
    tag = language_tag(language).replace("-", "_")
    return Locale.parse(get_global("likely_subtags").get(tag, tag)).territory


@lru_cache(maxsize=4096)
def long_date(day: date, language: str, *locales: str | None) -> str:
    """The day in words, `31 December 2026`, in the conventions of `regional_locale`."""
    return format_date(day, format="long", locale=regional_locale(language, *locales))


@lru_cache(maxsize=4096)
def day_in_text(day: date, language: str, *locales: str | None) -> str:
    """As `long_date`, with the day and the month on one line: a `1.` that ends one is misread."""
    return long_date(day, language, *locales).replace(" ", NO_BREAK, 1)


@lru_cache(maxsize=4096)
def short_date(day: date, language: str, *locales: str | None) -> str:
    """The day of a near date, `31 Dec`, in the conventions of `regional_locale`."""
    return format_skeleton("MMMd", day, locale=regional_locale(language, *locales))


@lru_cache(maxsize=4096)
def skeleton_date(day: date, skeleton: str, language: str) -> str:
    """The day with the parts that a skeleton of CLDR names: `3 Mar 2026` by `yMMMd`."""
    return format_skeleton(skeleton, day, locale=regional_locale(language))


def reload_catalogs() -> None:
    """Read the folder again on the next use; for tests with a catalog of their own."""
    for cached in (_catalogs, _by_lower_case, known_language, _language_of, translations):
        cached.cache_clear()
