"""Decisions about many friends' orders at once."""

from typing import cast

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import JSONResponse

from app.admin.api.route import ApiRoute
from app.admin.auth import Reader, Writer
from app.admin.bulk import BulkQuestion, check_action, count_meant, find_bulk, start_bulk
from app.admin.fields import Line, Plain
from app.admin.filter_texts import FilterTexts
from app.admin.idempotency import IdempotentWriteDep, WriteResult
from app.admin.redemptions import read_filter
from app.admin.rules import BulkAction
from app.admin.schemas import BulkReport
from app.base import clock
from app.base.ids import parse_public_id, public_id_or_none
from app.base.schemas import ApiModel
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


class BulkBody(BaseModel):
    """What would be decided about which friends' orders."""

    model_config = ConfigDict(extra="forbid")

    action: BulkAction
    filter: BulkFilter


class BulkRequest(BulkBody):
    """What is decided about which friends' orders."""

    reason: Line | None = Field(default=None, description="Required for `reject`.")
    until: Plain | None = Field(
        default=None, description="`red_…`, as the preview returned it: those that came since are not meant."
    )


class BulkPreview(ApiModel):
    """How many friends' orders are meant now."""

    count: int
    until: str | None = Field(description="The newest of them; null where there is none.")


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
            BulkQuestion(
                wanted.action,
                wanted.filter.texts(),
                wanted.reason,
                parse_public_id("red", wanted.until) if wanted.until else None,
            ),
            actor=caller,
            now=clock.now(),
        )
        return WriteResult(BulkReport.of(bulk), 202)

    return await write.run(caller, act)


@router.post("/redemptions/bulk/preview", name="preview_bulk_decision", responses=problems(404, 413))
async def preview(wanted: BulkBody, caller: Writer, session: SessionDep) -> BulkPreview:
    """Count the friends' orders that would be decided; changes nothing."""
    brand = await load_brand(session, caller.brand_id)
    chosen = read_filter(wanted.filter.texts(), brand.time_zone)
    check_action(wanted.action, chosen)
    meant = await count_meant(session, caller, chosen)
    return BulkPreview(count=meant.count, until=public_id_or_none("red", meant.until))


@router.get("/redemptions/bulk/{id}", name="show_bulk_decision", responses=problems(404))
async def show(
    id: Plain,  # noqa: A002  # the path's own word
    caller: Reader,
    session: SessionDep,
) -> BulkReport:
    """How far it is done, and which were left out and why."""
    return BulkReport.of(await find_bulk(session, caller, parse_public_id("blk", id)))
