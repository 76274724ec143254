"""Credit of referrers, for checkouts: what somebody may spend, and the spending of it."""

from collections.abc import Awaitable
from datetime import datetime
from typing import Protocol
from uuid import UUID

from fastapi import APIRouter, Request
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.responses import JSONResponse

from app.admin.api.guesses import get_address_guesses, get_code_guesses
from app.admin.api.route import ApiRoute
from app.admin.auth import Checkout
from app.admin.fields import Plain
from app.admin.idempotency import IdempotentWrite, IdempotentWriteDep, WriteResult
from app.base import clock
from app.base.actor import Actor
from app.base.errors import AppError, NotFound
from app.base.ids import parse_public_id, public_id_or_none
from app.base.money import Money, MoneyError, exponent, parse
from app.base.web.context import SessionDep
from app.base.web.openapi import problems, request_body
from app.brands.find import load_brand, load_currencies
from app.brands.models import Brand
from app.checkout import credit, credit_use
from app.checkout.credit import NOTHING, CreditOwner
from app.checkout.parse import parse_credit_amount, parse_reservation
from app.checkout.schemas import (
    BalanceShape,
    CreditAmountBody,
    CreditBalance,
    ReservationBody,
    ReservationShape,
)
from app.ledger.models import CreditReservation
from app.platforms.events import Unparseable

router = APIRouter(tags=["checkout"], route_class=ApiRoute)


@router.get("/credits/balance", name="show_credit_balance", responses=problems(404, 422, 429))
async def show_balance(
    request: Request,
    caller: Checkout,
    session: SessionDep,
    customer: Plain | None = None,
    email: Plain | None = None,
    currency: Plain | None = None,
) -> CreditBalance:
    """What a customer may spend, by id or e-mail address; an address that is not known has nothing.

    The fields beside `by_currency` are those of `currency`, else of the only one there is.
    """
    if (customer is None) == (email is None):
        raise AppError("invalid", "Name the customer by one of customer and email.")
    owner = await _owner(request, session, caller, customer, email)
    now = clock.now()
    referrer_id = None if owner is None else owner.referrer_id
    found = {}
    if referrer_id is not None:
        found = await credit.find_balances(session, caller.brand_id, referrer_id, now=now)
    currencies = {currency} if currency else set(found) or await load_currencies(session, caller.brand_id)
    try:
        shapes = {each: BalanceShape.of(found.get(each, NOTHING), each) for each in {*currencies, *found}}
    except MoneyError as error:
        raise AppError("invalid", f"{error}.") from None
    chosen = shapes[next(iter(currencies))] if len(currencies) == 1 else None
    return CreditBalance(
        **({} if chosen is None else chosen.model_dump()),
        customer=public_id_or_none("cus", None if owner is None else owner.customer_id),
        by_currency=[shapes[each] for each in sorted(shapes)],
    )


@router.post(
    "/credits/reserve",
    name="reserve_credit",
    status_code=201,
    response_model=ReservationShape,
    responses=problems(404, 409, 413, 429),
    openapi_extra=request_body(ReservationBody),
)
async def reserve(request: Request, caller: Checkout, write: IdempotentWriteDep) -> JSONResponse:
    """Claim credit for an order for some seconds: 201, or 409 `insufficient_balance`.

    A reservation that is neither captured nor released expires by itself.
    """

    async def act() -> WriteResult:
        now = clock.now()
        try:
            wanted = parse_reservation(await request.body())
            exponent(wanted.currency)
            minor = parse(wanted.amount, wanted.currency)
        except Unparseable as error:
            raise AppError("invalid", str(error)) from None
        except MoneyError as error:
            raise AppError("bad_amount", f"{error}.") from None
        if minor <= 0:
            raise AppError("bad_amount", "Reserve more than nothing.")
        owner = await _owner(request, write.session, caller, wanted.customer, wanted.email)
        brand = await load_brand(write.session, caller.brand_id)
        reservation = await credit.reserve_credit(
            write.session,
            brand,
            owner,
            Money(minor, wanted.currency),
            order_id=wanted.order_id,
            seconds=wanted.seconds,
            now=now,
        )
        return WriteResult(await _shown(write, reservation), 201)

    return await write.run(caller, act)


@router.post(
    "/credits/{id}/capture",
    name="capture_credit",
    response_model=ReservationShape,
    responses=problems(404, 409, 413, 429),
    openapi_extra=request_body(CreditAmountBody, required=False),
)
async def capture(
    id: Plain,  # noqa: A002  # the path's own word
    request: Request,
    caller: Checkout,
    write: IdempotentWriteDep,
) -> JSONResponse:
    """Spend a reservation, wholly or in part; the rest is released."""
    return await _use(id, request, caller, write, credit_use.capture_credit)


@router.post(
    "/credits/{id}/release",
    name="release_credit",
    response_model=ReservationShape,
    responses=problems(404, 409, 413, 429),
)
async def release(
    id: Plain,  # noqa: A002  # the path's own word
    request: Request,
    caller: Checkout,
    write: IdempotentWriteDep,
) -> JSONResponse:
    """Give a reservation up."""

    async def act() -> WriteResult:
        brand = await load_brand(write.session, caller.brand_id)
        with get_code_guesses(request).counting(caller, id):
            released = await credit_use.release_credit(write.session, brand, parse_public_id("crd", id))
        return WriteResult(await _shown(write, released))

    return await write.run(caller, act)


@router.post(
    "/credits/{id}/refund",
    name="refund_credit",
    response_model=ReservationShape,
    responses=problems(404, 409, 413, 429),
    openapi_extra=request_body(CreditAmountBody, required=False),
)
async def refund(
    id: Plain,  # noqa: A002  # the path's own word
    request: Request,
    caller: Checkout,
    write: IdempotentWriteDep,
) -> JSONResponse:
    """Give captured credit back, wholly or in part; once for each `Idempotency-Key`."""
    return await _use(id, request, caller, write, credit_use.refund_credit)


class _UseOfCredit(Protocol):
    """A step that spends of a reservation, or gives back: a decimal `amount`, None for all."""

    def __call__(
        self, session: AsyncSession, brand: Brand, reservation_id: UUID, amount: str | None, *, now: datetime
    ) -> Awaitable[CreditReservation]: ...


async def _use(
    public_id: str, request: Request, caller: Checkout, write: IdempotentWrite, use: _UseOfCredit
) -> JSONResponse:
    """The response to a write that uses the amount in its body of the reservation, or all of it."""

    async def act() -> WriteResult:
        brand = await load_brand(write.session, caller.brand_id)
        amount = _amount(await request.body())
        with get_code_guesses(request).counting(caller, public_id):
            reservation_id = parse_public_id("crd", public_id)
            used = await use(write.session, brand, reservation_id, amount, now=clock.now())
        return WriteResult(await _shown(write, used))

    return await write.run(caller, act)


def _amount(raw: bytes) -> str | None:
    try:
        return parse_credit_amount(raw)
    except Unparseable as error:
        raise AppError("invalid", str(error)) from None


async def _owner(
    request: Request, session: AsyncSession, caller: Actor, customer: str | None, email: str | None
) -> CreditOwner | None:
    """Whose credit it is; raises 404 for an unknown id, None for an unknown address.

    Both count as guesses; raises 429 for a caller with too many.
    """
    if customer is None:
        addresses = get_address_guesses(request)
        addresses.refuse_if_limited(caller)
        owner = await credit.find_owner(session, caller.brand_id, email=email)
        if owner is None:
            addresses.record_unknown(caller, (email or "").strip().lower())
        return owner
    with get_code_guesses(request).counting(caller, customer):
        customer_id = parse_public_id("cus", customer)
        owner = await credit.find_owner(session, caller.brand_id, customer_id=customer_id)
        if owner is None:
            raise NotFound("There is no such customer.")
        return owner


async def _shown(write: IdempotentWrite, reservation: CreditReservation) -> ReservationShape:
    """The reservation as it is after a write."""
    await write.session.refresh(reservation)
    customer_id = await credit.find_customer(write.session, reservation)
    return ReservationShape.of(reservation, customer_id)
