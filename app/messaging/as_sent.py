"""Show a message to staff as it was sent: its own template version and parameters, links masked."""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from app.base.context import AppContext
from app.base.errors import NotFound
from app.brands.find import load_brand, load_shops
from app.brands.programme import Channel
from app.messaging.models import Message, TemplateVersion
from app.messaging.own_texts import load_own_texts
from app.messaging.render import Links, render
from app.messaging.templates import find_template
from app.messaging.versions import VersionContent, branding_of, current_version


@dataclass(frozen=True, slots=True)
class AsSent:
    """A message's parts; None for those that the channel does not have, and after an erasure."""

    subject: str | None
    html: str | None
    text: str | None


async def as_sent(session: AsyncSession, context: AppContext, brand_id: int, message_id: UUID) -> AsSent:
    """The message as its latest attempt had it; before the first, as it would be sent now.

    `NotFound` for a message that is not the brand's.
    """
    message = await session.get(Message, (brand_id, message_id))
    if message is None:
        raise NotFound
    version = await _version_of(session, message, context.settings.public_url)
    if version is None or not message.template_params:
        return AsSent(subject=None, html=None, text=None)
    links = Links(context.tokens, context.settings.public_url, brand_id, masked=True)
    filled = render(version, message, links)
    if message.channel is Channel.sms:
        return AsSent(subject=None, html=None, text=filled.text)
    return AsSent(subject=filled.subject, html=filled.html, text=filled.text)


async def _version_of(session: AsyncSession, message: Message, public_url: str) -> VersionContent | None:
    """The stored version; without an attempt the present one, None for an unknown template."""
    if message.template_version_id is not None:
        key = (message.brand_id, message.template_version_id)
        return VersionContent.from_json((await session.get_one(TemplateVersion, key)).content)
    template = find_template(message.template)
    if template is None:
        return None
    brand = await load_brand(session, message.brand_id)
    shop = (await load_shops(session, message.brand_id))[message.shop_id]
    language = brand.language_for(message.locale)
    texts = (await load_own_texts(session, brand)).replaced(template, message.channel, language)
    branding = branding_of(brand, shop, public_url)
    return current_version(template, message.channel, language, branding, texts)
