"""The protocol of providers: one sends a batch, and returns the outcome of each message."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol
from uuid import UUID

from app.base.errors import OutsideError
from app.brands.programme import Channel


@dataclass(frozen=True, slots=True)
class Content:
    """Text, subject and HTML of one message, or of a whole batch. An SMS has `text` alone.

    A batch's content has tags where each recipient's own values go. Tags begin with a random prefix
    of the batch, so no customer's name can be one. HTML and text have tags of their own, since
    values are escaped for the one and plain in the other.
    """

    text: str
    subject: str = ""
    html: str = ""


@dataclass(frozen=True, slots=True)
class Recipient:
    """One recipient of a batch. `values` has every tag of the content; HTML values are escaped."""

    attempt_id: UUID
    to: str
    values: Mapping[str, str]
    headers: Mapping[str, str] = field(default_factory=dict)
    """Extra mail headers, such as List-Unsubscribe."""


@dataclass(frozen=True, slots=True)
class OutgoingBatch:
    """Messages of one brand, template version, variant and sender; each address at most once."""

    brand_id: int
    channel: Channel
    template: str
    sender: str
    """The From address; empty for texts, whose sender the provider's own service chooses."""
    sender_name: str
    content: Content
    recipients: Sequence[Recipient]


@dataclass(frozen=True, slots=True)
class Accepted:
    """The provider accepted the message; `provider_ref` is its own id for it."""

    provider_ref: str | None


Result = Accepted | OutsideError
"""Outcome of one message.

An `OutsideError` (a `RecipientRefused` where the address is the cause) is returned and not raised:
other messages of the batch may have another outcome.
"""


class Provider(Protocol):
    """An adapter to one provider."""

    name: str
    """As stored in attempts, such as `twilio`."""
    most: int
    """The most recipients of one `send`."""

    async def send(self, batch: OutgoingBatch) -> list[Result]:
        """Send the batch; returns one result per recipient, in order.

        Raises nothing for failures of the outside world.
        """
        ...

    async def close(self) -> None:
        """Close connections."""
        ...
