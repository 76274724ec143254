"""Numbers: the score, the funnel, and lists as CSV."""

from enum import StrEnum
from typing import Annotated, Any

from fastapi import APIRouter, Query
from starlette.responses import StreamingResponse

from app.admin.auth import Reader
from app.admin.export import REFERRERS, csv_lines
from app.admin.listing import Resource
from app.admin.rows import CODES, LEDGER, REDEMPTIONS, RESPONSES
from app.base.web.context import ContextDep, SessionDep
from app.brands.find import load_brand
from app.insight.funnel import funnel, funnel_facts
from app.insight.periods import read_period
from app.insight.scores import By, nps_facts

router = APIRouter(tags=["numbers"])

From = Annotated[
    str | None, Query(alias="from", max_length=40, description="Date or time, in the brand's zone.")
]
To = Annotated[str | None, Query(alias="to", max_length=40, description="Where it ends, excluded.")]


class Export(StrEnum):
    """What can be had as CSV."""

    responses = "responses"
    referrers = "referrers"
    codes = "codes"
    redemptions = "redemptions"
    ledger = "ledger"


_EXPORTS: dict[Export, tuple[Resource, str]] = {
    Export.responses: (
        RESPONSES,
        "id answered_at score band comment channel testimonial_consent customer order survey changes",
    ),
    Export.referrers: (
        REFERRERS,
        "id created_at email name slug shop survey codes visits redemptions approved revoked_at",
    ),
    Export.codes: (
        CODES,
        "id created_at code referrer status uses max_uses expires_at discount_kind discount_value discount_currency minimum_subtotal",
    ),
    Export.redemptions: (
        REDEMPTIONS,
        "id created_at code referrer friend order order_number amount_off currency status reason hold_until approved_at reversed_at",
    ),
    Export.ledger: (LEDGER, "id at transaction account amount currency redemption referrer transaction_key"),
}


@router.get("/nps")
async def show_nps(
    caller: Reader, session: SessionDep, start: From = None, end: To = None, by: By | None = None
) -> dict[str, Any]:
    """The score with its interval and the response rate; each person's latest answer in the window counts."""
    brand = await load_brand(session, caller.brand_id)
    return await nps_facts(session, brand, read_period(start, end, brand.time_zone), by)


@router.get("/funnel")
async def show_funnel(
    caller: Reader, session: SessionDep, start: From = None, end: To = None
) -> dict[str, Any]:
    """How far the orders placed in the window came, and what they brought and cost."""
    brand = await load_brand(session, caller.brand_id)
    return funnel_facts(await funnel(session, caller.brand_id, read_period(start, end, brand.time_zone)))


@router.get("/exports/{what}.csv")
async def export(what: Export, caller: Reader, context: ContextDep) -> StreamingResponse:
    """A whole list as CSV; personal fields want the scope `pii`."""
    resource, columns = _EXPORTS[what]
    lines = csv_lines(context, caller.brand_id, resource, columns.split(), pii=caller.sees_people)
    headers = {"Content-Disposition": f'attachment; filename="{what}.csv"', "Cache-Control": "no-store"}
    return StreamingResponse(lines, media_type="text/csv; charset=utf-8", headers=headers)
