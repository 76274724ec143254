"""The Jinja2 sources of message parts, and the translated strings that they use."""

from collections.abc import Collection

from jinja2 import StrictUndefined
from jinja2.sandbox import ImmutableSandboxedEnvironment

from app.base.i18n import translations


def make_environment(*, autoescape: bool) -> ImmutableSandboxedEnvironment:
    """Jinja2 for message parts: a missing name is an error, and sources can read values only.

    Separate from the one for files (`app.base.templates`): a stored version is rendered from its
    row, with its own translations.
    """
    environment = ImmutableSandboxedEnvironment(
        autoescape=autoescape,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.i18n"],
    )
    environment.policies["ext.i18n.trimmed"] = True
    environment.newstyle_gettext = True  # type: ignore[attr-defined]  # added by the extension
    return environment


_EXTRACT = make_environment(autoescape=False)


def translatable(source: str) -> set[str]:
    """The strings that a source marks for translation."""
    found = _EXTRACT.extract_translations(source)  # type: ignore[attr-defined]  # added by the extension
    # A text with values comes as a tuple: the text, then None for each value.
    return {text if isinstance(text, str) else text[0] for _, _, text in found}


def translated(sources: Collection[str], language: str) -> dict[str, str]:
    """What the strings of the sources are in a language, by their English wording.

    Strings that stay as they are written are left out.
    """
    catalog = translations(language)
    texts = sorted({text for source in sources for text in translatable(source)})
    return {text: other for text in texts if (other := catalog.gettext(text)) != text}
