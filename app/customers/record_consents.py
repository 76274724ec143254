"""Store customers' consents and refusals, every one once."""

from collections.abc import Sequence

from sqlalchemy import Integer, bindparam, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.base.batch import arrays_of_tuples, bound_recordset, constant
from app.base.prepared import Prepared
from app.brands.programme import Channel
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
    # An array without elements costs nothing, and `_INSERT` puts back what most consents are.
    rows = [
        (
            each.customer_id,
            None if each.channel is Channel.email else each.channel,
            None if each.given else False,
            each.opt_in_level,
            each.source,
            each.at,
        )
        for each in stated
    ]
    await _INSERT.run(session, of_brand=brand_id, **arrays_of_tuples(rows, _CONSENT))


_given = bound_recordset(_CONSENT)
_values = {
    **_given.c,
    "channel": func.coalesce(_given.c.channel, constant(Channel.email, ConsentFact.channel.type)),
    "given": func.coalesce(_given.c.given, constant(value=True)),
}
_INSERT = Prepared(
    insert(ConsentFact)
    .from_select(
        ["brand_id", *_values],
        select(bindparam("of_brand", type_=Integer), *_values.values()).order_by(
            _values["customer_id"], _values["channel"], _values["at"], _values["given"]
        ),
        include_defaults=False,
    )
    .on_conflict_do_nothing(),
    tuple,
)
