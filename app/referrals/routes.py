"""The public pages of referrals: a referrer's own page and a friend's landing page."""

from dataclasses import replace
from datetime import datetime
from typing import Annotated

from fastapi import Path, Request
from starlette.applications import Starlette
from starlette.responses import HTMLResponse, RedirectResponse, Response

from app.base import clock
from app.base.context import AppContext
from app.base.web.context import ContextDep, ReadingDep, SessionDep
from app.base.web.lookup_limit import address_of, get_lookup_limit, rate_limited_page
from app.base.web.openapi import error_pages
from app.base.web.page_route import make_page_router
from app.base.web.pages import not_found_page, page
from app.brands.appearance import card_of, page_values
from app.referrals.count_visits import NewVisit, VisitCounter
from app.referrals.friend_codes import FriendCode, find_friend_code, give_friend_code
from app.referrals.friend_offer import FriendOffer, find_offer
from app.referrals.offer_texts import reader_of
from app.referrals.progress import find_progress
from app.referrals.share import share_url
from app.referrals.visit import Visitor, is_visit, visitor_of

router = make_page_router()
TokenPath = Annotated[str, Path(description="The token of a referrer's link, as it stands in the offer.")]
SlugPath = Annotated[str, Path(description="The slug of a share link.")]


@router.get("/p/{token}", response_class=HTMLResponse, responses=error_pages(404, 429))
async def show_referrer(
    request: Request, token: TokenPath, context: ContextDep, reading: ReadingDep
) -> Response:
    """A referrer's own page: code, share buttons, and the results of friends' orders.

    Unknown links get the one 404 page.
    """
    lookup_limit = get_lookup_limit(request)
    if lookup_limit.is_limited(request):
        return rate_limited_page(request)
    subject = context.tokens.read_link("referrer", token)
    progress = None
    if subject is not None:
        progress = await find_progress(reading, context.settings.public_url, subject, now=clock.now())
    if subject is None or progress is None:
        lookup_limit.record_failure(request)
        return not_found_page(request)
    customer_id = progress.customer_id
    unsubscribe = customer_id and f"/u/{context.tokens.link('unsubscribe', subject.brand_id, customer_id)}"
    share = {} if progress.share is None else progress.share.values()
    values = {
        **page_values(progress.brand, progress.language),
        "progress": progress,
        "share": progress.share,
        "unsubscribe_url": unsubscribe,
    }
    return page("referrer.html", values | share, language=progress.language)


@router.head("/p/{token}", include_in_schema=False)
async def probe_referrer(
    request: Request, token: TokenPath, context: ContextDep, reading: ReadingDep
) -> Response:
    """As GET, without the page; mail scanners send HEAD."""
    return await show_referrer(request, token, context, reading)


@router.get("/r/{slug}", response_class=HTMLResponse, responses=error_pages(404, 429))
async def show_offer(request: Request, slug: SlugPath, context: ContextDep, reading: ReadingDep) -> Response:
    """A friend's landing page; a person who opens it is counted, once a day.

    An unknown, a used up and an expired code get the same page.
    """
    lookup_limit = get_lookup_limit(request)
    if lookup_limit.is_limited(request):
        return rate_limited_page(request)
    now = clock.now()
    offer = await find_offer(reading, slug.lower(), now=now)
    if offer is None:
        lookup_limit.record_failure(request)
        return not_found_page(request)
    visitor = _visitor(request, context, offer, now=now)
    if is_visit(request.method, request.headers):
        get_visit_counter(request).add(NewVisit(offer.brand.id, offer.referrer_id, visitor.key), now)
    given = await find_friend_code(reading, offer, visitor, now=now) if offer.per_friend else None
    return _offer_page(context, offer, given)


@router.head("/r/{slug}", include_in_schema=False)
async def probe_offer(request: Request, slug: SlugPath, context: ContextDep, reading: ReadingDep) -> Response:
    """As GET, without the page and without a visit."""
    return await show_offer(request, slug, context, reading)


@router.post("/r/{slug}", response_class=HTMLResponse, responses=error_pages(404, 429))
async def give_code(request: Request, slug: SlugPath, context: ContextDep, session: SessionDep) -> Response:
    """Give a friend a code of their own, once a day; the same one however often it is asked for.

    Where all friends share a code there is none to give, and the page that has it is shown.
    """
    lookup_limit = get_lookup_limit(request)
    if lookup_limit.is_limited(request):
        return rate_limited_page(request)
    now = clock.now()
    offer = await find_offer(session, slug.lower(), now=now, lock=True)
    if offer is None:
        lookup_limit.record_failure(request)
        return not_found_page(request)
    if not offer.per_friend:
        return RedirectResponse(f"/r/{offer.slug}", 303, {"Cache-Control": "no-store"})
    given = await give_friend_code(session, offer, _visitor(request, context, offer, now=now), now=now)
    return _offer_page(context, offer, given, is_limited=given is None)


def get_visit_counter(request: Request) -> VisitCounter:
    """The process's counter, created with its first visit."""
    state = request.app.state
    if not hasattr(state, "visit_counter"):
        state.visit_counter = VisitCounter(state.context.reading)
    return state.visit_counter  # type: ignore[no-any-return]  # starlette's state is untyped


async def finish(app: Starlette) -> None:
    """Write the visits that wait, before the process ends."""
    counter = getattr(app.state, "visit_counter", None)
    if counter is not None:
        await counter.close()


def _visitor(request: Request, context: AppContext, offer: FriendOffer, *, now: datetime) -> Visitor:
    browser = request.headers.get("user-agent", "")
    return visitor_of(context.tokens, offer, address_of(request), browser, now=now)


def _offer_page(
    context: AppContext, offer: FriendOffer, given: FriendCode | None, *, is_limited: bool = False
) -> HTMLResponse:
    """The landing page; `given` is the friend's own code, which is shown once the shop knows it."""
    if given is not None and given.is_live:
        offer = replace(offer, code=given.code)
    language = reader_of(offer.brand).language
    public_url = context.settings.public_url
    values = {
        **page_values(offer.brand, language),
        "offer": offer,
        "is_pending": offer.is_pending or (given is not None and not given.is_live),
        "is_limited": is_limited,
        **offer.texts.terms(),
        "card": card_of(offer.brand),
        "public_url": public_url,
        "page_url": share_url(public_url, offer.slug),
    }
    status = 429 if is_limited else 200
    return page("friend.html", values, language=language, status=status)
