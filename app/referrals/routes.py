"""The doors of this room: a referrer's own page and a friend's landing page."""

from fastapi import APIRouter, Request
from starlette.responses import Response

from app.base import clock
from app.base.misses import misses_of, slow_down_page
from app.base.web import GroundDep, SessionDep, not_found_page, page
from app.brands.find import load_brand
from app.brands.models import Brand
from app.brands.rules import zone_or
from app.referrals.progress import find_progress
from app.referrals.sentences import day_of
from app.referrals.visit import find_offer, is_visit, record_visit

router = APIRouter(include_in_schema=False)


@router.api_route("/p/{token}", methods=["GET", "HEAD"])
async def referrer_page(token: str, request: Request, ground: GroundDep, session: SessionDep) -> Response:
    """A referrer's own page; one answer for every link that opens nothing."""
    misses = misses_of(request)
    if misses.limited(request):
        return slow_down_page()
    subject = ground.tokens.read_link("referrer", token)
    progress = None
    if subject is not None:
        brand = await load_brand(session, subject.brand_id)
        progress = await find_progress(session, ground.settings.public_url, brand, subject.row_id, now=clock.now())
    if progress is None:
        misses.note(request)
        return not_found_page()
    share = {} if progress.share is None else progress.share.values()
    return page("referrer.html", {**_frame(progress.brand), "progress": progress, "share": progress.share, **share})


@router.api_route("/r/{slug}", methods=["GET", "HEAD"])
async def friend_page(slug: str, request: Request, session: SessionDep) -> Response:
    """A friend's landing page; opening it is a visit. Unknown, used and expired look alike."""
    misses = misses_of(request)
    if misses.limited(request):
        return slow_down_page()
    now = clock.now()
    offer = await find_offer(session, slug.lower(), now=now)
    if offer is None:
        misses.note(request)
        return not_found_page()
    if is_visit(request.method, request.headers):
        await record_visit(session, offer, now=now)
    last_day = day_of(offer.last_day, zone_or(offer.brand.time_zone, "UTC"))
    return page("friend.html", {**_frame(offer.brand), "offer": offer, "last_day": last_day})


def _frame(brand: Brand) -> dict[str, object]:
    """What every page says of its brand."""
    accent = str(brand.look.get("accent") or "").removeprefix("#")
    return {"lang": "en", "brand_name": brand.name, "postal_address": brand.postal_address, "accent": accent or None}
