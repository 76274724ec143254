"""Store customers' consents and refusals."""

from collections.abc import Sequence

from sqlalchemy import and_, literal, or_, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.base.batch import as_row, recordset
from app.customers.models import Consent
from app.customers.rules import StatedConsent

_CONSENT = [
    Consent.customer_id,
    Consent.channel,
    Consent.given,
    Consent.opt_in_level,
    Consent.source,
    Consent.at,
]


async def record_consents(session: AsyncSession, brand_id: int, consents: Sequence[StatedConsent]) -> None:
    """Store each of these unless a later one is known, as `StatedConsent.supersedes` decides."""
    if not consents:
        return
    given = recordset([as_row(consent) for consent in consents], _CONSENT)
    values = select(literal(brand_id), *given.c).order_by(given.c.customer_id, given.c.channel)
    statement = insert(Consent).from_select(["brand_id", *given.c.keys()], values, include_defaults=False)
    newer = statement.excluded
    await session.execute(
        statement.on_conflict_do_update(
            index_elements=["brand_id", "customer_id", "channel"],
            set_={column.key: newer[column.key] for column in _CONSENT[2:]},
            where=or_(newer.at > Consent.at, and_(newer.at == Consent.at, Consent.given, ~newer.given)),
        )
    )
