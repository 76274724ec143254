"""The search: people by a name, an address, a number, an order, a code or an id."""

from starlette.responses import RedirectResponse, Response

from app.admin.dashboard.access import ForViewer, screen_router
from app.admin.search import search
from app.base.i18n import N_, SOURCE, translate
from app.insight.search import FoundBy

router = screen_router("/admin/search")

_BY = {
    FoundBy.id: N_("the id"),
    FoundBy.email: N_("the e-mail address"),
    FoundBy.phone: N_("the phone number"),
    FoundBy.order: N_("an order"),
    FoundBy.code: N_("a code"),
    FoundBy.name: N_("the name"),
}


@router.get("")
async def show_search(frame: ForViewer) -> Response:
    """The people who were found; the page of a person who is the only one."""
    text = frame.request.query_params.get("q", "").strip()[:200]
    hits = (await search(frame.session, frame.staff.actor, text)).data
    if len(hits) == 1:
        return RedirectResponse(frame.url(f"/admin/customers/{hits[0].customer.id}"), 303)
    rows = [{"customer": hit.customer, "by": translate(SOURCE, _BY[FoundBy(hit.found_by)])} for hit in hits]
    return frame.page("admin/search.html", "search", {"q": text, "hits": rows})
