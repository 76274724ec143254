"""For checkouts of one's own: ask whether a code is good, redeem it with an order, take a redemption back."""

from typing import Annotated, Any

from fastapi import APIRouter, Body, Request
from pydantic import BaseModel, ConfigDict, Field, StrictFloat, StrictInt
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.responses import JSONResponse

from app.admin.api.codes import shown_redemption
from app.admin.auth import Caller, Checkout
from app.admin.fields import Line, Plain
from app.admin.idempotency import IdempotentWriteDep, WriteResult
from app.admin.redeem import choose_shop, redeem_code
from app.base import clock, money
from app.base.errors import AppError
from app.base.ids import new_id, parse_public_id, public_id, public_id_or_none
from app.base.schemas import RedemptionProblem
from app.base.web.context import ContextDep, SessionDep
from app.brands.find import load_brand, load_shops
from app.platforms.checkout.parse import read_person
from app.platforms.events import Unparseable
from app.platforms.fields import Fields, load
from app.referrals.check import Checked, check_code
from app.referrals.decide import rollback_redemption
from app.referrals.rules import RefusalReason
from app.referrals.schemas import CodeCheck, DiscountShape, RedemptionRow

router = APIRouter(tags=["checkout"])

_CUSTOMER = frozenset(
    {
        "id",
        "email",
        "phone",
        "first_name",
        "last_name",
        "locale",
        "time_zone",
        "country",
        "email_consent",
        "sms_consent",
    }
)
_BASKET = frozenset({"subtotal", "currency"})
_ORDER = frozenset(
    {
        "id",
        "number",
        "placed_at",
        "currency",
        "subtotal",
        "total",
        "discount_total",
        "discount_codes",
        "referral",
        "source",
        "tags",
        "test",
        "customer",
        "items",
        "shipping_address",
        "payment_fingerprint",
    }
)
_ITEM = frozenset({"sku", "title", "quantity", "unit_price"})
_ADDRESS = frozenset({"line1", "line2", "city", "postal_code", "country"})
_SAID = {
    RefusalReason.unknown_code: "There is no such code.",
    RefusalReason.expired: "The code has expired.",
    RefusalReason.disabled: "The code was taken out of use.",
    RefusalReason.exhausted: "The code has been used as often as it may be.",
    RefusalReason.own_order: "Nobody can use a code of their own.",
    RefusalReason.existing_customer: "The code is for new customers.",
    RefusalReason.already_used_by_friend: "This person has used a code before.",
    RefusalReason.minimum_not_met: "The order is below the code's minimum.",
    RefusalReason.budget_spent: "The programme's budget is spent.",
    RefusalReason.cap_reached: "The referrer has reached their most rewards.",
    RefusalReason.currency_mismatch: "The code holds in another currency.",
    RefusalReason.not_active: "The programme is not running.",
    RefusalReason.suspected_fraud: "The order is being looked into.",
}


class _Said(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Question(_Said):
    """Would this code count for this person's basket?"""

    code: Line
    customer: dict[str, Any] | None = Field(
        default=None, description="As in order.paid; an e-mail or phone tells most."
    )
    order: dict[str, Any] = Field(description='{"subtotal": "80.00", "currency": "EUR"}')
    shop: Plain | None = None


class Purchase(_Said):
    """An order that was paid with this code."""

    code: Line
    shop: Plain | None = Field(
        default=None, description="A shop's slug; may be left out where the brand has one."
    )
    order: dict[str, Any] = Field(description="As in order.paid.")


class Rollback(_Said):
    """Take a redemption back: wholly without an amount, else as a refund of that much."""

    amount: Annotated[str, Field(max_length=40)] | StrictInt | StrictFloat | None = None
    reason: Line = "rolled_back"


@router.post("/codes/validate")
async def validate_code(
    question: Question, request: Request, caller: Checkout, session: SessionDep
) -> CodeCheck:
    """Whether a code would count now, why not, and what it would take off. Changes nothing and promises nothing."""
    brand = await load_brand(session, caller.brand_id)
    try:
        said = load(await request.body())
        basket, customer = said.object_or_empty("order"), said.object_or_empty("customer")
        _refuse_unknown(basket, _BASKET)
        _refuse_unknown(customer, _CUSTOMER)
        currency = await _currency(session, caller, basket, question.shop)
        subtotal = basket.amount("subtotal", currency)
        person = read_person(customer)
    except Unparseable as error:
        raise AppError("invalid", str(error)) from None
    checked = await check_code(
        session, brand, question.code, person, subtotal=subtotal, currency=currency, now=clock.now()
    )
    return _code_check(checked, currency)


@router.post("/codes/redeem", status_code=201, response_model=RedemptionRow)
async def redeem(
    purchase: Purchase, request: Request, caller: Checkout, context: ContextDep, once: IdempotentWriteDep
) -> JSONResponse:
    """Record the order and redeem its code: 201 with the redemption, or 409 with the true reason. One winner for a last use."""

    async def act() -> WriteResult:
        try:
            order = load(await request.body()).object_or_empty("order")
            _refuse_unknown_in_order(order)
            done = await redeem_code(
                once.session,
                context.tokens,
                caller.brand_id,
                purchase.shop,
                purchase.code,
                order,
                now=clock.now(),
            )
        except Unparseable as error:
            raise AppError("invalid", str(error)) from None
        if done.reason is None and done.redemption_id is not None:
            return await shown_redemption(once, caller, public_id("red", done.redemption_id), 201)
        return _refusal(done.reason or "", public_id_or_none("red", done.redemption_id))

    return await once.run(caller, act)


@router.post("/redemptions/{id}/rollback", response_model=RedemptionRow)
async def roll_back(
    id: Plain,  # noqa: A002  # the path's own word
    caller: Checkout,
    once: IdempotentWriteDep,
    rollback: Annotated[Rollback, Body()],
    request: Request,
) -> JSONResponse:
    """Undo a redemption wholly, its use goes back; or in part, which counts like a refund of that amount."""

    async def act() -> WriteResult:
        redemption_id = parse_public_id("red", id)
        brand = await load_brand(once.session, caller.brand_id)
        # Without an Idempotency-Key every call is one more.
        key = f"{public_id('key', caller.key_id)}:{once.key or new_id()}"
        try:
            # Read once more, since a float may already have lost what was meant.
            said = load(await request.body()).values.get("amount")
        except Unparseable as error:
            raise AppError("invalid", str(error)) from None
        amount = None if said is None else str(said)
        await rollback_redemption(
            once.session,
            brand,
            redemption_id,
            amount=amount,
            reason=rollback.reason,
            key=key,
            now=clock.now(),
        )
        return await shown_redemption(once, caller, id)

    return await once.run(caller, act)


async def _currency(session: AsyncSession, caller: Caller, basket: Fields, shop: str | None) -> str:
    if basket.values.get("currency") is not None:
        return basket.currency("currency")
    return choose_shop(await load_shops(session, caller.brand_id), shop).currency


def _refuse_unknown(said: Fields, known: frozenset[str]) -> None:
    unknown = sorted(set(said.values) - known)
    if unknown:
        raise said.wrong(unknown[0][:40], "is no field that is known here")


def _refuse_unknown_in_order(order: Fields) -> None:
    _refuse_unknown(order, _ORDER)
    _refuse_unknown(order.object_or_empty("customer"), _CUSTOMER)
    _refuse_unknown(order.object_or_empty("shipping_address"), _ADDRESS)
    for item in order.objects("items"):
        _refuse_unknown(item, _ITEM)


def _code_check(checked: Checked, currency: str) -> CodeCheck:
    return CodeCheck(
        valid=checked.reason is None,
        reason=checked.reason,
        discount=None if checked.discount is None else DiscountShape.of(*checked.discount),
        amount_off=money.to_text(checked.amount_off, currency),
    )


def _refusal(reason: str, redemption: str | None) -> WriteResult:
    """A problem that is an answer all the same: the order was recorded and is kept."""
    known = RefusalReason(reason) if reason in set(RefusalReason) else None
    problem = RedemptionProblem(
        title=reason.replace("_", " "),
        status=409,
        code=reason if known else "not_redeemed",
        detail=_SAID[known] if known else "The order's redemption does not count.",
        reason=reason,
        redemption=redemption,
    )
    return WriteResult(problem, 409)
