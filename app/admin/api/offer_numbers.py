"""Numbers of offers: what they change, what friends bring by band, and how fast offers go."""

from fastapi import APIRouter

from app.admin.api.numbers import From, OfShop, To, find_shop_id
from app.admin.api.route import ApiRoute
from app.admin.auth import Reader
from app.base.web.context import SessionDep
from app.base.web.openapi import problems
from app.brands.find import load_brand
from app.insight.band_revenue import band_revenue
from app.insight.figures import rolled_as_of
from app.insight.lift import holdout_lift
from app.insight.number_schemas import BandReport, BandRevenueRow, HoldoutReport, OfferTimesReport
from app.insight.offer_times import offer_times
from app.insight.periods import read_period

router = APIRouter(prefix="/numbers", tags=["numbers"], route_class=ApiRoute)


@router.get("/holdout", responses=problems(404))
async def show_holdout(
    caller: Reader, session: SessionDep, start: From = None, end: To = None, shop: OfShop = None
) -> HoldoutReport:
    """How many promoters ordered again within 90 days: with an offer, and held out by chance."""
    brand = await load_brand(session, caller.brand_id)
    shop_id = await find_shop_id(session, brand.id, shop)
    period = read_period(start, end, brand.time_zone)
    as_of = await rolled_as_of(session, brand, period)
    return HoldoutReport.of(await holdout_lift(session, brand, period, shop_id), as_of=as_of)


@router.get("/bands", responses=problems(404))
async def show_band_revenue(
    caller: Reader, session: SessionDep, start: From = None, end: To = None, shop: OfShop = None
) -> BandReport:
    """What friends' orders placed in the period brought, by what their referrers had answered."""
    brand = await load_brand(session, caller.brand_id)
    shop_id = await find_shop_id(session, brand.id, shop)
    period = read_period(start, end, brand.time_zone)
    as_of = await rolled_as_of(session, brand, period)
    found = await band_revenue(session, brand, period, shop_id)
    return BandReport(bands=[BandRevenueRow.of(each) for each in found], as_of=as_of)


@router.get("/offer-times", responses=problems(404))
async def show_offer_times(
    caller: Reader, session: SessionDep, start: From = None, end: To = None, shop: OfShop = None
) -> OfferTimesReport:
    """Within how many seconds of their answer 50, 95 and 99 % of promoters had an offer sent."""
    brand = await load_brand(session, caller.brand_id)
    shop_id = await find_shop_id(session, brand.id, shop)
    period = read_period(start, end, brand.time_zone)
    as_of = await rolled_as_of(session, brand, period)
    return OfferTimesReport.of(await offer_times(session, brand, period, shop_id), as_of=as_of)
