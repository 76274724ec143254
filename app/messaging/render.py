"""Turn template versions and parameters into messages.

A template is rendered once for all messages that share a version and a variant. Where one person's
values differ from another's, the result has tags; a provider or `fill` puts each person's values in
their place.
"""

import html
import re
from collections.abc import Callable, Mapping
from datetime import date
from functools import lru_cache
from types import MappingProxyType
from typing import Any, Protocol
from uuid import UUID

from jinja2 import Template, pass_context
from jinja2.runtime import Context
from markupsafe import Markup, escape

from app.base.i18n import day_in_text, language_tag
from app.base.tokens import Tokens, tag_prefix
from app.brands.programme import Channel
from app.messaging.gsm import plain_punctuation
from app.messaging.providers.protocol import Content
from app.messaging.sources import make_environment
from app.messaging.templates import LinkRow, ParamLink, TokenLink
from app.messaging.text_rules import pieces
from app.messaging.versions import VersionContent

_PLAIN = make_environment(autoescape=False)
_HTML = make_environment(autoescape=True)
MASK = "•••"
Params = Mapping[str, str | None]
Tags = Mapping[str, tuple[str, bool]]
"""What each tag stands for: the name of a value, and whether the value is escaped for HTML."""


class Renderable(Protocol):
    """What rendering reads of one message; a `ClaimedMessage` and a row both have it."""

    @property
    def customer_id(self) -> UUID | None: ...  # noqa: D102
    @property
    def subject_id(self) -> UUID: ...  # noqa: D102
    @property
    def locale(self) -> str: ...  # noqa: D102
    @property
    def template_params(self) -> Params: ...  # noqa: D102


class Links:
    """Makes the links of a brand's messages.

    `masked` links open nothing: they are for staff, who could otherwise answer in a customer's
    name.
    """

    def __init__(self, tokens: Tokens, public_url: str, brand_id: int, *, masked: bool = False) -> None:
        self._tokens = tokens
        self._public_url = public_url
        self._brand_id = brand_id
        self._masked = masked

    def url(self, link: TokenLink | ParamLink, message: Renderable) -> str:
        """The whole address of a link in this message."""
        if isinstance(link, ParamLink):
            return f"{self._public_url}{link.path}{message.template_params[link.param] or ''}"
        token = MASK
        if not self._masked:
            token = self._tokens.link(link.purpose, self._brand_id, _row_id(link, message))
        return f"{self._public_url}{link.path}{token}"


def _row_id(link: TokenLink, message: Renderable) -> UUID:
    if link.row is LinkRow.subject:
        return message.subject_id
    if isinstance(link.row, LinkRow):
        if message.customer_id is None:
            raise ValueError("a message to staff has no customer to link to")
        return message.customer_id
    return UUID(message.template_params[link.row])


def variant_of(version: VersionContent, params: Params) -> tuple[str | bool, ...]:
    """What a template's conditions depend on: which parameters have a value, and choices' words.

    Conditions are resolved when the template is rendered, before any person's values are put in.
    Only messages of one variant are equal but for their values, so only they may share a batch.
    """
    return tuple(
        (value or "") if name in version.choices else value is not None for name, value in params.items()
    )


def render_skeleton(version: VersionContent, params: Params) -> tuple[Content, Tags]:
    """Render a version for all messages of one variant, with tags in place of their values.

    `params` are those of any message of the variant. Tags begin with a new random prefix.
    """
    # No value is kept that is one person's.
    decisive = tuple(
        (name, value if value is None or name in version.choices else "") for name, value in params.items()
    )
    content, tags = _skeleton(version, decisive)
    prefix = tag_prefix()
    parts = (part.replace(_PREFIX, prefix) for part in (content.text, content.subject, content.html))
    return Content(*parts), {tag.replace(_PREFIX, prefix): value for tag, value in tags.items()}


_ESCAPED = re.compile("[&<>\"'\n]")
_PREFIX = tag_prefix()
"""Of the tags in skeletons that are kept, in whose place each batch has a prefix of its own."""


@lru_cache(maxsize=1024)
def _skeleton(version: VersionContent, decisive: tuple[tuple[str, str | None], ...]) -> tuple[Content, Tags]:
    """The skeleton with `_PREFIX`; a version is told from another by its object."""
    params = dict(decisive)
    names = [name for name, value in params.items() if value is not None and name not in version.choices]
    # Letters, digits and dashes alone: nothing that HTML escapes or a header folds.
    plain = {name: f"-{_PREFIX}{place:02}t-" for place, name in enumerate([*names, *version.links])}
    escaped = {name: f"-{_PREFIX}{place:02}h-" for place, name in enumerate([*names, *version.links])}
    common: dict[str, str | None] = {**version.branding.values()}
    # Choices keep their words, absent parameters stay None: conditions are decided here.
    common |= {"language": language_tag(version.language), **params}
    parts = _compiled(version)
    text = parts["text"].render(common | plain)
    if version.channel is Channel.sms:
        text = plain_punctuation(text)
    subject, body = "", ""
    if "html" in parts:
        subject, body = parts["subject"].render(common | plain), parts["html"].render(common | escaped)
    whole = subject + text + body
    tags = {tag: (name, False) for name, tag in plain.items()}
    tags |= {tag: (name, True) for name, tag in escaped.items()}
    return Content(text, subject, body), {tag: value for tag, value in tags.items() if tag in whole}


@lru_cache(maxsize=512)
def _compile(
    part: str, source: str, translations: tuple[tuple[str, str], ...], texts: tuple[tuple[str, str], ...]
) -> Template:
    environment = _HTML if part == "html" else _PLAIN
    return environment.from_string(source, globals={"gettext": _gettext(dict(translations), dict(texts))})


def _compiled(version: VersionContent) -> dict[str, Template]:
    translations, texts = tuple(version.translations.items()), tuple(version.texts.items())
    return {part: _compile(part, source, translations, texts) for part, source in version.parts.items()}


def _gettext(translations: Mapping[str, str], texts: Mapping[str, str]) -> Callable[..., str]:
    """Translate a string of `{% trans %}` by the version's own translations, else return it.

    The brand's own text comes before both.
    """

    @pass_context
    def gettext(context: Context, message: str, /, **values: Any) -> str:
        if message in texts:
            return _own_text(texts[message], context)
        translated = translations.get(message, message)
        if context.eval_ctx.autoescape:
            translated = Markup(translated)  # noqa: S704  # catalogs are ours; values are escaped by `%`
        return translated % values

    return gettext


def _own_text(text: str, context: Context) -> str:
    """A brand's text with its variables; in HTML words and values are escaped."""
    safe = escape if context.eval_ctx.autoescape else str
    parts = [
        safe(words) + (safe(context.resolve(name) or "") if name else "") for words, name in pieces(text)
    ]
    return (Markup() if context.eval_ctx.autoescape else "").join(parts)


def recipient_values(
    tags: Tags,
    version: VersionContent,
    message: Renderable,
    links: Links,
    known: Mapping[str, str] = MappingProxyType({}),
) -> dict[str, str]:
    """One person's value for each tag; `known` values are not computed again."""
    plain = dict(known)
    values = {}
    for tag, (name, escaped) in tags.items():
        value = plain.get(name)
        if value is None:
            value = plain[name] = _value(name, version, message, links)
        # Most need nothing, and looking takes a third of the time. Only values of lines have line
        # breaks.
        if escaped and _ESCAPED.search(value):
            value = html.escape(value).replace("\n", "<br />\n")
        values[tag] = value
    return values


def _value(name: str, version: VersionContent, message: Renderable, links: Links) -> str:
    link = version.links.get(name)
    if link is not None:
        return links.url(link, message)
    value = message.template_params[name] or ""
    if name in version.dates:
        value = _long_date(value, message.locale, version.language)
    return plain_punctuation(value) if version.channel is Channel.sms else value


@lru_cache(maxsize=4096)
def _long_date(iso: str, locale: str, language: str) -> str:
    """A date in the message's language and its country's format; other texts are not changed."""
    try:
        day = date.fromisoformat(iso)
    except ValueError:
        return iso
    return day_in_text(day, language, locale)


def fill(content: Content, values: Mapping[str, str]) -> Content:
    """Put one person's values in place of the tags.

    In one pass, so a value that looks like a tag stays as it is.
    """
    if not values:
        return content
    # The longest first, in case one tag begins like another.
    tags = re.compile("|".join(re.escape(tag) for tag in sorted(values, key=len, reverse=True)))

    def value_of(match: re.Match[str]) -> str:
        return values[match.group()]

    return Content(
        tags.sub(value_of, content.text),
        tags.sub(value_of, content.subject),
        tags.sub(value_of, content.html),
    )


def render(version: VersionContent, message: Renderable, links: Links) -> Content:
    """One message as its reader gets it; a parameter that its row does not have is absent."""
    params = {name: message.template_params.get(name) for name in version.params}
    content, tags = render_skeleton(version, params)
    return fill(content, recipient_values(tags, version, message, links))
