"""Store customers' consents and refusals, every one once."""

from collections.abc import Sequence

from sqlalchemy import literal, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.base.batch import as_row, recordset
from app.customers.models import ConsentFact
from app.customers.rules import StatedConsent

_CONSENT = [
    ConsentFact.customer_id,
    ConsentFact.channel,
    ConsentFact.given,
    ConsentFact.opt_in_level,
    ConsentFact.source,
    ConsentFact.at,
]


async def record_consents(session: AsyncSession, brand_id: int, stated: Sequence[StatedConsent]) -> None:
    """Add what was stated; what is known already changes nothing."""
    if not stated:
        return
    given = recordset([as_row(consent) for consent in stated], _CONSENT)
    await session.execute(
        insert(ConsentFact)
        .from_select(
            ["brand_id", *given.c.keys()],
            select(literal(brand_id), *given.c).order_by(
                given.c.customer_id, given.c.channel, given.c.at, given.c.given
            ),
            include_defaults=False,
        )
        .on_conflict_do_nothing()
    )
