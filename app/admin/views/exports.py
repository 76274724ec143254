"""The lists that can be exported, and those that were, in words."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlencode

from app.admin.export_rules import ExportFormat, ExportName, ExportState
from app.admin.export_schemas import ExportRow
from app.admin.rules import Role, includes
from app.admin.views.audit import Names
from app.base.i18n import N_, SOURCE, translate

LISTS = {
    ExportName.responses: (N_("Answers"), N_("Scores and comments, with what the team made of them.")),
    ExportName.customers: (N_("People"), N_("Names, addresses and languages of all customers.")),
    ExportName.referrers: (N_("Referrers"), N_("Their links, clicks, and what their friends brought.")),
    ExportName.codes: (N_("Codes"), N_("Kind, state and uses of every code.")),
    ExportName.orders: (N_("Orders"), N_("Every order that the shops reported, with its refunds.")),
    ExportName.redemptions: (N_("Friends’ orders"), N_("Orders with a code, and whether each counts.")),
    ExportName.rewards: (N_("Rewards"), N_("What was granted, what is left of it and what was spent.")),
    ExportName.ledger: (N_("Ledger"), N_("Each line of the double entry.")),
    ExportName.messages: (N_("Messages"), N_("What was sent or not, and why; without its content.")),
    ExportName.audit: (N_("Audit"), N_("Who changed what, and who read people’s data.")),
}
EXPORTS_PATH = "/admin/settings/exports"
FORMATS = {ExportFormat.csv: "CSV", ExportFormat.jsonl: "JSON Lines"}
_OF_THE_BRAND = (ExportName.ledger, ExportName.audit)
"""Lists of the whole brand, of which somebody limited to some shops sees nothing."""
_STATES = {
    ExportState.running: ("wait", N_("on its way")),
    ExportState.whole: ("good", N_("whole")),
    ExportState.broken_off: ("no", N_("broken off")),
}


@dataclass(frozen=True, slots=True)
class ShownList:
    """A list with its links: the name of the format, the address."""

    name: str
    text: str
    links: list[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class ShownExport:
    """An export as a line."""

    at: datetime
    name: str
    who: str
    filters: str
    format: str
    rows: str
    state: str
    mark: str


def may_export(name: ExportName, role: Role, *, all_shops: bool) -> bool:
    """Whether somebody may take this list: the audit log as an administrator alone."""
    if name in _OF_THE_BRAND and not all_shops:
        return False
    return includes(role, Role.admin if name is ExportName.audit else Role.support)


def lists_for(role: Role, *, all_shops: bool, shop: str | None) -> list[ShownList]:
    """What may be exported; of the chosen shop where a list is by shop."""
    shown = []
    for each, (name, text) in LISTS.items():
        links = export_links(each, role, {"shop": shop}, all_shops=all_shops)
        if links:
            shown.append(ShownList(translate(SOURCE, name), translate(SOURCE, text), links))
    return shown


def export_links(
    name: ExportName, role: Role, filters: Mapping[str, str | None], *, all_shops: bool
) -> list[tuple[str, str]]:
    """The formats of a list with their addresses; none where it is not allowed."""
    if not may_export(name, role, all_shops=all_shops):
        return []
    return [(FORMATS[made], _path_of(name, made, filters)) for made in ExportFormat]


def _path_of(name: ExportName, made: ExportFormat, filters: Mapping[str, str | None]) -> str:
    """The address of a list as a file, with a last record that proves it whole."""
    given = {key: value for key, value in filters.items() if value}
    query = given | ({"end": "true"} if made is ExportFormat.csv else {})
    return f"{EXPORTS_PATH}/{name}.{made}{'?' if query else ''}{urlencode(query)}"


def export_rows(rows: Iterable[ExportRow], names: Names) -> list[ShownExport]:
    """The lines of the exports that were taken."""
    return [_shown(row, names) for row in rows]


def _shown(row: ExportRow, names: Names) -> ShownExport:
    mark, state = _STATES[row.state]
    known = row.name in set(ExportName)
    return ShownExport(
        at=row.created_at,
        name=translate(SOURCE, LISTS[ExportName(row.name)][0]) if known else row.name,
        who=names.actor(row.actor),
        filters=", ".join(f"{name} {value}" for name, value in row.filters.items()),
        format=FORMATS[ExportFormat(row.format)] if row.format in set(ExportFormat) else row.format,
        rows=f"{row.rows:,}",
        state=translate(SOURCE, state),
        mark=mark,
    )
