"""Write `locales/tenfold.pot` from the texts for customers, and merge it into each catalog.

Texts that staff alone read go to `locales/staff.pot`: the dashboard is in English only.

Run: uv run python locales/extract.py
A new language: mkdir -p locales/fr/LC_MESSAGES, an empty tenfold.po in it, then run this. A folder
`fr@informal` has only the texts that differ from those of `fr`.
"""

from io import BytesIO
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po, write_po

from app.base.i18n import DOMAIN, LOCALES, language_tag
from app.base.paths import ROOT
from app.base.templates import EXTENSIONS

TEMPLATE = LOCALES / f"{DOMAIN}.pot"
STAFF_TEMPLATE = LOCALES / "staff.pot"
_STAFF = ("app/admin/", "app/insight/", "app/platforms/", "templates/web/admin/")
KEYWORDS = {
    "N_": None,
    "_": None,
    "gettext": None,
    "ngettext": (1, 2),
    "translate": (2,),
    "translate_plural": (2, 3),
}
METHODS = [
    ("app/**.py", "python"),
    # The MJML sources are compiled to the HTML beside them, which holds the same texts.
    ("templates/**.html", "jinja2"),
    ("templates/**.txt", "jinja2"),
]
JINJA = {
    "extensions": ",".join(EXTENSIONS),
    "newstyle_gettext": "true",
    "trimmed": "true",
    "trim_blocks": "true",
    "lstrip_blocks": "true",
    "silent": "false",
}


def extract() -> Catalog:
    """Every marked text with the files that use it, by its English wording."""
    catalog = Catalog(project=DOMAIN, charset="utf-8")
    options = {pattern: JINJA for pattern, method in METHODS if method == "jinja2"}
    found = extract_from_dir(
        ROOT, METHODS, options, KEYWORDS, comment_tags=("L10N:",), strip_comment_tags=True
    )
    for path, line, text, comments, context in found:
        catalog.add(text, None, [(path, line)], auto_comments=comments, context=context)
    return catalog


def of_customers(catalog: Catalog, *, staff: bool = False) -> Catalog:
    """The texts that customers read too; with `staff` those that staff alone read."""
    chosen = Catalog(project=DOMAIN, charset="utf-8")
    for message in catalog:
        if message.id and staff is all(path.startswith(_STAFF) for path, _ in message.locations):
            chosen[message.id] = message
    return chosen


def written(catalog: Catalog) -> bytes:
    """The catalog as a file: sorted and without line numbers and dates: only texts change it."""
    out = BytesIO()
    write_po(
        out,
        catalog,
        width=100,
        omit_header=catalog.locale is None,
        sort_output=True,
        include_lineno=False,
        ignore_obsolete=True,
    )
    return out.getvalue()


def update(path: Path, template: Catalog) -> None:
    """Merge the texts into one language's file.

    Texts whose wording changed are marked fuzzy and stay English. A variant keeps only those that
    it has itself.
    """
    name = path.parent.parent.name
    locale = language_tag(name)
    with path.open("rb") as source:
        catalog = read_po(source, locale=locale, domain=DOMAIN)
    # A variant lacks most texts, and they are not like those that it has.
    catalog.update(template, update_creation_date=False, no_fuzzy_matching=name != locale)
    for message in list(catalog):
        # A text of one form is a string, one of several a tuple of them.
        if name != locale and message.id and not any(message.string or ()):
            catalog.delete(message.id, message.context)
    path.write_bytes(written(catalog))


if __name__ == "__main__":
    texts = extract()
    customers = of_customers(texts)
    TEMPLATE.write_bytes(written(customers))
    STAFF_TEMPLATE.write_bytes(written(of_customers(texts, staff=True)))
    for file in sorted(LOCALES.glob(f"*/LC_MESSAGES/{DOMAIN}.po")):
        update(file, customers)
