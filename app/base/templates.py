"""Jinja2 environments over the folders of `templates/`, one per folder and language."""

from collections.abc import Callable
from functools import lru_cache
from types import BuiltinFunctionType, FunctionType, MethodType
from typing import Any

import markupsafe
from babel.support import NullTranslations
from jinja2 import Environment, FileSystemLoader, StrictUndefined, nodes
from jinja2.compiler import CodeGenerator, Frame
from jinja2.runtime import Context, Macro
from markupsafe import Markup, escape

from app.base.i18n import SOURCE, translations
from app.base.paths import ROOT
from app.base.template_nodes import Simplifier

EXTENSIONS = ("jinja2.ext.i18n", "jinja2.ext.do")
_FUNCTIONS = (FunctionType, MethodType, BuiltinFunctionType, type(lru_cache(lambda: None)))
_escape_text: Callable[[Any], str] = markupsafe._escape_inner  # type: ignore[attr-defined]  # noqa: SLF001


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
    environment.shown = shown
    environment.simplifier = Simplifier(environment, catalog.gettext, texts.mark)
    return environment


def shown(value: object) -> str:
    """A value as it stands in HTML, not marked as escaped: it is joined with others at once."""
    kind = type(value)
    if kind is str:
        return _escape_text(value)
    if kind is Markup:
        return value  # type: ignore[return-value]  # it is a text
    return str(value) if kind is int else escape(value)


class _Generator(CodeGenerator):
    """Has values shown by `shown`: the library marks each one, which takes four times as long."""

    def _output_child_pre(self, node: nodes.Expr, frame: Frame, finalize: Any) -> None:
        if finalize.src is not None or frame.eval_ctx.volatile or not frame.eval_ctx.autoescape:
            super()._output_child_pre(node, frame, finalize)
        else:
            self.write("environment.shown(")


class _Context(Context):
    """Calls macros and plain functions without asking each time what else they want to be given."""

    def call(__self, __obj: Any, /, *args: Any, **kwargs: Any) -> Any:  # noqa: N805  # as the library's
        """Call something in a template."""
        kind = type(__obj)
        if kind is Macro:
            args = (__self.eval_ctx, *args)
        elif kind not in _FUNCTIONS or hasattr(__obj, "jinja_pass_arg"):
            return super().call(__obj, *args, **kwargs)
        kwargs.pop("_loop_vars", None)
        kwargs.pop("_block_vars", None)
        return __obj(*args, **kwargs)


class _Environment(Environment):
    """An environment whose templates are simplified before they are compiled."""

    simplifier: Simplifier
    shown: Callable[[object], str]
    code_generator_class = _Generator
    context_class = _Context

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
