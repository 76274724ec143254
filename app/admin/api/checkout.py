"""For custom checkouts: validate a code, redeem it with an order, roll a redemption back."""

from dataclasses import replace

from fastapi import APIRouter, Request
from starlette.responses import JSONResponse

from app.admin.api.codes import shown_redemption, shown_reward
from app.admin.api.guesses import get_code_guesses
from app.admin.api.route import ApiRoute
from app.admin.auth import Checkout
from app.admin.fields import Plain
from app.admin.idempotency import IdempotentWriteDep, WriteResult
from app.base import clock, money
from app.base.errors import AppError
from app.base.ids import new_id, parse_public_id, public_id, public_id_or_none
from app.base.schemas import RedemptionProblem
from app.base.tokens import plain_code
from app.base.web.context import ContextDep, SessionDep
from app.base.web.openapi import problems, request_body
from app.brands.find import load_brand, load_shops
from app.checkout import roll_back as rolling_back
from app.checkout.parse import parse_basket, parse_purchase, parse_rollback
from app.checkout.redeem import choose_shop, redeem_code
from app.checkout.schemas import BasketBody, PurchaseBody, RedeemedCode, RollbackBody
from app.checkout.validate import ShopOrder, Validation, validate_code
from app.platforms.events import Unparseable
from app.referrals.rules import RefusalReason
from app.referrals.schemas import CodeCheck, DiscountShape, RedemptionRow

router = APIRouter(tags=["checkout"], route_class=ApiRoute)

_DETAILS = {
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
    RefusalReason.suspected_fraud: "The order is in review.",
    RefusalReason.disputed: "The payment behind it is disputed.",
}


@router.post(
    "/codes/validate",
    name="validate_code",
    responses=problems(413, 422, 429),
    openapi_extra=request_body(BasketBody),
)
async def validate(request: Request, caller: Checkout, context: ContextDep, session: SessionDep) -> CodeCheck:
    """Whether a code would count now, else why not, and what it would take off.

    Changes and reserves nothing.
    """
    guesses = get_code_guesses(request)
    guesses.refuse_if_limited(caller)
    brand = await load_brand(session, caller.brand_id)
    try:
        basket = parse_basket(await request.body())
        shops = await load_shops(session, brand.id)
        # Of a brand with several shops it may be left open where the order will be placed.
        shop = None
        if basket.shop is not None or basket.currency is None or len(shops) == 1:
            shop = choose_shop(shops, basket.shop)
        currency = basket.currency or (shop.currency if shop else "")
        subtotal = basket.subtotal(currency)
    except Unparseable as error:
        raise AppError("invalid", str(error)) from None
    validation = await validate_code(
        session,
        context.tokens,
        brand,
        basket.code,
        basket.person,
        subtotal=money.Money(subtotal, currency),
        at=None if shop is None else ShopOrder(shop, basket.order_id),
        now=clock.now(),
    )
    if validation.reason is RefusalReason.unknown_code:
        guesses.record_unknown(caller, plain_code(basket.code))
    return _code_check(validation, currency)


@router.post(
    "/codes/redeem",
    name="redeem_code",
    status_code=201,
    response_model=RedeemedCode,
    responses=problems(409, 413, 429, models={409: RedemptionProblem}),
    openapi_extra=request_body(PurchaseBody),
)
async def redeem(
    request: Request, caller: Checkout, context: ContextDep, write: IdempotentWriteDep
) -> JSONResponse:
    """Record the order and redeem its code: 201 with the redemption, or 409 with the reason.

    Of two orders at the same time with a code that can be used once more, one gets 201. A
    referrer's own code makes no redemption: 201 with the reward that was used.
    """
    guesses = get_code_guesses(request)

    async def act() -> WriteResult:
        guesses.refuse_if_limited(caller)
        try:
            purchase = parse_purchase(await request.body())
            result = await redeem_code(
                write.session, context.tokens, caller.brand_id, purchase, now=clock.now()
            )
        except Unparseable as error:
            raise AppError("invalid", str(error)) from None
        if result.reason == RefusalReason.unknown_code:
            guesses.record_unknown(caller, plain_code(purchase.code))
        if result.reward_id is not None:
            return await shown_reward(write, caller, result.reward_id)
        if result.reason is None and result.redemption_id is not None:
            # The caller named the code, so it is shown whole.
            seeing = replace(caller, sees_people=True)
            return await shown_redemption(write, seeing, public_id("red", result.redemption_id), 201)
        return _refusal(result.reason or "", public_id_or_none("red", result.redemption_id))

    return await write.run(caller, act)


@router.post(
    "/redemptions/{id}/rollback",
    name="roll_back_redemption",
    response_model=RedemptionRow,
    responses=problems(404, 413),
    openapi_extra=request_body(RollbackBody, required=False),
)
async def roll_back(
    id: Plain,  # noqa: A002  # the path's own word
    request: Request,
    caller: Checkout,
    write: IdempotentWriteDep,
) -> JSONResponse:
    """Undo a redemption, as a whole or in part.

    As a whole it frees the use of the code; in part it counts as a refund of that amount.
    """

    async def act() -> WriteResult:
        redemption_id = parse_public_id("red", id)
        brand = await load_brand(write.session, caller.brand_id)
        # Without an Idempotency-Key every call is another rollback.
        key = str(write.key or new_id())
        try:
            rollback = parse_rollback(await request.body())
        except Unparseable as error:
            raise AppError("invalid", str(error)) from None
        await rolling_back.roll_back(
            write.session, brand, redemption_id, rollback, actor=caller, key=key, now=clock.now()
        )
        return await shown_redemption(write, caller, id)

    return await write.run(caller, act)


def _code_check(validation: Validation, currency: str) -> CodeCheck:
    return CodeCheck(
        valid=validation.reason is None,
        reason=validation.reason,
        discount=None if validation.discount is None else DiscountShape.of(*validation.discount),
        amount_off=money.to_text(validation.amount_off, currency),
    )


def _refusal(reason: str, redemption: str | None) -> WriteResult:
    """A problem whose transaction is committed: the recorded order is kept."""
    known = RefusalReason(reason) if reason in set(RefusalReason) else None
    problem = RedemptionProblem(
        title=reason.replace("_", " "),
        status=409,
        code=reason if known else "not_redeemed",
        detail=_DETAILS[known] if known else "The order's redemption does not count.",
        reason=reason,
        redemption=redemption,
    )
    return WriteResult(problem, 409)
