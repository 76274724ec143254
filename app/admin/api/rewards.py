"""Rewards, what is owed of them, and the ledger."""

from datetime import date
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from starlette.responses import JSONResponse

from app.admin.api.route import ApiRoute
from app.admin.auth import Reader, Writer, has_scope
from app.admin.fields import Line, Plain
from app.admin.idempotency import IdempotentWriteDep, WriteResult
from app.admin.ledger import (
    LedgerFilter,
    ReferrerBalance,
    find_balances,
    ledger_totals,
    liability_report,
    listed_conditions,
    transaction_of,
)
from app.admin.listing import PageDep, get_row, list_page, matches, matches_id
from app.admin.rows import LEDGER, REWARDS
from app.admin.rules import Role, Scope, goodwill_times
from app.base import clock, money
from app.base.errors import AppError
from app.base.ids import parse_public_id
from app.base.schemas import Page
from app.base.web.context import SessionDep
from app.base.web.openapi import problems
from app.brands.find import load_brand
from app.ledger.rules import CauseKind, LedgerAccount
from app.ledger.schemas import LedgerEntryRow, LedgerTotals, LedgerTransactionDetail, LiabilityReport
from app.referrals.goodwill import Grant, grant_goodwill
from app.referrals.reward_models import Reward
from app.referrals.rules import RewardStatus
from app.referrals.schemas import RewardRow
from app.referrals.take_back import take_goodwill_back

router = APIRouter(tags=["rewards"], route_class=ApiRoute)


@router.get("/rewards", responses=problems(404))
async def list_rewards(
    caller: Reader,
    page: PageDep,
    session: SessionDep,
    status: RewardStatus | None = None,
    referrer: Plain | None = None,
) -> Page[RewardRow]:
    """Rewards: the granted amount, and what is left of it after refunds."""
    chosen = (matches(Reward.status, status), matches_id(Reward.referrer_id, "ref", referrer))
    return await list_page(session, page, caller, REWARDS, *chosen)


class Goodwill(BaseModel):
    """A reward that a person grants, without a friend's order."""

    model_config = ConfigDict(extra="forbid")

    referrer: Line = Field(description="`ref_…`")
    amount: Line = Field(description='In the currency of their shop: "10.00".')
    currency: Line
    reason: Line = Field(description="For the audit log.")


@router.post("/rewards", status_code=201, response_model=RewardRow, responses=problems(404, 409, 413))
async def grant_reward(
    request: Request, goodwill: Goodwill, caller: Writer, write: IdempotentWriteDep
) -> JSONResponse:
    """Grant a referrer goodwill, usable at once; no message is sent.

    At most 5 times the programme's reward in 30 days, 50 times by a key with the scope `admin`.
    """

    async def act() -> WriteResult:
        brand = await load_brand(write.session, caller.brand_id)
        try:
            minor = money.parse(goodwill.amount, goodwill.currency)
        except money.MoneyError as error:
            raise AppError("bad_amount", f"{error}.") from None
        role = Role.admin if has_scope(request, Scope.admin) else Role.marketer
        reward = await grant_goodwill(
            write.session,
            brand,
            parse_public_id("ref", goodwill.referrer),
            money.Money(minor, goodwill.currency),
            times=goodwill_times(role),
            actor=caller,
            grant=Grant(goodwill.reason),
            now=clock.now(),
        )
        reward_id = reward.id
        await write.session.flush()
        write.session.expire_all()
        return WriteResult(await get_row(write.session, caller, REWARDS, reward_id), 201)

    return await write.run(caller, act)


class TakeBack(BaseModel):
    """Why goodwill is taken back."""

    model_config = ConfigDict(extra="forbid")

    reason: Line = Field(description="For the audit log.")


@router.post("/rewards/{id}/take-back", response_model=RewardRow, responses=problems(404, 409, 413))
async def take_reward_back(
    id: Plain,  # noqa: A002  # the path's own word
    body: TakeBack,
    caller: Writer,
    write: IdempotentWriteDep,
) -> JSONResponse:
    """Take back what was not spent of goodwill; no message is sent."""

    async def act() -> WriteResult:
        reward_id = parse_public_id("rwd", id)
        await get_row(write.session, caller, REWARDS, reward_id)
        brand = await load_brand(write.session, caller.brand_id)
        await take_goodwill_back(
            write.session, brand, reward_id, actor=caller, reason=body.reason, now=clock.now()
        )
        await write.session.flush()
        write.session.expire_all()
        return WriteResult(await get_row(write.session, caller, REWARDS, reward_id))

    return await write.run(caller, act)


@router.get("/rewards/liability")
async def show_liability(caller: Reader, session: SessionDep) -> LiabilityReport:
    """What was granted in rewards, its outcome, and what may still be spent, by currency."""
    brand = await load_brand(session, caller.brand_id)
    return await liability_report(session, brand, now=clock.now())


@router.get("/rewards/balances")
async def list_reward_balances(
    caller: Reader,
    page: PageDep,
    session: SessionDep,
    q: Annotated[
        Plain | None, Query(description="A code, link or id; with `pii` an e-mail address or phone number.")
    ] = None,
) -> Page[ReferrerBalance]:
    """The same by referrer, the newest referrer first; with `q` those who are found by it."""
    after = page.after(caller.brand_id)
    found, last = await find_balances(session, caller, q, after=after, limit=page.limit)
    return Page(data=found, next_cursor=page.cursor_after(caller.brand_id, last))


def _no_number(value: object) -> object:
    """Raise ValueError for a number, which pydantic takes for seconds since 1970."""
    if isinstance(value, str) and value.lstrip("-").replace(".", "", 1).isdigit():
        raise ValueError("write the day as 2026-05-01")
    return value


Day = Annotated[date, BeforeValidator(_no_number)]


async def _wanted(
    account: LedgerAccount | None = None,
    currency: Plain | None = None,
    kind: CauseKind | None = None,
    cause: Annotated[Plain | None, Query(description="The id of what caused the entries.")] = None,
    redemption: Annotated[Plain | None, Query(description="As `cause`.")] = None,
    referrer: Annotated[
        Plain | None, Query(description="Without `account` all entries but those of friends' discounts.")
    ] = None,
    start: Annotated[
        Day | None, Query(alias="from", description="The first day of posting, in the brand's zone.")
    ] = None,
    end: Annotated[Day | None, Query(alias="to", description="The day after the last one.")] = None,
) -> LedgerFilter:
    return LedgerFilter(account, currency, kind, cause or redemption, referrer, start, end)


@router.get("/ledger", responses=problems(404))
async def list_ledger(
    caller: Reader,
    page: PageDep,
    session: SessionDep,
    wanted: Annotated[LedgerFilter, Depends(_wanted)],
) -> Page[LedgerEntryRow]:
    """The double-entry ledger, line by line; each transaction adds up to zero."""
    return await list_page(
        session, page, caller, LEDGER, *await listed_conditions(session, caller.brand_id, wanted)
    )


@router.get("/ledger/totals")
async def show_ledger_totals(caller: Reader, session: SessionDep) -> LedgerTotals:
    """What every account adds up to, whether all is zero together, and what is not."""
    brand = await load_brand(session, caller.brand_id)
    return await ledger_totals(session, brand, now=clock.now())


@router.get("/ledger/{id}", responses=problems(404))
async def show_ledger_transaction(
    id: Plain,  # noqa: A002  # the path's own word
    caller: Reader,
    session: SessionDep,
) -> LedgerTransactionDetail:
    """The transaction that an entry (`led_…`) belongs to, with all its entries."""
    return await transaction_of(session, caller, parse_public_id("led", id))
