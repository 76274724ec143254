"""From templates and values to letters: one frame a batch, each person's own values in place of its tags.

A template is rendered once for all letters that have the same look, language and shape; what differs from person to person stands
as a tag in the frame and as a value in the letter.
"""

import hashlib
import html
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from types import MappingProxyType
from uuid import UUID

from babel import Locale, UnknownLocaleError
from babel.dates import format_date

from app.base.colour import DEFAULT_ACCENT, text_colour_on
from app.base.paths import ROOT
from app.base.templates import make_environment
from app.base.text import one_line
from app.base.tokens import Tokens, tag_prefix
from app.brands.models import Brand, Shop
from app.brands.programme import Channel
from app.brands.rules import accent_of
from app.messaging.providers.protocol import Skeleton
from app.messaging.rules import Template
from app.messaging.templates import (
    EMAIL_PARTS,
    TemplateParams,
    email_source,
    language_of,
    names_of,
    sms_source,
)

_HTML = make_environment("emails")
_TEXT = make_environment("emails", autoescape=False)
_SMS = make_environment("sms", autoescape=False)
_DATES = frozenset({"ordered_on", "expires_on"})
_LINKS: Mapping[str, tuple[str, str]] = {
    "survey_link": ("survey", "/s/"),
    "page_link": ("referrer", "/p/"),
    "unsubscribe_link": ("unsubscribe", "/u/"),
}
"""Token purpose and path of each link that opens something; a survey's token speaks of the subject, the others of the customer."""
MASK = "•••"


@dataclass(frozen=True, slots=True)
class Branding:
    """What every letter of a brand's shop shows."""

    brand: str
    shop: str
    postal_address: str
    accent: str
    accent_ink: str


def branding_of(brand: Brand, shop: Shop) -> Branding:
    """The look as the brand has it now, made fit for one line each."""
    accent = accent_of(brand.branding) or DEFAULT_ACCENT
    names = (
        one_line(brand.name, limit=80, ellipsis=True),
        one_line(shop.name, limit=80, ellipsis=True),
        one_line(", ".join(brand.postal_address.splitlines()), limit=300, ellipsis=True),
    )
    return Branding(*names, f"#{accent}", f"#{text_colour_on(accent)}")


@dataclass(frozen=True, slots=True)
class Item:
    """One message to be rendered."""

    brand_id: int
    customer_id: UUID
    subject_id: UUID
    template: Template
    channel: Channel
    locale: str
    template_params: TemplateParams

    @property
    def shape(self) -> tuple[str, ...]:
        """The values that are there: only items of one shape have the same sentences and can share a frame."""
        return tuple(
            name for name in names_of(self.template) if getattr(self.template_params, name) is not None
        )


class Links:
    """Derives the links of a letter; `masked` ones open nothing, for staff, who could otherwise answer for customers."""

    def __init__(self, tokens: Tokens, public_url: str, *, masked: bool = False) -> None:
        self._tokens = tokens
        self._public_url = public_url
        self._masked = masked

    def link(self, name: str, item: Item) -> str:
        """The whole address of the link with this name."""
        purpose, path = _LINKS[name]
        row_id = item.subject_id if purpose == "survey" else item.customer_id
        token = MASK if self._masked else self._tokens.link(purpose, item.brand_id, row_id)
        return f"{self._public_url}{path}{token}"

    def share(self, slug: str) -> str:
        """The link that a promoter hands on; it is no secret."""
        return f"{self._public_url}/r/{slug}"


@dataclass(frozen=True, slots=True)
class Tagged:
    """A frame and what its tags stand for."""

    skeleton: Skeleton
    tags: Mapping[str, tuple[str, bool]]
    """Name of the value, and whether it is escaped for HTML."""


def tagged_skeleton(item: Item, branding: Branding) -> Tagged:
    """Render the template of an item for everybody of its shape."""
    prefix = tag_prefix()
    names = [*item.shape, *_LINKS, "share_link"]
    plain_tags = {name: f"-{prefix}{place:02}t-" for place, name in enumerate(names)}
    html_tags = {name: f"-{prefix}{place:02}h-" for place, name in enumerate(names)}
    language = language_of(item.locale)
    absent = dict.fromkeys(names_of(item.template))
    common: dict[str, object] = (
        {name: getattr(branding, name) for name in branding.__slots__} | {"language": language} | absent
    )
    if item.channel is Channel.sms:
        skeleton = Skeleton(
            text=_SMS.get_template(sms_source(item.template, language)).render(common | plain_tags)
        )
    else:
        subject, text, page = (email_source(item.template, part, language) for part in EMAIL_PARTS)
        skeleton = Skeleton(
            text=_TEXT.get_template(text).render(common | plain_tags),
            subject=_TEXT.get_template(subject).render(common | plain_tags),
            # Tags hold letters, digits and dashes alone.
            html=_HTML.get_template(page).render(common | html_tags),
        )
    whole = skeleton.subject + skeleton.text + skeleton.html
    tags = {tag: (name, False) for name, tag in plain_tags.items()} | {
        tag: (name, True) for name, tag in html_tags.items()
    }
    return Tagged(skeleton, {tag: meaning for tag, meaning in tags.items() if tag in whole})


def recipient_values(
    tagged: Tagged, item: Item, links: Links, known: Mapping[str, str] = MappingProxyType({})
) -> dict[str, str]:
    """What stands in place of each tag for one person; `known` values are not derived again."""
    plain = dict(known)
    values = {}
    for tag, (name, escaped) in tagged.tags.items():
        value = plain.get(name)
        if value is None:
            value = plain[name] = _value(name, item, links)
        # `markupsafe` takes twice as long for a short text.
        values[tag] = html.escape(value) if escaped else value
    return values


def _value(name: str, item: Item, links: Links) -> str:
    if name in _LINKS:
        return links.link(name, item)
    if name == "share_link":
        return links.share(getattr(item.template_params, "slug", ""))
    value = str(getattr(item.template_params, name))
    return _long_date(value, item.locale) if name in _DATES else value


@lru_cache(maxsize=4096)
def _long_date(iso: str, locale: str) -> str:
    """A date in the words of the language that the letter is in, in the order the reader's country has it."""
    try:
        day = date.fromisoformat(iso)
    except ValueError:
        return iso
    language = language_of(locale)
    try:
        known = Locale.parse(locale.replace("_", "-"), sep="-")
    except (UnknownLocaleError, ValueError):
        known = Locale(language)
    return format_date(day, format="long", locale=known if known.language == language else Locale(language))


@dataclass(frozen=True, slots=True)
class Filled:
    """A letter as its reader gets it. A text message has `text` alone."""

    subject: str
    text: str
    html: str


def fill(skeleton: Skeleton, values: Mapping[str, str]) -> Filled:
    """Put a person's values in place of a frame's tags, in one pass: a value that looks like a tag stays what it is."""
    if not values:
        return Filled(skeleton.subject, skeleton.text, skeleton.html)
    # The longest first, should one tag begin like another.
    tags = re.compile("|".join(re.escape(tag) for tag in sorted(values, key=len, reverse=True)))

    def value_of(match: re.Match[str]) -> str:
        return values[match.group()]

    return Filled(
        tags.sub(value_of, skeleton.subject),
        tags.sub(value_of, skeleton.text),
        tags.sub(value_of, skeleton.html),
    )


def render(item: Item, branding: Branding, links: Links) -> Filled:
    """One message as its reader gets it."""
    tagged = tagged_skeleton(item, branding)
    return fill(tagged.skeleton, recipient_values(tagged, item, links))


@lru_cache
def template_hash(template: Template, channel: Channel, language: str) -> str:
    """The version of a template: 16 hex digits over its sources."""
    folder, sources = (
        ("sms", [sms_source(template, language)])
        if channel is Channel.sms
        else ("emails", [email_source(template, part, language) for part in EMAIL_PARTS])
    )
    texts = [(ROOT / "templates" / folder / source).read_bytes() for source in sources]
    return hashlib.sha256(b"\0".join(texts)).hexdigest()[:16]
