"""What the screen of keys shows of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from app.admin.rules import Scope
from app.admin.schemas import KeyRow
from app.base.i18n import N_, SOURCE, translate

SCOPE_HINTS = {
    Scope.read: N_("read figures and lists"),
    Scope.pii: N_("see names and addresses in them"),
    Scope.write: N_("change terms and texts, decide about orders"),
    Scope.checkout: N_("validate and redeem codes at a checkout"),
    Scope.admin: N_("all of these but names and addresses, and the team, shops and keys"),
}
EXPIRY: dict[str, tuple[str, int | None]] = {
    "30": (N_("after 30 days"), 30),
    "90": (N_("after 90 days"), 90),
    "365": (N_("after a year"), 365),
    "never": (N_("never, until it is revoked"), None),
}
"""When a key may end: by the word of the form, its name and the days."""


@dataclass(frozen=True, slots=True)
class ShownKey:
    """A key as a line of the screen."""

    row: KeyRow
    made_by: str
    pill: str
    state: str
    is_live: bool


def key_rows(found: Sequence[KeyRow], makers: Mapping[str, str], *, now: datetime) -> list[ShownKey]:
    """The keys with their states in words; `makers` are names by the ids of staff."""
    return [_shown(row, makers, now) for row in found]


def _shown(row: KeyRow, makers: Mapping[str, str], now: datetime) -> ShownKey:
    made_by = "–" if row.made_by is None else makers.get(row.made_by, translate(SOURCE, "a former colleague"))
    if row.revoked_at is not None:
        return ShownKey(row, made_by, "no", translate(SOURCE, "Revoked"), is_live=False)
    if row.expires_at is not None and row.expires_at <= now:
        return ShownKey(row, made_by, "no", translate(SOURCE, "Expired"), is_live=False)
    return ShownKey(row, made_by, "good", translate(SOURCE, "In use"), is_live=True)
