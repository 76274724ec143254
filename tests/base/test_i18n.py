"""Languages: which one a reader gets, and texts from catalogs."""

from datetime import date
from decimal import Decimal

import pytest
from babel.messages.pofile import read_po
from jinja2 import UndefinedError

from app.base.i18n import (
    LOCALES,
    N_,
    exact_decimal,
    language_of,
    languages,
    long_date,
    shown_amount,
    shown_decimal,
    shown_percent,
    translate,
    translate_plural,
    translations,
    variants,
)
from app.base.templates import make_environment
from locales.extract import STAFF_TEMPLATE, TEMPLATE, extract, of_customers, update, written

DUTCH = """
msgid "Hello %(name)s"
msgstr "Dag %(name)s"

msgid "%(num)s minute"
msgid_plural "%(num)s minutes"
msgstr[0] "%(num)s minuut"
msgstr[1] "%(num)s minuten"

#, fuzzy
msgid "Good night"
msgstr "Goedemorgen"
"""


def test_english_needs_no_catalog():
    assert languages()[0] == "en"
    assert translate("en", "Hello %(name)s", name="Ana") == "Hello Ana"
    assert translate_plural("en", "%(num)s minute", "%(num)s minutes", 2) == "2 minutes"
    assert N_("Hello") == "Hello"


def test_language_with_a_catalog_is_found_and_used(add_language):
    add_language("nl", DUTCH)
    assert "nl" in languages()
    assert translate("nl", "Hello %(name)s", name="Ana") == "Dag Ana"
    assert [translate_plural("nl", "%(num)s minute", "%(num)s minutes", count) for count in (1, 2)] == [
        "1 minuut",
        "2 minuten",
    ]


def test_text_that_a_catalog_lacks_or_has_as_fuzzy_stays_english(add_language):
    add_language("nl", DUTCH)
    assert translate("nl", "Good morning") == "Good morning"
    assert translate("nl", "Good night") == "Good night"


def test_unknown_language_has_no_catalog():
    with pytest.raises(FileNotFoundError):
        translations("xx")


def test_text_without_one_of_its_values_is_an_error():
    with pytest.raises(KeyError):
        translate("en", "Hello %(name)s")


@pytest.mark.parametrize(
    ("locales", "language"),
    [
        ((), "en"),
        ((None, ""), "en"),
        (("nl",), "nl"),
        (("nl-BE",), "nl"),
        (("nl_BE.UTF-8",), "nl"),
        (("NL_be",), "nl"),
        (("pt-BR", "nl"), "pt-BR"),
        (("PT_br",), "pt-BR"),
        (("pt-PT", "nl"), "nl"),
        (("zh-Hant-TW", None, "nl-NL"), "nl"),
        (("en-US", "nl"), "en"),
        (("-", "x" * 99), "en"),
    ],
)
def test_language_is_that_of_the_first_locale_we_have(add_language, locales, language):
    add_language("nl", DUTCH)
    add_language("pt_BR", "")
    assert language_of(*locales) == language


@pytest.mark.parametrize(
    ("language", "locales", "shown"),
    [
        ("en", (), "31 December 2026"),
        ("en", ("en-US",), "December 31, 2026"),
        ("en", ("de-DE", None, "nonsense!", "en_GB"), "31 December 2026"),
        ("de", ("en-US",), "31. Dezember 2026"),
        ("pt-BR", ("pt-PT",), "31 de dezembro de 2026"),
    ],
)
def test_dates_follow_the_language_and_the_readers_region(language, locales, shown):
    assert long_date(date(2026, 12, 31), language, *locales) == shown


def test_template_is_rendered_in_the_language_of_its_environment(add_language):
    add_language("nl", DUTCH)
    source = "{{ _('Hello %(name)s', name=name) }} {% trans num=2 %}{{ num }} minute{% pluralize %}{{ num }} minutes{% endtrans %}"
    for language, shown in (("nl", "Dag &lt;b&gt; 2 minuten"), ("en", "Hello &lt;b&gt; 2 minutes")):
        assert make_environment("web", language=language).from_string(source).render(name="<b>") == shown


def test_environment_is_built_once_per_folder_and_language():
    assert make_environment("web", language="en") is make_environment("web", language="en")


@pytest.mark.parametrize(
    ("minor", "currency", "locale", "shown"),
    [
        (1000, "USD", "en", "$10"),
        (1500, "JPY", "en", "¥1,500"),
        (950, "EUR", "en", "€9.50"),
        (1000, "USD", "en-GB", "US$10"),
        (1500, "KWD", "en", "KWD\u00a01.500"),
        (1500, "IQD", "en", "IQD\u00a01.500"),
        (-123456, "EUR", "en", "-€1,234.56"),
        (12345678900, "INR", "en-IN", "₹12,34,56,789"),
    ],
)
def test_amounts_are_written_as_the_reader_writes_them(minor, currency, locale, shown):
    assert shown_amount(minor, currency, "en", locale) == shown


def test_amounts_follow_the_language(add_language):
    add_language("de", "")
    assert shown_amount(1000, "EUR", "de") == "10\u00a0€"
    assert shown_amount(123450, "EUR", "de", "de-AT") == "€\u00a01.234,50"
    assert shown_percent(Decimal("12.5"), "de") == "12,5\u00a0%"
    assert shown_percent(Decimal("10.00"), "en") == "10%"
    assert shown_decimal(Decimal("7.995"), "EUR", "en") == "€8"


@pytest.mark.parametrize(
    ("amount", "currency", "shown"),
    [
        ("85", "EUR", "€85.00"),
        ("-2.5", "EUR", "−€2.50"),
        ("1500", "JPY", "¥1,500"),
        ("7.995", "EUR", "€8.00"),
        ("1234567.89", "EUR", "€1,234,567.89"),
    ],
)
def test_amounts_of_a_column_have_all_their_decimals(amount, currency, shown):
    assert exact_decimal(Decimal(amount), currency, "en") == shown


def test_missing_value_in_a_template_is_an_error():
    with pytest.raises(UndefinedError):
        make_environment("web").from_string("{{ missing }}").render()


def test_the_template_catalog_holds_every_marked_text():
    texts = extract()
    for file, staff in ((TEMPLATE, False), (STAFF_TEMPLATE, True)):
        assert file.read_bytes() == written(of_customers(texts, staff=staff)), (
            "run: uv run python locales/extract.py"
        )


def test_every_language_is_as_the_script_leaves_it(tmp_path):
    """So no text is missing, and none is left that nothing uses."""
    with TEMPLATE.open("rb") as source:
        template = read_po(source)
    catalogs = list(LOCALES.glob("*/LC_MESSAGES/tenfold.po"))
    assert len(catalogs) >= 2
    for file in catalogs:
        copy = tmp_path / file.relative_to(LOCALES)
        copy.parent.mkdir(parents=True)
        copy.write_bytes(file.read_bytes())
        update(copy, template)
        assert copy.read_bytes() == file.read_bytes(), "run: uv run python locales/extract.py"


def test_variant_has_its_languages_texts_where_it_has_none(add_language):
    add_language("nl", DUTCH)
    add_language("nl@informal", 'msgid "Hello %(name)s"\nmsgstr "Hoi %(name)s"\n')
    assert variants() == ("nl@informal",)
    assert "nl@informal" not in languages()
    assert language_of("nl-BE", variant="informal") == "nl@informal"
    assert language_of("nl-BE", variant="formal") == language_of("nl@informal-BE", "nl") == "nl"
    assert translate("nl@informal", "Hello %(name)s", name="Ana") == "Hoi Ana"
    assert translate_plural("nl@informal", "%(num)s minute", "%(num)s minutes", 2) == "2 minuten"
    assert long_date(date(2026, 12, 31), "nl@informal", "nl-BE") == "31 december 2026"
    assert shown_amount(950, "EUR", "nl@informal") == "€\u00a09,50"


def test_texts_of_templates_take_their_values_by_name_and_escape_them():
    environment = make_environment("web")
    shown = environment.from_string(
        '{{ _("%(a)s at 5%%", a=a) }} {{ _("5%% off") }} '
        "{% trans count=2 %}one{% pluralize %}{{ count }} of {{ a }}{% endtrans %}"
    )
    assert shown.render(a="<b>") == "&lt;b&gt; at 5% 5% off 2 of &lt;b&gt;"
    with pytest.raises(KeyError):
        environment.from_string('{{ _("%(a)s") }}').render()
