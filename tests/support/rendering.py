"""E-mails and texts to render: a brand's look, its links, and one item of every template."""

from uuid import UUID

from app.base.tokens import Tokens
from app.brands.programme import Channel
from app.messaging.render import Branding, Item, Links
from app.messaging.rules import Template
from app.messaging.templates import CATALOGUE, TemplateParams, read_params, stored

ID = UUID(int=7)
LOOK = Branding("Acme Goods", "Acme", "1 Main St, Berlin", "#0f5fa8", "#ffffff")
LINKS = Links(Tokens("a key for tests alone, of no worth"), "https://nps.example.com")


def item(
    template: Template,
    channel: Channel,
    template_params: TemplateParams | None = None,
    *,
    locale: str = "en-GB",
) -> Item:
    kept = read_params(template, stored(template_params or CATALOGUE[template].sample))
    assert kept is not None
    return Item(1, ID, ID, template, channel, locale, kept)
