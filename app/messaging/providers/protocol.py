"""What every provider's adapter promises: carry a batch, and say of each letter whether it was accepted, refused, or nobody knows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol
from uuid import UUID

from app.base.errors import OutsideError
from app.brands.programme import Channel


@dataclass(frozen=True, slots=True)
class Skeleton:
    """What all letters of a batch have in common, with tags where each person's own values go.

    Tags begin with a prefix drawn at random for the batch, so a customer named like a tag is none. HTML and text have tags of
    their own, since values are escaped for the one and plain in the other. A text message has `text` alone.
    """

    text: str
    subject: str = ""
    html: str = ""


@dataclass(frozen=True, slots=True)
class Recipient:
    """One person's share of a batch: `values` maps every tag of the frame to what stands there, HTML values already escaped."""

    attempt_id: UUID
    to: str
    values: Mapping[str, str]
    headers: Mapping[str, str] = field(default_factory=dict)
    """Extra mail headers, such as List-Unsubscribe."""


@dataclass(frozen=True, slots=True)
class OutgoingBatch:
    """Letters of one brand, template version, language and sender; each address at most once."""

    brand_id: int
    channel: Channel
    template: str
    sender: str
    """The From address; for texts the carrier's own service decides and this is empty."""
    sender_name: str
    skeleton: Skeleton
    recipients: Sequence[Recipient]


@dataclass(frozen=True, slots=True)
class Accepted:
    """The provider took the letter; `provider_ref` is its own id for it."""

    provider_ref: str | None


Result = Accepted | OutsideError
"""What became of one letter. An `OutsideError` says refused or unknown, and is returned, not raised: others of the batch may differ."""


class Provider(Protocol):
    """An adapter to one provider."""

    name: str
    """As it stands in attempt rows: `outbox`, `sendgrid`, `twilio`."""
    most: int
    """The most letters that one `send` takes."""

    async def send(self, batch: OutgoingBatch) -> list[Result]:
        """Carry the batch; answers one result a letter, in order. Never raises for what the outside world does."""
        ...

    async def close(self) -> None:
        """Give back connections."""
        ...
