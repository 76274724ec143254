"""What the screens of imports show: how far a file is read, in words."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from app.base.i18n import N_, SOURCE, translate
from app.base.ids import public_id
from app.brands.models import Shop
from app.ingest.backfill_models import OrderImport

FORMATS: Mapping[str, str] = {
    "": N_("Whoever wrote it (looked up in the file)"),
    "shopify": N_("Shopify, its export of orders"),
    "woocommerce": N_("WooCommerce, an export of orders"),
    "tenfold": N_("One JSON object a line"),
}
"""Formats of a file, by the word of the form."""
_NAMES: Mapping[str, str] = {"shopify": "Shopify", "woocommerce": "WooCommerce", "tenfold": N_("JSON lines")}


@dataclass(frozen=True, slots=True)
class ShownImport:
    """An import as a line of the list and as a page of its own."""

    id: str
    shop: str
    format: str
    history: bool
    pill: str
    word: str
    sentence: str
    percent: int | None
    """How much of the file is read, 0 to 100; None where that is not known."""
    is_working: bool
    may_stop: bool
    records: int
    new: int
    known: int
    unpaid: int
    refused: int
    started_at: datetime
    finished_at: datetime | None


def shown_import(row: OrderImport, shop: Shop | None) -> ShownImport:
    """The import in words."""
    is_waiting = row.due_at is not None and row.finished_at is None
    if row.finished_at is not None:
        state = ("good", _("Done"))
    elif row.problem is not None:
        state = ("no", _("Stopped"))
    elif is_waiting:
        state = ("wait", _("Being read") if row.records else _("Begins"))
    else:
        # A command reads it, or did until it broke off.
        state = ("wait", _("By a command"))
    percent = None
    if row.finished_at is not None:
        percent = 100
    elif row.size and row.position is not None:
        percent = min(99, row.position * 100 // row.size)
    return ShownImport(
        id=public_id("imp", row.id),
        shop=shop.name if shop else "",
        format=_(_NAMES.get(row.format, row.format)),
        history=row.history,
        pill=state[0],
        word=state[1],
        sentence="" if row.finished_at is not None else row.problem or "",
        percent=percent,
        is_working=is_waiting,
        may_stop=is_waiting,
        records=row.records,
        new=row.new,
        known=row.known,
        unpaid=row.unpaid,
        refused=row.refused,
        started_at=row.started_at,
        finished_at=row.finished_at,
    )


def _(text: str) -> str:
    return translate(SOURCE, text)
