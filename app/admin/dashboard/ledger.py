"""Rewards, Ledger: the entries by account, currency, cause and day, and a transaction."""

from collections.abc import Callable
from datetime import date

from starlette.responses import RedirectResponse, Response

from app.admin.dashboard.access import ForViewer, screen_router
from app.admin.dashboard.frame import Frame
from app.admin.dashboard.list_exports import links_of
from app.admin.export_rules import ExportName
from app.admin.ledger import LedgerFilter, ledger_totals, listed_conditions, refuse_limited, transaction_of
from app.admin.listing import PageRequest, list_page
from app.admin.rows import LEDGER
from app.admin.views import ledger as view
from app.base import clock
from app.base.errors import AppError
from app.base.i18n import SOURCE, translate
from app.base.ids import parse_public_id
from app.brands.find import load_currencies
from app.ledger.rules import CauseKind, LedgerAccount

PATH = "/admin/ledger"
_AT_ONCE = 50
_FILTERS = ("account", "currency", "kind", "cause", "referrer", "from", "to")
router = screen_router(PATH)


@router.get("")
async def show_ledger(frame: ForViewer) -> Response:
    """The entries, newest first, by filters; what cannot be read leads to all of them."""
    refuse_limited(frame.staff.actor)
    query = frame.request.query_params
    try:
        conditions = await listed_conditions(frame.session, frame.brand.id, _filter_of(frame))
        request = PageRequest(frame.context.tokens, _AT_ONCE, query.get("cursor"))
        found = await list_page(frame.session, request, frame.staff.actor, LEDGER, *conditions)
    except (AppError, ValueError):
        return RedirectResponse(frame.url(PATH), 303)
    totals = await ledger_totals(frame.session, frame.brand, now=clock.now())
    used = {each.currency for each in totals.accounts}
    values = {
        "rows": view.entry_rows(found.data),
        "exports": links_of(frame, ExportName.ledger, _FILTERS, by_shop=False),
        "older": frame.here(cursor=found.next_cursor) if found.next_cursor else "",
        "totals": totals,
        "lines": view.total_lines(totals),
        "unbalanced": view.unbalanced_lines(totals),
        "entries": sum(each.entries for each in totals.accounts),
        "accounts": [(each, translate(SOURCE, name)) for each, name in view.ACCOUNTS.items()],
        "currencies": sorted(used | await load_currencies(frame.session, frame.brand.id)),
        "causes": [(each, translate(SOURCE, name)) for each, name in view.CAUSES.items()],
        "kept": [(name, query[name]) for name in ("shop", "cause", "referrer") if query.get(name)],
        "chosen": {name: query.get(name, "") for name in _FILTERS},
        "chips": _chips(frame),
        "clear": frame.here(**dict.fromkeys(_FILTERS)),
    }
    return frame.page("admin/ledger.html", "ledger", values)


@router.get("/{id}")
async def show_transaction(id: str, frame: ForViewer) -> Response:  # noqa: A002  # the path's own word
    """The transaction of an entry: all its lines, what caused it, and whether it adds up."""
    refuse_limited(frame.staff.actor)
    found = await transaction_of(frame.session, frame.staff.actor, parse_public_id("led", id))
    values = {"it": found, "rows": view.entry_rows(found.entries), "first": found.entries[0]}
    return frame.page("admin/ledger_transaction.html", "ledger", values)


def _filter_of(frame: Frame) -> LedgerFilter:
    """What the address asks for; raises ValueError for what cannot be read."""
    query = frame.request.query_params
    account, kind = query.get("account"), query.get("kind")
    start, end = query.get("from"), query.get("to")
    return LedgerFilter(
        account=LedgerAccount(account) if account else None,
        currency=query.get("currency") or None,
        kind=CauseKind(kind) if kind else None,
        cause=query.get("cause") or None,
        referrer=query.get("referrer") or None,
        start=date.fromisoformat(start) if start else None,
        end=date.fromisoformat(end) if end else None,
    )


def _chips(frame: Frame) -> list[dict[str, str]]:
    """The filters in force, each with the address without it."""
    query = frame.request.query_params
    shown: dict[str, Callable[[str], str]] = {
        "account": view.account_name,
        "currency": str,
        "kind": view.cause_name,
        "cause": lambda _: translate(SOURCE, "of one cause"),
        "referrer": lambda _: translate(SOURCE, "of one referrer"),
        "from": lambda value: translate(SOURCE, "from %(day)s", day=value),
        "to": lambda value: translate(SOURCE, "before %(day)s", day=value),
    }
    return [
        {"name": text(query[name]), "href": frame.here(**{name: None})}
        for name, text in shown.items()
        if query.get(name)
    ]
