"""A language of the test's own."""

import html
import re
from collections.abc import Callable, Iterator
from functools import cache
from io import BytesIO

import pytest
from babel.messages.pofile import write_po

from app.base import i18n
from locales.extract import extract


@pytest.fixture
def add_language(tmp_path, monkeypatch) -> Iterator[Callable[[str, str], None]]:
    """Add a language for this test: its folder's name and the entries of its catalog, as in a .po
    file."""

    def add(folder: str, entries: str) -> None:
        path = tmp_path / folder / "LC_MESSAGES" / "tenfold.po"
        path.parent.mkdir(parents=True)
        path.write_text(
            'msgid ""\nmsgstr ""\n"Content-Type: text/plain; charset=utf-8\\n"\n'
            '"Plural-Forms: nplurals=2; plural=(n != 1);\\n"\n' + entries
        )
        i18n.reload_catalogs()

    monkeypatch.setattr(i18n, "LOCALES", tmp_path)
    yield add
    monkeypatch.undo()
    i18n.reload_catalogs()


@cache
def marked_entries() -> str:
    """A catalog in which every text stands between « and »."""
    catalog = extract()
    for message in catalog:
        if message.id:
            forms = message.id if isinstance(message.id, tuple) else (message.id,)
            shown = tuple(f"«{form}»" for form in forms)
            message.string = shown if len(shown) > 1 else shown[0]
    entries = BytesIO()
    write_po(entries, catalog, omit_header=True)
    return entries.getvalue().decode()


@pytest.fixture
def marked_language(add_language) -> str:
    """A language whose catalog has every text, between « and »; what is not marked on a page is not
    translated."""
    add_language("nl", marked_entries())
    return "nl"


def bare_words(page: str) -> set[str]:
    """The words of a page in `marked_language` that came from no catalog: values, and texts nobody
    marked."""
    body = re.sub(r"<head>.*?</head>|<svg.*?</svg>|<textarea.*?</textarea>", " ", page, flags=re.DOTALL)
    read_aloud = re.findall(r"""\b(?:aria-label|title|alt|placeholder)="([^"]*)""", page)
    shown = html.unescape(" ".join([re.sub(r"<[^>]*>", " ", body), *read_aloud]))
    while (outside := re.sub(r"«[^«»]*»", " ", shown)) != shown:
        shown = outside
    return set(re.findall(r"[^\W\d_]{2,}", shown))
