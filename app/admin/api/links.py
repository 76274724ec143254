"""A customer's own links, for the shop's pages and mails."""

from fastapi import APIRouter, Request

from app.admin.api.guesses import get_address_guesses
from app.admin.api.route import ApiRoute
from app.admin.auth import Checkout
from app.admin.fields import Plain
from app.base import clock
from app.base.errors import AppError
from app.base.ids import public_id_or_none
from app.base.web.context import ContextDep, SessionDep
from app.base.web.openapi import problems
from app.brands.find import load_brand, load_shops
from app.checkout.credit import find_owner
from app.checkout.links import OrderLinks, find_order_links
from app.checkout.redeem import choose_shop
from app.checkout.schemas import CustomerLinks
from app.referrals.share import find_share

router = APIRouter(tags=["checkout"], route_class=ApiRoute)


@router.get("/links", name="show_links", responses=problems(422, 429))
async def show_links(
    request: Request,
    caller: Checkout,
    context: ContextDep,
    session: SessionDep,
    email: Plain | None = None,
    shop: Plain | None = None,
    order: Plain | None = None,
) -> CustomerLinks:
    """The links of a customer, by e-mail address, or by a shop and its own id of an order.

    An address or an order that is not known has none; both count as guesses.
    """
    if (email is None) == (order is None) or (shop is not None and order is None):
        raise AppError(
            "invalid", "Name the customer by email, or by shop and order; of one shop by order alone."
        )
    guesses = get_address_guesses(request)
    guesses.refuse_if_limited(caller)
    now, public_url = clock.now(), context.settings.public_url
    if order is None:
        owner = await find_owner(session, caller.brand_id, email=email)
        found = None if owner is None else OrderLinks(owner.customer_id, None)
    else:
        sold_by = choose_shop(await load_shops(session, caller.brand_id), shop)
        found = await find_order_links(session, context.tokens, public_url, sold_by, order, now=now)
    if found is None:
        guesses.record_unknown(caller, (email or f"{shop}/{order}").strip().lower())
        found = OrderLinks(None, None)
    share = None
    if found.customer_id is not None:
        brand = await load_brand(session, caller.brand_id)
        share = await find_share(session, public_url, brand, found.customer_id, now=now)
    shared = CustomerLinks() if share is None else CustomerLinks.of(share)
    customer = public_id_or_none("cus", found.customer_id)
    return shared.model_copy(update={"customer": customer, "survey_url": found.survey_url})
