"""A language of the test's own."""

from collections.abc import Callable, Iterator

import pytest

from app.base import i18n


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
