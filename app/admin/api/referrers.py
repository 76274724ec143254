"""Referrers, and what their friends brought."""

from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import JSONResponse

from app.admin.api.route import ApiRoute
from app.admin.auth import Reader, Writer
from app.admin.fields import Plain
from app.admin.idempotency import IdempotentWriteDep, WriteResult
from app.admin.listing import PageDep, get_row, list_page
from app.admin.referrers import ReferrerFilter, ReferrerOrder, default_currency, read_span, referrer_list
from app.admin.rows import CODES
from app.admin.shops import find_shop_id
from app.base import clock
from app.base.ids import parse_public_id
from app.base.schemas import Page
from app.base.web.context import ContextDep, SessionDep
from app.base.web.openapi import problems
from app.brands.amount_rules import Currency
from app.brands.find import load_brand, load_shops
from app.referrals.replace_leaked import issue_again
from app.referrals.schemas import CodeRow, ReferrerRow

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
    shop_id = await find_shop_id(session, brand.id, shop)
    wanted = ReferrerFilter(currency or default_currency(shops, chosen), order, read_span(span), shop_id)
    found = referrer_list(brand, wanted)
    return await list_page(session, page, caller, found.resource, found.condition, by=found.by)


@router.post(
    "/referrers/{id}/reissue",
    name="issue_code_again",
    response_model=CodeRow,
    status_code=201,
    responses=problems(404, 409),
)
async def reissue(
    id: Plain,  # noqa: A002  # the path's own word
    caller: Writer,
    write: IdempotentWriteDep,
    context: ContextDep,
) -> JSONResponse:
    """Give a referrer whose code no longer works a new one under the terms in force."""

    async def act() -> WriteResult:
        brand = await load_brand(write.session, caller.brand_id)
        referrer_id = parse_public_id("ref", id)
        new = await issue_again(write.session, context, brand, referrer_id, actor=caller, now=clock.now())
        return WriteResult(await get_row(write.session, caller, CODES, new.id), 201)

    return await write.run(caller, act)
