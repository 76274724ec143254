"""Store customers' consents and refusals: every one once, and the latest of each channel."""

from collections.abc import Sequence

from sqlalchemy import and_, literal, or_, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.base.batch import as_row, recordset
from app.customers.models import Consent, ConsentFact
from app.customers.rules import StatedConsent, latest_consents

_CONSENT = [
    Consent.customer_id,
    Consent.channel,
    Consent.given,
    Consent.opt_in_level,
    Consent.source,
    Consent.at,
]


async def record_consents(session: AsyncSession, brand_id: int, stated: Sequence[StatedConsent]) -> None:
    """Add what was stated to the history; it counts unless a later statement is known.

    `StatedConsent.supersedes` decides. What is known already changes nothing.
    """
    if not stated:
        return
    facts = recordset([as_row(consent) for consent in stated], _CONSENT)
    await session.execute(
        insert(ConsentFact)
        .from_select(
            ["brand_id", *facts.c.keys()],
            select(literal(brand_id), *facts.c).order_by(
                facts.c.customer_id, facts.c.channel, facts.c.at, facts.c.given
            ),
            include_defaults=False,
        )
        .on_conflict_do_nothing()
    )
    given = recordset([as_row(consent) for consent in latest_consents(stated)], _CONSENT)
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
