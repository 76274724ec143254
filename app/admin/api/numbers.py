"""Numbers: the score, the funnel and the overview."""

from typing import Annotated

from fastapi import APIRouter, Query

from app.admin.api.route import ApiRoute
from app.admin.auth import Administrator, Reader
from app.base import clock
from app.base.config import EmailProvider
from app.base.web.context import ContextDep, SessionDep
from app.brands.find import load_brand
from app.insight.first_steps import first_steps
from app.insight.funnel import funnel
from app.insight.funnel_report import funnel_report
from app.insight.overview import overview
from app.insight.overview_report import OverviewReport, WaitingReport
from app.insight.periods import read_period
from app.insight.schemas import FunnelReport, NpsReport
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


@router.get("/nps", response_model_exclude_unset=True)
async def show_nps(
    caller: Reader, session: SessionDep, start: From = None, end: To = None, by: By | None = None
) -> NpsReport:
    """The score with its interval and the response rate.

    Of each person the latest response in the period counts.
    """
    brand = await load_brand(session, caller.brand_id)
    return await nps_report(session, brand, read_period(start, end, brand.time_zone), by)


@router.get("/funnel")
async def show_funnel(
    caller: Reader, session: SessionDep, start: From = None, end: To = None
) -> FunnelReport:
    """How far the orders placed in the period came, with revenue and cost."""
    brand = await load_brand(session, caller.brand_id)
    return funnel_report(await funnel(session, caller.brand_id, read_period(start, end, brand.time_zone)))


@router.get("/overview")
async def show_overview(
    caller: Reader, session: SessionDep, start: From = None, end: To = None
) -> OverviewReport:
    """The figures of a period beside those of the period before, with the chances of changes."""
    brand = await load_brand(session, caller.brand_id)
    period = read_period(start, end, brand.time_zone)
    return OverviewReport.of(await overview(session, brand, period), period)


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
