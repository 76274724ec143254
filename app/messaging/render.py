"""From templates and values to letters: one frame a batch, each person's own values in place of its tags."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from app.messaging.carrier import Frame


@dataclass(frozen=True, slots=True)
class Filled:
    """A letter as its reader gets it. A text message has `text` alone."""

    subject: str
    text: str
    html: str


def fill(frame: Frame, values: Mapping[str, str]) -> Filled:
    """Put a person's values in place of the tags, in one pass: a value that looks like a tag stays what it is."""
    if not values:
        return Filled(frame.subject, frame.text, frame.html)
    tags = re.compile("|".join(re.escape(tag) for tag in values))

    def value_of(match: re.Match[str]) -> str:
        return values[match.group()]

    return Filled(*(tags.sub(value_of, part) for part in (frame.subject, frame.text, frame.html)))
