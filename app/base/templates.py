"""Jinja2 environments over the folders of `templates/`, one per folder and language."""

from functools import cache

from jinja2 import Environment, FileSystemLoader, StrictUndefined

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
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=EXTENSIONS,
    )
    environment.policies["ext.i18n.trimmed"] = True
    # The catalog is read at each text: `translations` is the one place that caches catalogs.
    environment.install_gettext_callables(  # type: ignore[attr-defined]  # added by the i18n extension
        lambda text: translations(language).gettext(text),
        lambda one, many, count: translations(language).ngettext(one, many, count),
        newstyle=True,
    )
    return environment
