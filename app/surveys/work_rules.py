"""What the team makes of a response: its states, what may happen to it, its tags. Pure."""

from collections.abc import Iterable
from enum import StrEnum

from app.base.text import one_line
from app.brands.programme import Channel
from app.customers.rules import ContactOptions, NoContactReason
from app.surveys.rules import Band, band_of
from app.surveys.suspicion_rules import Suspicion

TAG_LIMIT = 40
"""Characters of a tag."""
MOST_TAGS = 20
"""Tags of one response."""
NOTE_LIMIT = 4_000
REPLY_LIMITS = {Channel.email: 2_000, Channel.sms: 600}
"""Characters of a reply. A text of 600 is four or five parts, each of which is paid for."""


class WorkState(StrEnum):
    """Where a response stands with the team."""

    open = "open"
    answered = "answered"
    closed = "closed"


class WorkEvent(StrEnum):
    """What somebody of the team did with a response."""

    noted = "noted"
    stated = "stated"
    """It has another state."""
    assigned = "assigned"
    tagged = "tagged"
    untagged = "untagged"
    replied = "replied"
    """They wrote to the customer: a message `reply`, the first of step 0."""
    withdrawn = "withdrawn"
    """The customer's words may no longer be shown to others."""
    decided = "decided"
    """Whether a person gave it: `real` or `left_out`."""


WRITTEN = (WorkEvent.noted, WorkEvent.replied)
"""Those whose text somebody wrote."""


class ReplyRefusal(StrEnum):
    """Why nobody can be replied to on a channel."""

    erased = "erased"
    no_address = "no_address"
    unsubscribed = "unsubscribed"
    """Or replied STOP, or reported a message."""


def work_state(
    stored: WorkState | None, score: int, *, trial: bool, suspicion: Suspicion | None = None
) -> WorkState | None:
    """The state of a response; None for one that waits for nobody.

    Detractors' responses are open until the team says otherwise; those of trials are not, nor are
    those that a machine may have given.
    """
    if suspicion in (Suspicion.suspected, Suspicion.left_out) and stored in (None, WorkState.open):
        return None
    if stored is not None:
        return stored
    return WorkState.open if band_of(score) is Band.detractor and not trial else None


def reply_refusal(options: ContactOptions, channel: Channel) -> ReplyRefusal | None:
    """Why no reply may be sent on this channel; None where one may.

    Who wrote to us may be answered without a consent to messages, but a suppressed address never.
    """
    if options.erased:
        return ReplyRefusal.erased
    if options.reply_address(channel) is not None:
        return None
    unsubscribed = options.refusals.get(channel) is NoContactReason.unsubscribed
    return ReplyRefusal.unsubscribed if unsubscribed else ReplyRefusal.no_address


def tag_names(entered: Iterable[str]) -> dict[str, str]:
    """Clean names of tags by their keys, in their order; case makes no difference to a key."""
    names: dict[str, str] = {}
    for each in entered:
        name = one_line(each, limit=TAG_LIMIT)
        if name:
            names.setdefault(name.casefold(), name)
    return names


def prefix_query(text: str) -> str:
    """The words of a text as a query of PostgreSQL: each is the beginning of a word."""
    words = (word.replace("\\", "").replace("'", "''") for word in text.split())
    return " & ".join(f"'{word}':*" for word in words if word)
