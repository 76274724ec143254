"""Links that a shop's own pages and mails show to the buyer of an order.

Pages ask in the browser with a token of the shop's platform. That proves the shop and not whose
order is asked about, so the order has a proof of its own.
"""

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response

from app.base import clock
from app.base.context import AppContext
from app.base.errors import AppError
from app.base.web.context import ContextDep, SessionDep
from app.base.web.lookup_limit import get_lookup_limit, rate_limited_page
from app.base.web.openapi import error_pages, problems
from app.base.web.pages import not_found_page
from app.brands.find import find_shop
from app.brands.models import Brand, Shop
from app.brands.rules import is_slug
from app.checkout.links import OrderLinks, OrderProof, find_proven_links
from app.checkout.schemas import OwnLinks
from app.orders.rules import external_order_id
from app.platforms.connection_types import ShopperSession
from app.platforms.connections import load_connections
from app.platforms.registry import PLATFORMS
from app.referrals.share import find_share

router = APIRouter()
_ANY_ORIGIN = {"Access-Control-Allow-Origin": "*"}
"""Extensions run in a worker without an origin of their own. No cookie counts here."""
_PREFLIGHT = {
    **_ANY_ORIGIN,
    "Access-Control-Allow-Methods": "GET",
    "Access-Control-Allow-Headers": "Authorization",
    "Access-Control-Max-Age": "86400",
}
ShopPath = Annotated[str, Path(description="The shop's slug.")]
OrderQuery = Annotated[str, Query(description="The shop's own id of the order.")]
ConfirmationQuery = Annotated[str, Query(description="What the shop gave the buyer with the order.")]


@router.options("/links/{shop}", include_in_schema=False)
async def allow_links(shop: ShopPath) -> Response:
    """What browsers ask before they send a token."""
    del shop
    return Response(status_code=204, headers=_PREFLIGHT)


@router.get("/links/{shop}", tags=["shops"], response_model=OwnLinks, responses=problems(401, 429))
async def show_order_links(
    request: Request,
    shop: ShopPath,
    context: ContextDep,
    session: SessionDep,
    order: OrderQuery = "",
    confirmation: ConfirmationQuery = "",
) -> Response:
    """The links of an order, for a page of the shop that asks with the platform's session token.

    The order is proven by its confirmation number, or by the buyer being signed in at the shop. All
    are null for any other order, whether or not there is one.
    """
    lookup_limit = get_lookup_limit(request)
    if lookup_limit.is_limited(request):
        raise AppError(
            "too_many_guesses",
            "Too many orders were asked about in vain from this address; try again later.",
            status=429,
            headers={**_ANY_ORIGIN, "Retry-After": "60"},
        )
    found = await _find_shop(session, shop)
    shopper = None if found is None else await _read_session(context, session, found[1], request)
    if found is None or shopper is None:
        lookup_limit.record_failure(request)
        raise AppError(
            "bad_session",
            "The session token is missing, has ended, or is not of this shop.",
            status=401,
            headers=_ANY_ORIGIN,
        )
    proof = OrderProof(confirmation, shopper.customer_id)
    links = await _find_links(context, session, found[1], order, proof)
    if links is None:
        lookup_limit.record_failure(request)
        links = OrderLinks(None, None)
    shown = OwnLinks()
    if links.customer_id is not None:
        share = await find_share(
            session, context.settings.public_url, found[0], links.customer_id, now=clock.now()
        )
        shown = shown if share is None else OwnLinks.of(share)
    body = shown.model_copy(update={"survey_url": links.survey_url}).model_dump(mode="json")
    return JSONResponse(body, headers=_ANY_ORIGIN)


@router.get("/o/{shop}", tags=["customers"], response_class=HTMLResponse, responses=error_pages(404, 429))
async def open_order(
    request: Request,
    shop: ShopPath,
    context: ContextDep,
    session: SessionDep,
    order: OrderQuery = "",
    confirmation: ConfirmationQuery = "",
) -> Response:
    """Where a link in the shop's own mails about an order leads its buyer.

    To the survey while it can be answered, else to what they may share, else to the shop. An
    unknown order and a wrong confirmation number get the one 404 page.
    """
    lookup_limit = get_lookup_limit(request)
    if lookup_limit.is_limited(request):
        return rate_limited_page(request)
    found = await _find_shop(session, shop)
    proof = OrderProof(confirmation)
    links = None if found is None else await _find_links(context, session, found[1], order, proof)
    if found is None or links is None:
        lookup_limit.record_failure(request)
        return not_found_page(request)
    target = links.survey_url or await _own_page(context, session, found[0], links) or found[1].url
    return not_found_page(request) if target is None else RedirectResponse(target, 303)


@router.head("/o/{shop}", include_in_schema=False)
async def probe_order(
    request: Request,
    shop: ShopPath,
    context: ContextDep,
    session: SessionDep,
    order: OrderQuery = "",
    confirmation: ConfirmationQuery = "",
) -> Response:
    """As GET; mail scanners send HEAD."""
    return await open_order(request, shop, context, session, order, confirmation)


async def _find_shop(session: AsyncSession, slug: str) -> tuple[Brand, Shop] | None:
    return await find_shop(session, slug) if is_slug(slug) else None


async def _read_session(
    context: AppContext, session: AsyncSession, shop: Shop, request: Request
) -> ShopperSession | None:
    """Who asks, by the token in the request; None where it is not one of this shop."""
    kind, _, token = request.headers.get("Authorization", "").partition(" ")
    if kind.lower() != "bearer" or not token:
        return None
    connections = await load_connections(session, context.tokens, shop.brand_id, [shop.id])
    connection = connections.get(shop.id)
    if connection is None:
        return None
    secrets = [context.tokens.open(sealed) for sealed in shop.sealed_secrets]
    return PLATFORMS[shop.platform].read_session(token.strip(), connection, secrets, now=clock.now())


async def _find_links(
    context: AppContext, session: AsyncSession, shop: Shop, order: str, proof: OrderProof
) -> OrderLinks | None:
    order_id = external_order_id(order)
    if not order_id:
        return None
    url = context.settings.public_url
    return await find_proven_links(session, context.tokens, url, shop, order_id, proof, now=clock.now())


async def _own_page(
    context: AppContext, session: AsyncSession, brand: Brand, links: OrderLinks
) -> str | None:
    """The referrer's own page of who ordered; None for who has nothing to share."""
    if links.customer_id is None:
        return None
    url = context.settings.public_url
    share = await find_share(session, url, brand, links.customer_id, now=clock.now())
    return (
        None if share is None else f"{url}/p/{context.tokens.link('referrer', brand.id, share.referrer_id)}"
    )
