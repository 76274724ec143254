"""How a platform's webhook endpoint is documented: headers, bodies, and an example of each."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel


@dataclass(frozen=True, slots=True)
class WebhookExample:
    """A body that the endpoint accepts, and the headers that go with it, the signature aside."""

    body: Mapping[str, Any]
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class WebhookDocumentation:
    """What a sender must know of one endpoint. Requests are not checked against it."""

    headers: Mapping[str, str]
    """Descriptions by name."""
    body: type[BaseModel]
    examples: Mapping[str, WebhookExample]
    """By topic."""
