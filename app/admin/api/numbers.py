"""Numbers: the score, the funnel and the overview."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query
from sqlalchemy.ext.asyncio import AsyncSession

from app.admin.api.route import ApiRoute
from app.admin.auth import Administrator, Reader
from app.base import clock
from app.base.config import EmailProvider
from app.base.errors import NotFound
from app.base.text import quoted
from app.base.web.context import ContextDep, SessionDep
from app.base.web.openapi import problems
from app.brands.find import load_brand, load_shops
from app.insight.first_steps import first_steps
from app.insight.funnel import funnel
from app.insight.funnel_report import funnel_report
from app.insight.invariants import check_brand
from app.insight.overview import overview
from app.insight.overview_report import OverviewReport, WaitingReport
from app.insight.periods import read_period
from app.insight.schemas import FunnelReport, NpsReport, ViolationList, ViolationShape
from app.insight.scores import By, nps_report
from app.insight.system import SystemReport, system_report
from app.insight.waiting import open_responses, redemptions_in_review

router = APIRouter(tags=["numbers"], route_class=ApiRoute)


From = Annotated[
    str | None,
    Query(
        alias="from", max_length=40, description="Start of the period: a date or time, in the brand's zone."
    ),
]
To = Annotated[
    str | None, Query(alias="to", max_length=40, description="End of the period, excluded; a date or time.")
]


OfShop = Annotated[
    str | None, Query(alias="shop", max_length=40, description="A shop's slug; else all shops.")
]


@router.get("/nps", response_model_exclude_unset=True, responses=problems(404))
async def show_nps(
    caller: Reader,
    session: SessionDep,
    start: From = None,
    end: To = None,
    by: By | None = None,
    shop: OfShop = None,
) -> NpsReport:
    """The score with its interval and the response rate.

    Of each person the latest response in the period counts, in the shop in which it was given.
    """
    brand = await load_brand(session, caller.brand_id)
    shop_id = await find_shop_id(session, brand.id, shop)
    return await nps_report(session, brand, read_period(start, end, brand.time_zone), by, shop_id)


@router.get("/funnel", responses=problems(404))
async def show_funnel(
    caller: Reader, session: SessionDep, start: From = None, end: To = None, shop: OfShop = None
) -> FunnelReport:
    """How far the orders placed in the period came, with revenue and cost."""
    brand = await load_brand(session, caller.brand_id)
    shop_id = await find_shop_id(session, brand.id, shop)
    return funnel_report(await funnel(session, brand, read_period(start, end, brand.time_zone), shop_id))


@router.get("/overview", responses=problems(404))
async def show_overview(
    caller: Reader, session: SessionDep, start: From = None, end: To = None, shop: OfShop = None
) -> OverviewReport:
    """The figures of a period beside those of the period before, with the chances of changes."""
    brand = await load_brand(session, caller.brand_id)
    period = read_period(start, end, brand.time_zone)
    shop_id = await find_shop_id(session, brand.id, shop)
    return OverviewReport.of(await overview(session, brand, period, shop_id), period)


async def find_shop_id(session: AsyncSession, brand_id: int, slug: str | None) -> UUID | None:
    """The brand's shop of this slug; None for None. Raises `NotFound` for one that it has not."""
    if slug is None:
        return None
    shops = await load_shops(session, brand_id)
    found = next((each.id for each in shops.values() if each.slug == slug), None)
    if found is None:
        raise NotFound(f"There is no shop {quoted(slug)}.")
    return found


@router.get("/waiting")
async def show_waiting(caller: Reader, context: ContextDep, session: SessionDep) -> WaitingReport:
    """What waits for somebody, and which of the first steps were taken."""
    sends = context.settings.email_provider is not EmailProvider.outbox
    return WaitingReport(
        redemptions_in_review=await redemptions_in_review(session, caller.brand_id),
        open_responses=await open_responses(session, caller.brand_id),
        first_steps=await first_steps(session, caller.brand_id, sends=sends),
    )


@router.get("/system")
async def show_system(caller: Administrator, session: SessionDep) -> SystemReport:
    """What waits, what fails, and what each shop delivered last."""
    return await system_report(session, caller.brand_id, now=clock.now())


@router.get("/system/invariants")
async def check_invariants(caller: Administrator, context: ContextDep, session: SessionDep) -> ViolationList:
    """What of the brand's data does not agree with itself; reads everything, for a minute."""
    found = await check_brand(session, context.tokens, caller.brand_id)
    shown = [ViolationShape(name=each.name, statement=each.statement, rows=each.rows) for each in found]
    return ViolationList(data=shown)
