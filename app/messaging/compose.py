"""Put claimed messages into batches that share a frame."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from email.utils import parseaddr

from app.base.config import Settings
from app.base.web import Ground
from app.brands.models import Brand
from app.brands.programme import Channel
from app.messaging.carrier import Batch, Letter
from app.messaging.claim import Claim, Claimed
from app.messaging.render import Links, Tagged, letter_values, look_of, tagged_frame
from app.messaging.rules import printable
from app.messaging.templates import language_of


@dataclass(frozen=True)
class Parcel:
    """A batch, and the messages its letters are of, in the same order."""

    batch: Batch
    claimed: Sequence[Claimed]


def parcels(claim: Claim, ground: Ground, most: Mapping[Channel, int]) -> Iterator[Parcel]:
    """Part the claimed messages: one frame and at most `most` letters a batch, each address once."""
    groups: dict[tuple[object, ...], list[Claimed]] = defaultdict(list)
    for one in claim.claimed:
        item = one.item
        groups[item.channel, item.template, language_of(item.locale), one.shop_id, item.shape].append(one)
    links = Links(ground.tokens, ground.settings.public_url)
    for group in groups.values():
        for part in _parts(group, most[group[0].item.channel]):
            # Tags are drawn anew for every batch.
            tagged = tagged_frame(part[0].item, look_of(claim.brand, claim.shops[part[0].shop_id]))
            yield Parcel(_batch(part, tagged, claim.brand, ground.settings, links), part)


def _parts(group: Sequence[Claimed], most: int) -> list[list[Claimed]]:
    parts: list[list[Claimed]] = []
    copies: dict[str, int] = defaultdict(int)
    layers: dict[int, list[Claimed]] = defaultdict(list)
    for one in group:
        address = one.address.casefold()
        layers[copies[address]].append(one)
        copies[address] += 1
    for layer in layers.values():
        parts.extend(layer[start : start + most] for start in range(0, len(layer), most))
    return parts


def _batch(part: Sequence[Claimed], tagged: Tagged, brand: Brand, settings: Settings, links: Links) -> Batch:
    first = part[0].item
    name, address = sender_of(brand, settings)
    is_email = first.channel is Channel.email
    return Batch(
        brand_id=brand.id,
        channel=first.channel,
        template=first.template,
        sender=address if is_email else "",
        sender_name=name,
        frame=tagged.frame,
        letters=[_mail(one, tagged, links) if is_email else _text(one, tagged, links) for one in part],
    )


def _text(one: Claimed, tagged: Tagged, links: Links) -> Letter:
    return Letter(one.attempt_id, one.address, letter_values(tagged, one.item, links))


def _mail(one: Claimed, tagged: Tagged, links: Links) -> Letter:
    """With RFC 8058's headers: mailboxes show a button that unsubscribes with one click, so that nobody needs the spam button."""
    link = links.link("unsubscribe_link", one.item)
    values = letter_values(tagged, one.item, links, {"unsubscribe_link": link})
    headers = {"List-Unsubscribe": f"<{link}>", "List-Unsubscribe-Post": "List-Unsubscribe=One-Click"}
    return Letter(one.attempt_id, one.address, values, headers)


def sender_of(brand: Brand, settings: Settings) -> tuple[str, str]:
    """Name and address that mail comes from; an address that reaches nobody where none is set, which only development allows."""
    name, address = parseaddr(brand.email_from or settings.email_from or f"{brand.slug}@tenfold.example")
    return printable(name or brand.name, most=80), address
