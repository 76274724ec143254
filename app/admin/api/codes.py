"""Codes and their redemptions by friends."""

from dataclasses import replace
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import JSONResponse

from app.admin.api.numbers import From, To
from app.admin.api.route import ApiRoute
from app.admin.auth import Reader, Writer
from app.admin.codes import CodeDetail, CodeFilter, CodeState, code_conditions, code_detail, is_code, order_of
from app.admin.fields import Line, Plain
from app.admin.idempotency import IdempotentWrite, IdempotentWriteDep, WriteResult
from app.admin.listing import PageDep, get_row, list_page
from app.admin.redemptions import (
    RedemptionDetail,
    RedemptionFilter,
    redemption_conditions,
    redemption_detail,
)
from app.admin.rows import CODES, REDEMPTIONS, REWARDS
from app.admin.shops import find_shop_id
from app.base import clock
from app.base.actor import Actor
from app.base.ids import parse_public_id
from app.base.schemas import Page
from app.base.web.context import ContextDep, SessionDep
from app.base.web.openapi import problems
from app.brands.find import load_brand
from app.insight.periods import read_period
from app.referrals.decide import approve_redemption, reject_redemption
from app.referrals.disable import disable_code
from app.referrals.leaks import dismiss_leak
from app.referrals.replace_leaked import replace_code
from app.referrals.rules import CodeKind, RedemptionReason, RedemptionStatus
from app.referrals.schemas import CodeRow, RedemptionRow

router = APIRouter(tags=["codes"], route_class=ApiRoute)


class Remark(BaseModel):
    """A person's reason for a decision; kept in the audit log."""

    model_config = ConfigDict(extra="forbid")

    reason: Plain | None = None


class Objection(BaseModel):
    """Why a redemption is rejected, for the team: the referrer's page does not say it."""

    model_config = ConfigDict(extra="forbid")

    reason: Line


class CodeFilters(BaseModel):
    """Which codes are listed."""

    referrer: Plain | None = None
    code: Plain | None = None
    kind: CodeKind | None = None
    state: CodeState | None = None
    shop: Plain | None = None
    updated_since: str | None = Field(
        default=None,
        max_length=40,
        description="Those issued, used, disabled or erased since; a date or time, in the brand's zone.",
    )


@router.get("/codes", responses=problems(404))
async def list_codes(
    caller: Reader, page: PageDep, session: SessionDep, given: Annotated[CodeFilters, Query()]
) -> Page[CodeRow]:
    """Codes with their number of uses, newest first; those that ended by the time they did."""
    shop_id = await find_shop_id(session, caller.brand_id, given.shop)
    since = None
    if given.updated_since:
        brand = await load_brand(session, caller.brand_id)
        since = read_period(given.updated_since, None, brand.time_zone).start
    wanted = CodeFilter(given.referrer, given.code, given.kind, given.state, shop_id, since)
    chosen = code_conditions(caller.brand_id, wanted, now=clock.now())
    return await list_page(session, page, caller, CODES, *chosen, by=order_of(wanted))


@router.get("/codes/{code}", responses=problems(404))
async def show_code(code: Plain, caller: Reader, session: SessionDep) -> CodeDetail:
    """A code, by itself or its id, with where it works and what speaks against it."""
    return await code_detail(session, caller, is_code(code))


@router.post(
    "/codes/{code}/replace",
    name="replace_code",
    response_model=CodeRow,
    status_code=201,
    responses=problems(404, 409),
)
async def replace_leaked(
    code: Plain, caller: Writer, write: IdempotentWriteDep, context: ContextDep
) -> JSONResponse:
    """Disable a code that may have leaked, and give its referrer a new one, which is returned."""

    async def act() -> WriteResult:
        brand = await load_brand(write.session, caller.brand_id)
        new = await replace_code(write.session, context, brand, code, actor=caller, now=clock.now())
        return WriteResult(await get_row(write.session, caller, CODES, new.id), 201)

    return await write.run(caller, act)


@router.post("/codes/{code}/dismiss", name="dismiss_leak", response_model=CodeDetail, responses=problems(404))
async def dismiss(code: Plain, caller: Writer, write: IdempotentWriteDep) -> JSONResponse:
    """Decide that a code which is taken for leaked is not; it is not taken for it again."""

    async def act() -> WriteResult:
        found = await code_detail(write.session, caller, is_code(code))
        await dismiss_leak(write.session, parse_public_id("cod", found.id), actor=caller, now=clock.now())
        return WriteResult(await code_detail(write.session, caller, is_code(code)))

    return await write.run(caller, act)


@router.post("/codes/{code}/disable", name="disable_code", response_model=CodeRow, responses=problems(404))
async def disable(code: Plain, caller: Writer, write: IdempotentWriteDep) -> JSONResponse:
    """Disable a code; a second call changes nothing."""

    async def act() -> WriteResult:
        brand = await load_brand(write.session, caller.brand_id)
        disabled = await disable_code(write.session, brand, code, actor=caller, now=clock.now())
        await write.session.flush()
        return WriteResult(await get_row(write.session, caller, CODES, disabled.id))

    return await write.run(caller, act)


async def _wanted(
    status: RedemptionStatus | None = None,
    referrer: Plain | None = None,
    code: Plain | None = None,
    shop: Plain | None = None,
    reason: RedemptionReason | None = None,
) -> RedemptionFilter:
    return RedemptionFilter(status, referrer, code, shop, reason)


@router.get("/redemptions", responses=problems(404))
async def list_redemptions(
    caller: Reader,
    page: PageDep,
    session: SessionDep,
    wanted: Annotated[RedemptionFilter, Depends(_wanted)],
    start: From = None,
    end: To = None,
) -> Page[RedemptionRow]:
    """Friends' orders with a code of ours, also those that do not count and why.

    A period is that in which they were recorded.
    """
    brand = await load_brand(session, caller.brand_id)
    within = replace(wanted, period=read_period(start, end, brand.time_zone))
    chosen = redemption_conditions(caller.brand_id, within)
    return await list_page(session, page, caller, REDEMPTIONS, *chosen)


@router.get("/redemptions/{id}", responses=problems(404))
async def show_redemption(
    id: Plain,  # noqa: A002  # the path's own word
    caller: Reader,
    session: SessionDep,
) -> RedemptionDetail:
    """A friend's order with the evidence that decides whether it counts."""
    brand = await load_brand(session, caller.brand_id)
    return await redemption_detail(session, caller, brand, parse_public_id("red", id))


@router.post(
    "/redemptions/{id}/approve",
    name="approve_redemption",
    response_model=RedemptionRow,
    responses=problems(404, 409, 413),
)
async def approve(
    id: Plain,  # noqa: A002  # the path's own word
    caller: Writer,
    write: IdempotentWriteDep,
    context: ContextDep,
    remark: Remark | None = None,
) -> JSONResponse:
    """Approve a redemption that is in review, rejected or pending; the reward is granted now."""

    async def act() -> WriteResult:
        redemption_id = parse_public_id("red", id)
        brand = await load_brand(write.session, caller.brand_id)
        reason = None if remark is None else remark.reason
        await approve_redemption(
            write.session, context.tokens, brand, redemption_id, actor=caller, reason=reason, now=clock.now()
        )
        return await shown_redemption(write, caller, id)

    return await write.run(caller, act)


@router.post(
    "/redemptions/{id}/reject",
    name="reject_redemption",
    response_model=RedemptionRow,
    responses=problems(404, 409, 413),
)
async def reject(
    id: Plain,  # noqa: A002  # the path's own word
    objection: Objection,
    caller: Writer,
    write: IdempotentWriteDep,
) -> JSONResponse:
    """Reject a redemption that is in review, so that it does not count."""

    async def act() -> WriteResult:
        redemption_id = parse_public_id("red", id)
        brand = await load_brand(write.session, caller.brand_id)
        await reject_redemption(
            write.session, brand, redemption_id, actor=caller, reason=objection.reason, now=clock.now()
        )
        return await shown_redemption(write, caller, id)

    return await write.run(caller, act)


async def shown_redemption(
    write: IdempotentWrite, caller: Actor, shown_id: str, status: int = 200
) -> WriteResult:
    """The redemption as it is after a write."""
    await write.session.flush()
    write.session.expire_all()
    return WriteResult(
        await get_row(write.session, caller, REDEMPTIONS, parse_public_id("red", shown_id)), status
    )


async def shown_reward(write: IdempotentWrite, caller: Actor, reward_id: UUID) -> WriteResult:
    """The reward as it is after its code was used."""
    await write.session.flush()
    write.session.expire_all()
    return WriteResult(await get_row(write.session, caller, REWARDS, reward_id), 201)
