"""Rewards, Balances: what is owed in each currency and to each referrer."""

from starlette.responses import RedirectResponse, Response

from app.admin.dashboard.access import ForViewer, screen_router
from app.admin.ledger import find_balances, liability_report, refuse_limited
from app.admin.listing import PageRequest
from app.admin.views import ledger as view
from app.base import clock
from app.base.errors import AppError
from app.base.text import is_clean
from app.brands.entered import NAME_LIMIT

PATH = "/admin/rewards"
_AT_ONCE = 50
router = screen_router(PATH)


@router.get("")
async def show_balances(frame: ForViewer) -> Response:
    """The figures of each currency, then referrers, or those who are found by `q`."""
    refuse_limited(frame.staff.actor)
    query = frame.request.query_params
    text = (query.get("q") or "").strip()[:NAME_LIMIT]
    if not is_clean(text):
        return RedirectResponse(frame.url(PATH), 303)
    wanted = PageRequest(frame.context.tokens, _AT_ONCE, query.get("cursor"))
    try:
        after = wanted.after(frame.brand.id)
    except AppError:
        return RedirectResponse(frame.url(PATH), 303)
    found, last = await find_balances(
        frame.session, frame.staff.actor, text or None, after=after, limit=_AT_ONCE
    )
    older = wanted.cursor_after(frame.brand.id, last)
    report = await liability_report(frame.session, frame.brand, now=clock.now())
    values = {
        "currencies": view.currency_figures(report.data),
        "rows": view.balance_rows(found),
        "older": frame.here(cursor=older) if older else "",
        "q": text,
        "everything": frame.url(PATH),
    }
    return frame.page("admin/rewards.html", "balances", values)
