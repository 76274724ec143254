"""The outcome of a reservation of credit: it is captured and perhaps refunded, or released."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.base.errors import AppError, NotFound
from app.base.money import Money, MoneyError, parse
from app.brands.models import Brand
from app.checkout.credit import hold
from app.ledger.models import CreditReservation
from app.ledger.post import LedgerTransaction, post_entries
from app.ledger.rules import CauseKind, LedgerAccount, ReservationStatus
from app.referrals.spend import give_credit_back, spend_credit


async def capture_credit(
    session: AsyncSession, brand: Brand, reservation_id: UUID, amount: str | None, *, now: datetime
) -> CreditReservation:
    """Spend a reservation, or a decimal `amount` of it; the rest is released.

    A repeated call with the same amount changes nothing. Raises 404, 422 `bad_amount` for more than
    is reserved, 409 `not_allowed` where it is not reserved any more.
    """
    reservation = await _lock_reservation(session, brand.id, reservation_id)
    spent = _part(amount, reservation, reservation.amount, "reserved")
    if reservation.status is ReservationStatus.captured and reservation.captured == spent:
        return reservation
    if reservation.status is not ReservationStatus.reserved:
        raise _not_allowed(reservation, "captured")
    if reservation.expires_at <= now:
        raise AppError("not_allowed", "The reservation has expired; reserve again.", status=409)
    reservation.status, reservation.captured = ReservationStatus.captured, spent
    await session.flush()
    await spend_credit(session, brand, reservation.referrer_id, reservation.currency, spent, now=now)
    await hold(session, reservation, -reservation.amount)
    await _post(session, brand, reservation, spent, key=f"capture:{reservation.id}", now=now)
    return reservation


async def release_credit(session: AsyncSession, brand: Brand, reservation_id: UUID) -> CreditReservation:
    """Give a reservation up; a repeated call, or one after it expired, changes nothing.

    Raises 404, 409 `not_allowed` for one that was captured.
    """
    reservation = await _lock_reservation(session, brand.id, reservation_id)
    if reservation.status in (ReservationStatus.released, ReservationStatus.expired):
        return reservation
    if reservation.status is not ReservationStatus.reserved:
        raise _not_allowed(reservation, "released")
    reservation.status = ReservationStatus.released
    await session.flush()
    await hold(session, reservation, -reservation.amount)
    return reservation


async def refund_credit(
    session: AsyncSession, brand: Brand, reservation_id: UUID, amount: str | None, *, now: datetime
) -> CreditReservation:
    """Give captured credit back, or a decimal `amount` of it.

    What has expired meanwhile stays expired. Every call refunds once more. Raises 404, 422
    `bad_amount` for more than is left of what was captured, 409 `not_allowed` where nothing is.
    """
    reservation = await _lock_reservation(session, brand.id, reservation_id)
    if reservation.status is not ReservationStatus.captured:
        raise _not_allowed(reservation, "refunded")
    back = _part(amount, reservation, reservation.captured - reservation.refunded, "captured")
    reservation.refunded += back
    if reservation.refunded == reservation.captured:
        reservation.status = ReservationStatus.refunded
    await session.flush()
    await give_credit_back(session, brand, reservation.referrer_id, reservation.currency, back, now=now)
    key = f"credit_refund:{reservation.id}:{reservation.refunded}"
    await _post(session, brand, reservation, -back, key=key, now=now)
    return reservation


def _part(amount: str | None, reservation: CreditReservation, most: int, done: str) -> int:
    """The amount in minor units; all of `most` where none is given."""
    if amount is None:
        return most
    try:
        minor = parse(amount, reservation.currency)
    except MoneyError as error:
        raise AppError("bad_amount", f"{error}.") from None
    if not 0 < minor <= most:
        left = Money(most, reservation.currency)
        raise AppError("bad_amount", f"It must be more than nothing and at most the {left} that are {done}.")
    return minor


def _not_allowed(reservation: CreditReservation, wanted: str) -> AppError:
    return AppError(
        "not_allowed", f"A reservation that is {reservation.status} cannot be {wanted}.", status=409
    )


async def _lock_reservation(session: AsyncSession, brand_id: int, reservation_id: UUID) -> CreditReservation:
    """The reservation, locked before rewards and accounts; raises 404."""
    reservation = await session.scalar(
        select(CreditReservation)
        .where(CreditReservation.brand_id == brand_id, CreditReservation.id == reservation_id)
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    )
    if reservation is None:
        raise NotFound("There is no such reservation.")
    return reservation


async def _post(
    session: AsyncSession,
    brand: Brand,
    reservation: CreditReservation,
    amount: int,
    *,
    key: str,
    now: datetime,
) -> None:
    transaction = LedgerTransaction(
        key=key,
        account=LedgerAccount.referrers,
        other=LedgerAccount.spent_rewards,
        amount=amount,
        currency=reservation.currency,
        cause_kind=CauseKind.credit,
        cause_id=reservation.id,
        referrer_id=reservation.referrer_id,
        occurred_at=now,
    )
    await post_entries(session, brand, [transaction], now=now)
