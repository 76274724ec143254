"""Put claimed messages into batches that share a frame."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from email.utils import parseaddr

from app.base.config import Settings
from app.base.text import one_line
from app.base.web.context import AppContext
from app.brands.models import Brand
from app.brands.programme import Channel
from app.messaging.claim import Claim, ClaimedMessage
from app.messaging.providers.protocol import OutgoingBatch, Recipient
from app.messaging.render import Links, Tagged, branding_of, recipient_values, tagged_skeleton
from app.messaging.templates import language_of


@dataclass(frozen=True)
class ClaimedBatch:
    """A batch, and the messages its letters are of, in the same order."""

    batch: OutgoingBatch
    claimed: Sequence[ClaimedMessage]


def outgoing_batches(
    claim: Claim, context: AppContext, most: Mapping[Channel, int]
) -> Iterator[ClaimedBatch]:
    """Part the claimed messages: one frame and at most `most` letters a batch, each address once."""
    groups: dict[tuple[object, ...], list[ClaimedMessage]] = defaultdict(list)
    for one in claim.claimed:
        item = one.item
        groups[item.channel, item.template, language_of(item.locale), one.shop_id, item.shape].append(one)
    links = Links(context.tokens, context.settings.public_url)
    for group in groups.values():
        for part in _parts(group, most[group[0].item.channel]):
            # Tags are drawn anew for every batch.
            tagged = tagged_skeleton(part[0].item, branding_of(claim.brand, claim.shops[part[0].shop_id]))
            yield ClaimedBatch(_batch(part, tagged, claim.brand, context.settings, links), part)


def _parts(group: Sequence[ClaimedMessage], most: int) -> list[list[ClaimedMessage]]:
    parts: list[list[ClaimedMessage]] = []
    copies: dict[str, int] = defaultdict(int)
    layers: dict[int, list[ClaimedMessage]] = defaultdict(list)
    for one in group:
        address = one.address.casefold()
        layers[copies[address]].append(one)
        copies[address] += 1
    for layer in layers.values():
        parts.extend(layer[start : start + most] for start in range(0, len(layer), most))
    return parts


def _batch(
    part: Sequence[ClaimedMessage], tagged: Tagged, brand: Brand, settings: Settings, links: Links
) -> OutgoingBatch:
    first = part[0].item
    name, address = sender_of(brand, settings)
    is_email = first.channel is Channel.email
    return OutgoingBatch(
        brand_id=brand.id,
        channel=first.channel,
        template=first.template,
        sender=address if is_email else "",
        sender_name=name,
        skeleton=tagged.skeleton,
        recipients=[_mail(one, tagged, links) if is_email else _text(one, tagged, links) for one in part],
    )


def _text(one: ClaimedMessage, tagged: Tagged, links: Links) -> Recipient:
    return Recipient(one.attempt_id, one.address, recipient_values(tagged, one.item, links))


def _mail(one: ClaimedMessage, tagged: Tagged, links: Links) -> Recipient:
    """With RFC 8058's headers: mailboxes show a button that unsubscribes with one click, so that nobody needs the spam button."""
    link = links.link("unsubscribe_link", one.item)
    values = recipient_values(tagged, one.item, links, {"unsubscribe_link": link})
    headers = {"List-Unsubscribe": f"<{link}>", "List-Unsubscribe-Post": "List-Unsubscribe=One-Click"}
    return Recipient(one.attempt_id, one.address, values, headers)


def sender_of(brand: Brand, settings: Settings) -> tuple[str, str]:
    """Name and address that mail comes from; an address that reaches nobody where none is set, which only development allows."""
    name, address = parseaddr(brand.email_from or settings.email_from or f"{brand.slug}@tenfold.example")
    return one_line(name or brand.name, limit=80, ellipsis=True), address
