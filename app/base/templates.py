"""Jinja2 environments over the folders of `templates/`, one per folder and language."""

from collections.abc import Callable
from functools import cache

from babel.support import NullTranslations
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from app.base.i18n import SOURCE, translations
from app.base.paths import ROOT

EXTENSIONS = ("jinja2.ext.i18n", "jinja2.ext.do")


@cache
def make_environment(folder: str, *, language: str = SOURCE, autoescape: bool = True) -> Environment:
    """The environment over one folder of `templates/`, whose texts are in `language`; cached.

    `_("…")`, `gettext`, `ngettext` and `{% trans %}` take their values by name and escape them
    where `autoescape` is on. A missing name raises `jinja2.UndefinedError`; it never leaves a gap.
    """
    environment = Environment(
        loader=FileSystemLoader(ROOT / "templates" / folder),
        autoescape=autoescape,  # noqa: S701  # off for plain-text messages alone
        undefined=StrictUndefined,
        # Else every page asks the file system whether its templates have changed.
        auto_reload=False,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=EXTENSIONS,
    )
    environment.policies["ext.i18n.trimmed"] = True
    environment.newstyle_gettext = True  # type: ignore[attr-defined]  # added by the i18n extension
    texts = _Texts(language, autoescape=autoescape)
    environment.globals.update(_=texts.gettext, gettext=texts.gettext, ngettext=texts.ngettext)
    return environment


class _Texts:
    """The functions that translate the texts of one environment.

    Those that the extension makes look up and mark each text anew, which takes a page longer than
    its own values.
    """

    def __init__(self, language: str, *, autoescape: bool) -> None:
        self._language = language
        self._mark: Callable[[str], str] = Markup if autoescape else str
        self._catalog: NullTranslations | None = None
        self._known: dict[str, tuple[str, str | None]] = {}
        """Each text as it is translated, and as it is shown without values where it takes none."""

    def gettext(self, text: str, /, **values: object) -> str:
        """The text with its values, which are escaped where the environment does so.

        Raises `KeyError` where a value is missing.
        """
        # `translations` is the one place that caches catalogs: here one is known while it is that.
        catalog = translations(self._language)
        if catalog is not self._catalog:
            self._catalog, self._known = catalog, {}
        known = self._known.get(text)
        if known is None:
            found = self._mark(catalog.gettext(text))
            known = self._known[text] = (found, None if "%(" in found else found % {})
        translated, alone = known
        return translated % values if values or alone is None else alone

    def ngettext(self, one: str, many: str, count: int, /, **values: object) -> str:
        """The form of the text for `count`, which is the value `num` unless another is given."""
        found = self._mark(translations(self._language).ngettext(one, many, count))
        return found % {"num": count, **values}
