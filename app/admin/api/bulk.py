"""Decisions about many friends' orders at once."""

from typing import cast

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import JSONResponse

from app.admin.api.route import ApiRoute
from app.admin.auth import Reader, Writer
from app.admin.bulk import BulkQuestion, find_bulk, start_bulk
from app.admin.fields import Line, Plain
from app.admin.filter_texts import FilterTexts
from app.admin.idempotency import IdempotentWriteDep, WriteResult
from app.admin.rules import BulkAction
from app.admin.schemas import BulkReport
from app.base import clock
from app.base.ids import parse_public_id
from app.base.web.context import ContextDep, SessionDep
from app.base.web.openapi import problems
from app.brands.find import load_brand
from app.referrals.rules import RedemptionReason, RedemptionStatus

router = APIRouter(tags=["codes"], route_class=ApiRoute)


class BulkFilter(BaseModel):
    """Which friends' orders are meant, as in `GET /redemptions`."""

    model_config = ConfigDict(extra="forbid")

    status: RedemptionStatus
    referrer: Plain | None = None
    code: Plain | None = None
    shop: Plain | None = None
    reason: RedemptionReason | None = None
    start: Plain | None = Field(default=None, alias="from")
    end: Plain | None = Field(default=None, alias="to")

    def texts(self) -> FilterTexts:
        """The filter as it is stored."""
        given = {name: value for name, value in self.model_dump(mode="json").items() if value}
        return cast("FilterTexts", given)


class BulkRequest(BaseModel):
    """What is decided about which friends' orders."""

    model_config = ConfigDict(extra="forbid")

    action: BulkAction
    filter: BulkFilter
    reason: Line | None = Field(default=None, description="Required for `reject`.")


@router.post(
    "/redemptions/bulk",
    name="decide_redemptions",
    status_code=202,
    response_model=BulkReport,
    responses=problems(404, 413),
)
async def decide(
    wanted: BulkRequest, caller: Writer, write: IdempotentWriteDep, context: ContextDep
) -> JSONResponse:
    """Approve or reject all friends' orders of a filter, in batches; those that come later wait."""

    async def act() -> WriteResult:
        brand = await load_brand(write.session, caller.brand_id)
        bulk = await start_bulk(
            write.session,
            context.tokens,
            brand,
            BulkQuestion(wanted.action, wanted.filter.texts(), wanted.reason),
            actor=caller,
            now=clock.now(),
        )
        return WriteResult(BulkReport.of(bulk), 202)

    return await write.run(caller, act)


@router.get("/redemptions/bulk/{id}", name="show_bulk_decision", responses=problems(404))
async def show(
    id: Plain,  # noqa: A002  # the path's own word
    caller: Reader,
    session: SessionDep,
) -> BulkReport:
    """How far it is done, and which were left out and why."""
    return BulkReport.of(await find_bulk(session, caller, parse_public_id("blk", id)))
