"""The sweep `credit`: reservations of credit that were neither captured nor released expire."""

from collections.abc import Sequence
from datetime import datetime

from app.base.context import AppContext
from app.base.due import brands_of
from app.base.turns import Sweep
from app.checkout.credit import release_expired
from app.ledger.models import CreditReservation
from app.ledger.rules import ReservationStatus

BATCH = 200
"""Accounts per transaction."""


def sweep(context: AppContext) -> Sweep:
    """Releases reservations whose time is over, so that their credit can be spent or expire."""

    async def brands(now: datetime) -> Sequence[int]:
        return await brands_of(
            context.reading_sessions,
            CreditReservation.brand_id,
            CreditReservation.status == ReservationStatus.reserved,
            CreditReservation.expires_at <= now,
        )

    async def work(brand_id: int, now: datetime) -> int:
        async with context.sessions.begin() as session:
            return await release_expired(session, brand_id, now=now, limit=BATCH)

    return Sweep("credit", brands, work)
