"""What the team's screens show of people."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from app.admin.rules import Role
from app.admin.schemas import StaffRow, StaffStatus
from app.admin.texts import ROLE_NAMES
from app.base.i18n import N_, SOURCE, translate

_ROLE_HINTS = {
    Role.viewer: N_("sees figures and lists, people with masked names"),
    Role.support: N_("sees people by name, answers them"),
    Role.marketer: N_("changes terms, texts and looks, decides about orders"),
    Role.admin: N_("does all of it, and the team, shops, keys and exports"),
}


@dataclass(frozen=True, slots=True)
class MemberRow:
    """One person as a line of the team."""

    row: StaffRow
    role_name: str
    shops: str
    """The names of their shops; empty for every one."""
    pill: str
    """The kind of their state's pill."""
    state: str


def member_rows(found: Sequence[StaffRow], shop_names: Mapping[str, str]) -> list[MemberRow]:
    """The people with their roles, shops and states in words."""
    return [
        MemberRow(
            row=row,
            role_name=role_name(row.role),
            shops=", ".join(shop_names.get(slug, slug) for slug in row.shops or ()),
            pill="good" if row.status is StaffStatus.joined else "wait",
            state=_state(row),
        )
        for row in found
    ]


def _state(row: StaffRow) -> str:
    if row.status is StaffStatus.joined:
        return translate(SOURCE, "Joined")
    if row.invited_at is None:
        return translate(SOURCE, "Added")
    return translate(SOURCE, "Invited")


def role_name(role: Role | str) -> str:
    """A role in a word."""
    return translate(SOURCE, ROLE_NAMES[role]) if isinstance(role, Role) else role


def role_choices() -> list[tuple[str, str, str]]:
    """The roles: the value of each, its name, and what it may do."""
    return [(role.value, role_name(role), translate(SOURCE, _ROLE_HINTS[role])) for role in Role]
