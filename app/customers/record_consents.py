"""Store customers' consents and refusals, every one once."""

from collections.abc import Sequence
from operator import attrgetter

from sqlalchemy import Integer, bindparam, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.base.batch import arrays_of_tuples, bound_recordset
from app.base.prepared import Prepared
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
_values_of = attrgetter(*(each.key for each in _CONSENT))


async def record_consents(session: AsyncSession, brand_id: int, stated: Sequence[StatedConsent]) -> None:
    """Add what was stated; what is known already changes nothing."""
    if not stated:
        return
    rows = [_values_of(consent) for consent in stated]
    await _INSERT.run(session, of_brand=brand_id, **arrays_of_tuples(rows, _CONSENT))


_given = bound_recordset(_CONSENT)
_INSERT = Prepared(
    insert(ConsentFact)
    .from_select(
        ["brand_id", *_given.c.keys()],
        select(bindparam("of_brand", type_=Integer), *_given.c).order_by(
            _given.c.customer_id, _given.c.channel, _given.c.at, _given.c.given
        ),
        include_defaults=False,
    )
    .on_conflict_do_nothing(),
    tuple,
)
