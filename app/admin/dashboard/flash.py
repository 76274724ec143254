"""One message after a redirect: sealed in a cookie, shown once, bound to who is signed in."""

from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from app.base.tokens import Tokens

COOKIE = "tenfold_flash"
SECONDS = 120
"""How long a browser keeps a message that no page has shown."""
_LONGEST = 500


class Tone(StrEnum):
    """Whether something was done or not."""

    done = "done"
    failed = "failed"


@dataclass(frozen=True, slots=True)
class Flash:
    """A sentence about what a form did."""

    text: str
    tone: Tone = Tone.done


def sealed_flash(tokens: Tokens, staff_id: UUID, flash: Flash) -> str:
    """The cookie's value."""
    return tokens.seal(f"{staff_id}\n{flash.tone}\n{flash.text[:_LONGEST]}")


def opened_flash(tokens: Tokens, staff_id: UUID, cookie: str) -> Flash | None:
    """The message of a cookie; None for one that is of somebody else or not ours."""
    try:
        owner, tone, text = tokens.open(cookie).split("\n", 2)
        shown = Flash(text, Tone(tone))
    except ValueError:
        return None
    return shown if owner == str(staff_id) else None
