"""Show a message as it was sent, for staff: rendered again from what was kept, with every link's token masked."""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.base.errors import NotFound
from app.base.web.context import AppContext
from app.brands.models import Brand, Shop
from app.brands.programme import Channel
from app.messaging.models import Message
from app.messaging.render import Item, Links, branding_of, render
from app.messaging.templates import read_params


@dataclass(frozen=True, slots=True)
class AsSent:
    """A letter's parts; None for a part that the channel has not, and for all of them once the person was erased."""

    subject: str | None
    html: str | None
    text: str | None


async def as_sent(session: AsyncSession, context: AppContext, brand_id: int, message_id: UUID) -> AsSent:
    """The message in its template's present version and the brand's present look; `NotFound` for one that is not the brand's."""
    found = await session.execute(
        select(Message, Brand, Shop)
        .join(Brand, Brand.id == Message.brand_id)
        .join(Shop, (Shop.brand_id == Message.brand_id) & (Shop.id == Message.shop_id))
        .where(Message.brand_id == brand_id, Message.id == message_id)
    )
    row = found.first()
    if row is None:
        raise NotFound
    message, brand, shop = row
    template_params = read_params(message.template, message.template_params)
    if template_params is None:
        return AsSent(subject=None, html=None, text=None)
    item = Item(
        brand_id,
        message.customer_id,
        message.subject_id,
        message.template,
        message.channel,
        message.locale,
        template_params,
    )
    links = Links(context.tokens, context.settings.public_url, masked=True)
    filled = render(item, branding_of(brand, shop), links)
    if message.channel is Channel.sms:
        return AsSent(subject=None, html=None, text=filled.text)
    return AsSent(subject=filled.subject, html=filled.html, text=filled.text)
