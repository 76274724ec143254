"""Credit in a checkout: whose it is, how much there is, and its reservation for an order."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import ColumnElement, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.base.errors import AppError
from app.base.ids import new_id
from app.base.money import Money, to_text
from app.brands.models import Brand
from app.customers.contact import email_identity
from app.customers.models import Customer
from app.ledger.models import CreditAccount, CreditReservation
from app.ledger.rules import ReservationStatus
from app.referrals.models import Referrer
from app.referrals.reward_rules import Balance, balance_of
from app.referrals.shop_credit.holdings import find_holding_shop, find_holding_slugs
from app.referrals.spend import load_shares

NOTHING = Balance(0, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class CreditOwner:
    """Whose credit it is; `referrer_id` None for a customer who has none."""

    customer_id: UUID
    referrer_id: UUID | None


async def find_owner(
    session: AsyncSession, brand_id: int, *, customer_id: UUID | None = None, email: str | None = None
) -> CreditOwner | None:
    """The customer with this id or e-mail address who is not erased, as an owner of credit.

    None for an unknown one. A revoked referrer has no credit.
    """
    identity = None if email is None else email_identity(email)
    if customer_id is None and identity is None:
        return None
    who = Customer.id == customer_id if customer_id is not None else Customer.email == identity
    rows = await session.execute(
        select(Customer.id, Referrer.id.label("referrer_id"))
        .join(
            Referrer,
            (Referrer.brand_id == Customer.brand_id)
            & (Referrer.customer_id == Customer.id)
            & Referrer.revoked_at.is_(None),
            isouter=True,
        )
        .where(Customer.brand_id == brand_id, who, Customer.erased_at.is_(None))
    )
    row = rows.first()
    return None if row is None else CreditOwner(row.id, row.referrer_id)


async def find_balances(
    session: AsyncSession, brand_id: int, referrer_id: UUID, *, now: datetime
) -> dict[str, Balance]:
    """A referrer's balances by currency at `now`."""
    accounts = await session.scalars(
        select(CreditAccount)
        .where(CreditAccount.brand_id == brand_id, CreditAccount.referrer_id == referrer_id)
        .order_by(CreditAccount.currency)
    )
    found = {
        account.currency: await _balance(session, account, await _open(session, account, now=now), now=now)
        for account in accounts.all()
    }
    shops = await find_holding_slugs(session, brand_id, referrer_id) if found else {}
    return {
        currency: replace(balance, available=0, shop=shops[currency]) if currency in shops else balance
        for currency, balance in found.items()
    }


async def _balance(session: AsyncSession, account: CreditAccount, reserved: int, *, now: datetime) -> Balance:
    shares = await load_shares(session, account.brand_id, account.referrer_id, account.currency)
    return balance_of(shares, reserved, now=now)


async def _open(session: AsyncSession, account: CreditAccount, *, now: datetime) -> int:
    """What reservations claim at `now`, without those whose time is over."""
    total = await session.scalar(
        select(func.coalesce(func.sum(CreditReservation.amount), 0)).where(
            *_of(account),
            CreditReservation.status == ReservationStatus.reserved,
            CreditReservation.expires_at > now,
        )
    )
    return int(total or 0)


def _of(account: CreditAccount) -> list[ColumnElement[bool]]:
    return [
        CreditReservation.brand_id == account.brand_id,
        CreditReservation.referrer_id == account.referrer_id,
        CreditReservation.currency == account.currency,
    ]


async def reserve_credit(
    session: AsyncSession,
    brand: Brand,
    owner: CreditOwner | None,
    amount: Money,
    *,
    order_id: str,
    seconds: int,
    now: datetime,
) -> CreditReservation:
    """Claim an amount of somebody's credit for an order, for that many seconds.

    What is claimed cannot be claimed again, whatever happens at the same time. Raises 409
    `insufficient_balance` where less is there, and 409 `credit_in_shop` where a connected shop
    holds it.
    """
    account = None
    if owner is not None and owner.referrer_id is not None:
        account = await _lock_account(session, brand.id, owner.referrer_id, amount.currency)
    if account is None:
        raise _insufficient(NOTHING, amount)
    await _refuse_held(session, account)
    balance = await _balance(session, account, await _open(session, account, now=now), now=now)
    if amount.minor > balance.available:
        raise _insufficient(balance, amount)
    reservation = CreditReservation(
        brand_id=brand.id,
        id=new_id(),
        referrer_id=account.referrer_id,
        currency=account.currency,
        order_id=order_id,
        amount=amount.minor,
        captured=0,
        refunded=0,
        status=ReservationStatus.reserved,
        expires_at=now + timedelta(seconds=seconds),
    )
    session.add(reservation)
    await _release_expired(session, account, now=now)
    await hold(session, reservation, amount.minor)
    await session.flush()
    return reservation


async def _refuse_held(session: AsyncSession, account: CreditAccount) -> None:
    """Raise `credit_in_shop` where a connected shop holds the credit.

    The account is locked, and whatever lets a shop hold it locks it too.
    """
    shop = await find_holding_shop(session, account.brand_id, account.referrer_id, account.currency)
    if shop is not None:
        raise AppError(
            "credit_in_shop",
            f"This credit is spent in the cart of {shop.name}, which holds it, and nowhere else.",
            status=409,
        )


def _insufficient(balance: Balance, amount: Money) -> AppError:
    available = to_text(balance.available, amount.currency)
    return AppError(
        "insufficient_balance", f"Only {available} {amount.currency} can be reserved.", status=409
    )


async def _lock_account(
    session: AsyncSession, brand_id: int, referrer_id: UUID, currency: str
) -> CreditAccount | None:
    return await session.scalar(
        select(CreditAccount)
        .where(
            CreditAccount.brand_id == brand_id,
            CreditAccount.referrer_id == referrer_id,
            CreditAccount.currency == currency,
        )
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    )


async def hold(session: AsyncSession, reservation: CreditReservation | CreditAccount, amount: int) -> None:
    """Add to what is reserved of the account, or with a negative amount take from it.

    No more than the balance can be reserved, whatever was read before.
    """
    conditions = [CreditAccount.balance - CreditAccount.reserved >= amount] if amount > 0 else []
    held = await session.scalar(
        update(CreditAccount)
        .values(reserved=CreditAccount.reserved + amount)
        .where(
            CreditAccount.brand_id == reservation.brand_id,
            CreditAccount.referrer_id == reservation.referrer_id,
            CreditAccount.currency == reservation.currency,
            *conditions,
        )
        .returning(CreditAccount.reserved)
        .execution_options(synchronize_session=False)
    )
    if held is None:
        raise RuntimeError("credit was spent while its account was locked")


async def _release_expired(session: AsyncSession, account: CreditAccount, *, now: datetime) -> int:
    """Release the reservations of this locked account whose time is over; returns how many.

    One that is locked is being captured or released and is left to that.
    """
    over = await session.scalars(
        select(CreditReservation)
        .where(
            *_of(account),
            CreditReservation.status == ReservationStatus.reserved,
            CreditReservation.expires_at <= now,
        )
        .with_for_update(skip_locked=True, key_share=True)
        .execution_options(populate_existing=True)
    )
    expired = over.all()
    for reservation in expired:
        reservation.status = ReservationStatus.expired
    if expired:
        await session.flush()
        await hold(session, account, -sum(each.amount for each in expired))
    return len(expired)


async def release_expired(session: AsyncSession, brand_id: int, *, now: datetime, limit: int) -> int:
    """Release reservations of the brand whose time is over; returns how many.

    `limit` is the most accounts that are worked on.
    """
    rows = await session.execute(
        select(CreditReservation.referrer_id, CreditReservation.currency)
        .where(
            CreditReservation.brand_id == brand_id,
            CreditReservation.status == ReservationStatus.reserved,
            CreditReservation.expires_at <= now,
        )
        .distinct()
        .order_by(CreditReservation.referrer_id, CreditReservation.currency)
        .limit(limit)
    )
    released = 0
    for row in rows.all():
        account = await _lock_account(session, brand_id, row.referrer_id, row.currency)
        released += 0 if account is None else await _release_expired(session, account, now=now)
    return released


async def find_customer(session: AsyncSession, reservation: CreditReservation) -> UUID | None:
    """The customer whose credit was reserved."""
    return await session.scalar(
        select(Referrer.customer_id).where(
            Referrer.brand_id == reservation.brand_id, Referrer.id == reservation.referrer_id
        )
    )
