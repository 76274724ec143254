"""Translations of message templates: which strings the sources use, and what they are in a language."""

from collections.abc import Collection

from jinja2 import StrictUndefined
from jinja2.sandbox import ImmutableSandboxedEnvironment

LANGUAGES = ("en",)
"""Languages that messages are in; the first one serves everybody else."""


def make_environment(*, autoescape: bool) -> ImmutableSandboxedEnvironment:
    """Jinja2 for message parts: a missing name is an error, and sources can reach nothing but values."""
    environment = ImmutableSandboxedEnvironment(
        autoescape=autoescape,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.i18n"],
    )
    environment.newstyle_gettext = True  # type: ignore[attr-defined]  # added by the extension
    return environment


_EXTRACT = make_environment(autoescape=False)


def messages_in(source: str) -> set[str]:
    """The strings that a source has translated."""
    found = _EXTRACT.extract_translations(source)  # type: ignore[attr-defined]
    return {message for _, _, message in found if isinstance(message, str)}


def translations_of(sources: Collection[str], language: str) -> dict[str, str]:
    """The translated strings that the sources use; those that stay as written are left out."""
    assert language in LANGUAGES  # noqa: S101  # there is no catalog yet
    return {message: message for source in sources for message in messages_in(source) if not message}


def language_of(*locales: str | None) -> str:
    """The language of the first locale that messages are in, else English."""
    languages = (locale.replace("_", "-").split("-")[0].lower() for locale in locales if locale)
    return next((language for language in languages if language in LANGUAGES), LANGUAGES[0])
