"""The dashboard's menu: the seven entries and their parts.

An entry is shown once the application serves its path, so a screen that is added to
`app.admin.dashboard.screens` appears by itself.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from app.admin.rules import Role, includes
from app.base.i18n import N_


class Badge(StrEnum):
    """A number beside an entry: what waits for somebody; counted by `app.insight.waiting`."""

    in_review = "in_review"
    """Friends' orders that wait for a decision."""
    open_responses = "open_responses"
    """Answers that wait for the team."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A place of the menu; `parts` are the screens below it, the first of which it opens."""

    key: str
    name: str
    path: str
    icon: str = ""
    needs: Role = Role.viewer
    badge: Badge | None = None
    parts: tuple["Entry", ...] = ()


@dataclass(frozen=True, slots=True)
class ShownEntry:
    """An entry as the page shows it; `count` is 0 where nothing waits."""

    name: str
    path: str
    icon: str
    is_current: bool
    count: int
    parts: Sequence["ShownEntry"]


MENU = (
    Entry(
        "overview",
        N_("Overview"),
        "/admin",
        "overview",
        parts=(
            Entry("overview", N_("This period"), "/admin"),
            Entry("scores", N_("Scores"), "/admin/scores"),
        ),
    ),
    Entry("answers", N_("Answers"), "/admin/answers", "answers", badge=Badge.open_responses),
    Entry(
        "referrers",
        N_("Referrers"),
        "/admin/referrers",
        "referrers",
        parts=(
            Entry("people", N_("People"), "/admin/referrers"),
            Entry("codes", N_("Codes"), "/admin/codes"),
        ),
    ),
    Entry("orders", N_("Friends’ orders"), "/admin/orders", "orders", badge=Badge.in_review),
    Entry(
        "rewards",
        N_("Rewards"),
        "/admin/rewards",
        "rewards",
        parts=(
            Entry("balances", N_("Balances"), "/admin/rewards"),
            Entry("ledger", N_("Ledger"), "/admin/ledger"),
        ),
    ),
    Entry(
        "programme",
        N_("Programme"),
        "/admin/programme",
        "programme",
        parts=(
            Entry("terms", N_("Terms"), "/admin/programme/terms"),
            Entry("messages", N_("Messages"), "/admin/programme/messages"),
            Entry("look", N_("Look"), "/admin/programme/look"),
        ),
    ),
    Entry(
        "settings",
        N_("Settings"),
        "/admin/settings",
        "settings",
        parts=(
            Entry("team", N_("Team"), "/admin/settings/team", needs=Role.admin),
            Entry("shops", N_("Shops"), "/admin/settings/shops", needs=Role.admin),
            Entry("keys", N_("Keys"), "/admin/settings/keys", needs=Role.admin),
            Entry("import", N_("Import"), "/admin/settings/import", needs=Role.admin),
            Entry("exports", N_("Exports"), "/admin/settings/exports", needs=Role.support),
            Entry("alarms", N_("Alarms"), "/admin/settings/alarms", needs=Role.admin),
            Entry("audit", N_("Audit"), "/admin/settings/audit", needs=Role.admin),
        ),
    ),
)


def shown_menu(
    served: Collection[str], role: Role, current: str, counts: Mapping[Badge, int]
) -> list[ShownEntry]:
    """The entries that are served and that this role may open.

    `current` is the key of the screen shown: that of an entry or of one of its parts.
    """
    shown = []
    for entry in MENU:
        parts = [part for part in entry.parts if part.path in served and includes(role, part.needs)]
        if not parts and (entry.path not in served or entry.parts):
            continue
        is_inside = current == entry.key or any(part.key == current for part in entry.parts)
        shown.append(
            ShownEntry(
                name=entry.name,
                path=parts[0].path if parts else entry.path,
                icon=entry.icon,
                is_current=is_inside,
                count=counts.get(entry.badge, 0) if entry.badge else 0,
                parts=[
                    ShownEntry(part.name, part.path, "", part.key == current, 0, ())
                    for part in (parts if is_inside and len(parts) > 1 else ())
                ],
            )
        )
    return shown


def badges_of(served: Collection[str]) -> list[Badge]:
    """The numbers that the shown entries need."""
    return [entry.badge for entry in MENU if entry.badge and entry.path in served]
