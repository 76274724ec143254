"""Referrers, and what their friends brought."""

from typing import Annotated

from fastapi import APIRouter, Query

from app.admin.api.route import ApiRoute
from app.admin.auth import Reader
from app.admin.fields import Plain
from app.admin.listing import PageDep, list_page
from app.admin.referrers import ReferrerFilter, ReferrerOrder, default_currency, read_span, referrer_list
from app.base.schemas import Page
from app.base.web.context import SessionDep
from app.brands.amount_rules import Currency
from app.brands.find import load_brand, load_shops
from app.referrals.schemas import ReferrerRow

router = APIRouter(tags=["codes"], route_class=ApiRoute)


@router.get("/referrers")
async def list_referrers(
    caller: Reader,
    page: PageDep,
    session: SessionDep,
    order: ReferrerOrder = ReferrerOrder.newest,
    span: Annotated[str | None, Query(max_length=7, description="`2026`, `2026-11` or `all`.")] = None,
    currency: Currency | None = None,
    shop: Plain | None = None,
) -> Page[ReferrerRow]:
    """Referrers with what friends who ordered in a time brought: the newest or the best first.

    A list by the most has those alone who have a figure. Without a currency it is the shop's, or
    that of the brand's first shop.
    """
    brand = await load_brand(session, caller.brand_id)
    shops = list((await load_shops(session, brand.id)).values())
    chosen = next((each for each in shops if each.slug == shop), None)
    wanted = ReferrerFilter(currency or default_currency(shops, chosen), order, read_span(span), shop)
    found = referrer_list(brand, wanted)
    return await list_page(session, page, caller, found.resource, found.condition, by=found.by)
