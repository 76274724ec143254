"""E-mails and texts to render: a brand's look, its links, and one message of every template."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

import app.models  # noqa: F401  # registers every template
from app.base.i18n import language_of
from app.base.tokens import Tokens
from app.brands.programme import Channel
from app.messaging.providers.protocol import Content
from app.messaging.render import Links, render
from app.messaging.templates import TemplateSpec, read_params, stored_params
from app.messaging.versions import Branding, VersionContent, current_version

ID = UUID(int=7)
LOOK = Branding("Acme Goods", "Acme", "1 Main St, Berlin", "#0f5fa8", "#ffffff")
LINKS = Links(Tokens("a key for tests alone, of no worth"), "https://nps.example.com", 1)


@dataclass(frozen=True)
class Item:
    """A message that can be rendered."""

    version: VersionContent
    template_params: dict[str, str | None]
    locale: str
    customer_id: UUID = ID
    subject_id: UUID = ID


def item(
    template: TemplateSpec,
    channel: Channel,
    template_params: Any = None,
    *,
    locale: str = "en-GB",
    language: str | None = None,
    look: Branding = LOOK,
) -> Item:
    """A message of the template; in the language of `locale` unless another is given."""
    params = read_params(template, stored_params(template, template_params or template.sample))
    assert params is not None
    version = current_version(template, channel, language or language_of(locale), look)
    return Item(version, params, locale)


def rendered(one: Item, links: Links = LINKS) -> Content:
    return render(one.version, one, links)
