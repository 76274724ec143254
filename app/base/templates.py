"""Jinja2 environments over the folders of `templates/`, one per folder and language."""

from collections.abc import Callable
from functools import lru_cache

from babel.support import NullTranslations
from jinja2 import Environment, FileSystemLoader, StrictUndefined, nodes
from markupsafe import Markup

from app.base.i18n import SOURCE, translations
from app.base.paths import ROOT
from app.base.template_nodes import Simplifier

EXTENSIONS = ("jinja2.ext.i18n", "jinja2.ext.do")


def make_environment(folder: str, *, language: str = SOURCE, autoescape: bool = True) -> Environment:
    """The environment over one folder of `templates/`, whose texts are in `language`; cached.

    `_("…")`, `gettext`, `ngettext` and `{% trans %}` take their values by name and escape them
    where `autoescape` is on. A missing name raises `jinja2.UndefinedError`; it never leaves a gap.
    """
    # `translations` is the one place that caches catalogs: an environment is made for each.
    return _make_environment(folder, autoescape, translations(language))


@lru_cache(maxsize=64)
def _make_environment(folder: str, autoescape: bool, catalog: NullTranslations) -> Environment:
    environment = _Environment(
        loader=FileSystemLoader(ROOT / "templates" / folder),
        autoescape=autoescape,
        undefined=StrictUndefined,
        # Else every page asks the file system whether its templates have changed.
        auto_reload=False,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=EXTENSIONS,
    )
    environment.policies["ext.i18n.trimmed"] = True
    environment.newstyle_gettext = True  # type: ignore[attr-defined]  # added by the i18n extension
    texts = _Texts(catalog, Markup if autoescape else str)
    environment.globals.update(_=texts.gettext, gettext=texts.gettext, ngettext=texts.ngettext)
    environment.simplifier = Simplifier(environment, catalog.gettext, texts.mark)
    return environment


class _Environment(Environment):
    """An environment whose templates are simplified before they are compiled."""

    simplifier: Simplifier

    def _generate(
        self, source: nodes.Template, name: str | None, filename: str | None, defer_init: bool = False
    ) -> str:
        self.simplifier.visit(source)
        return super()._generate(source, name, filename, defer_init)


class _Texts:
    """The functions that translate texts which are not known before a template is shown.

    Those that the extension makes leave a text without values as it is marked, `5%%`.
    """

    def __init__(self, catalog: NullTranslations, mark: Callable[[str], str]) -> None:
        self._catalog = catalog
        self.mark = mark

    def gettext(self, text: str, /, **values: object) -> str:
        """The text with its values, which are escaped where the environment does so.

        Raises `KeyError` where a value is missing.
        """
        return self.mark(self._catalog.gettext(text)) % values

    def ngettext(self, one: str, many: str, count: int, /, **values: object) -> str:
        """The form of the text for `count`, which is the value `num` unless another is given."""
        return self.mark(self._catalog.ngettext(one, many, count)) % {"num": count, **values}
