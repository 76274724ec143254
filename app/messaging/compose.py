"""Put claimed messages into batches that share a content."""

from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence

from app.base.config import Settings
from app.base.context import AppContext
from app.base.domain_names import split_sender
from app.base.precedence import PIECE
from app.base.text import one_line
from app.brands.models import Brand
from app.brands.programme import Channel
from app.messaging.claim import Claim
from app.messaging.due_messages import ClaimedMessage
from app.messaging.providers.protocol import OutgoingBatch, Recipient
from app.messaging.render import Links, Tags, recipient_values, render_skeleton, variant_of
from app.messaging.templates import UNSUBSCRIBE


async def outgoing_batches(
    claim: Claim,
    context: AppContext,
    most: Mapping[Channel, int],
    give_way: Callable[[], Awaitable[None]],
) -> AsyncIterator[tuple[OutgoingBatch, Sequence[ClaimedMessage]]]:
    """Batches of one content and at most `most` recipients, with their messages in the same order.

    Messages whose conditions resolve differently (`variant_of`) are in different batches, and so
    are two messages to one address. `give_way` is awaited now and then.
    """
    groups: dict[tuple[object, ...], list[ClaimedMessage]] = defaultdict(list)
    for message in claim.messages:
        groups[message.version.id, variant_of(message.version, message.template_params)].append(message)
    links = Links(context.tokens, context.settings.public_url, claim.brand.id)
    for group in groups.values():
        for part in _parts(group, most[group[0].version.channel]):
            yield await _batch(part, claim.brand, context.settings, links, give_way), part


def _parts(group: Sequence[ClaimedMessage], most: int) -> list[list[ClaimedMessage]]:
    """The group in parts of at most `most` messages, each address once per part."""
    copies: dict[str, int] = defaultdict(int)
    layers: dict[int, list[ClaimedMessage]] = defaultdict(list)
    for message in group:
        address = message.address.casefold()
        layers[copies[address]].append(message)
        copies[address] += 1
    return [layer[start : start + most] for layer in layers.values() for start in range(0, len(layer), most)]


async def _batch(
    part: Sequence[ClaimedMessage],
    brand: Brand,
    settings: Settings,
    links: Links,
    give_way: Callable[[], Awaitable[None]],
) -> OutgoingBatch:
    version = part[0].version
    # Every batch has tags of its own.
    content, tags = render_skeleton(version, part[0].template_params)
    name, address = sender_of(brand, settings)
    is_email = version.channel is Channel.email
    recipient = _mail_recipient if is_email else _text_recipient
    recipients: list[Recipient] = []
    for start in range(0, len(part), PIECE):
        await give_way()
        recipients += [recipient(message, tags, links) for message in part[start : start + PIECE]]
    return OutgoingBatch(
        brand_id=brand.id,
        channel=version.channel,
        template=version.template,
        sender=address if is_email else "",
        sender_name=name,
        content=content,
        recipients=recipients,
    )


def _text_recipient(message: ClaimedMessage, tags: Tags, links: Links) -> Recipient:
    values = recipient_values(tags, message.version, message, links)
    return Recipient(message.attempt_id, message.address, values)


def _mail_recipient(message: ClaimedMessage, tags: Tags, links: Links) -> Recipient:
    """With the headers of RFC 8058, by which a mailbox offers one-click unsubscription.

    A mail to staff has none.
    """
    if UNSUBSCRIBE not in message.version.links:
        return _text_recipient(message, tags, links)
    link = links.url(message.version.links[UNSUBSCRIBE], message)
    values = recipient_values(tags, message.version, message, links, {UNSUBSCRIBE: link})
    headers = {"List-Unsubscribe": f"<{link}>", "List-Unsubscribe-Post": "List-Unsubscribe=One-Click"}
    return Recipient(message.attempt_id, message.address, values, headers)


def sender_of(brand: Brand, settings: Settings) -> tuple[str, str]:
    """Name and address that mail comes from.

    Where none is set, which only development allows, the address reaches nobody. The domain is
    encoded, as every mail server takes it.
    """
    given = brand.email_from or settings.email_from or f"{brand.slug}@tenfold.example"
    name, address = split_sender(given) or ("", given)
    return one_line(name or brand.name, limit=80, ellipsis=True), address
