"""Friends' orders that are credited to a referrer whom somebody names, and taken away again."""

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import JSONResponse

from app.admin.api.codes import shown_redemption
from app.admin.api.route import ApiRoute
from app.admin.auth import Writer
from app.admin.fields import Line
from app.admin.idempotency import IdempotentWriteDep, WriteResult
from app.admin.relink import credit_order, find_order_id, relink_redemption
from app.base import clock
from app.base.ids import parse_public_id, public_id
from app.base.web.context import ContextDep
from app.base.web.openapi import problems
from app.brands.find import load_brand
from app.referrals.schemas import RedemptionRow

router = APIRouter(tags=["codes"], route_class=ApiRoute)
_TO = "A code, link or id; with `pii` an e-mail address or phone number."


class Credit(BaseModel):
    """An order and the referrer it is credited to."""

    model_config = ConfigDict(extra="forbid")

    order: Line = Field(description="`ord_…`, or its number.")
    to: Line = Field(description=_TO)
    reason: Line


class Relinked(BaseModel):
    """The referrer a friend's order is credited to instead; null for nobody."""

    model_config = ConfigDict(extra="forbid")

    to: Line | None = Field(description=_TO)
    reason: Line


@router.post(
    "/redemptions",
    name="credit_order",
    status_code=201,
    response_model=RedemptionRow,
    responses=problems(404, 409, 413),
)
async def credit(
    wanted: Credit, caller: Writer, write: IdempotentWriteDep, context: ContextDep
) -> JSONResponse:
    """Credit an order to a referrer, under the terms of their code: one without a code of ours."""

    async def act() -> WriteResult:
        brand = await load_brand(write.session, caller.brand_id)
        order_id = await find_order_id(write.session, caller, wanted.order)
        redemption_id = await credit_order(
            write.session,
            context.tokens,
            brand,
            caller,
            order_id,
            wanted.to,
            reason=wanted.reason,
            now=clock.now(),
        )
        return await shown_redemption(write, caller, public_id("red", redemption_id), 201)

    return await write.run(caller, act)


@router.post(
    "/redemptions/{id}/relink",
    name="relink_redemption",
    response_model=RedemptionRow,
    responses=problems(404, 409, 413),
)
async def relink(
    id: Line,  # noqa: A002  # the path's own word
    wanted: Relinked,
    caller: Writer,
    write: IdempotentWriteDep,
    context: ContextDep,
) -> JSONResponse:
    """Credit a friend's order to another referrer; null takes it away from the present one."""

    async def act() -> WriteResult:
        brand = await load_brand(write.session, caller.brand_id)
        await relink_redemption(
            write.session,
            context.tokens,
            brand,
            caller,
            parse_public_id("red", id),
            wanted.to,
            reason=wanted.reason,
            now=clock.now(),
        )
        return await shown_redemption(write, caller, id)

    return await write.run(caller, act)
