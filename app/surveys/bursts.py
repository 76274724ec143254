"""Pages that nobody can have read and that one network sent within seconds, to whatever process.

Each is stored with its network, and those of one network are taken one after the other: so each
finds the ones before it.
"""

from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import Integer, bindparam, func, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from app.base.prepared import Prepared
from app.base.touched import touch
from app.surveys.suspicion_rules import BURST_SECONDS

_LOCK_CLASS = 0xB057
"""Class of the advisory lock on a network."""


class _Suspected(NamedTuple):
    """A response that is suspected now."""

    id: UUID


_LOCK = Prepared(select(func.pg_advisory_xact_lock(_LOCK_CLASS, bindparam("network", type_=Integer))), tuple)
_SUSPECT_OTHERS = Prepared(
    text("""
        UPDATE responses SET suspicion = 'suspected', evidence = evidence || '{"burst": true}'
        WHERE brand_id = :brand_id AND network = :network AND id <> :response_id AND suspicion IS NULL
            AND first_answered_at BETWEEN :since AND :until
        RETURNING id
    """),
    _Suspected,
)


async def lock_network(session: AsyncSession, network: int) -> None:
    """Have other responses of this network wait until the commit; before any row is locked."""
    await _LOCK.run(session, network=network)


async def suspect_others(
    session: AsyncSession, brand_id: int, network: int, response_id: UUID, *, now: datetime
) -> None:
    """Suspect the other responses of a burst too, those about which nobody has decided."""
    near = timedelta(seconds=BURST_SECONDS)
    found = await _SUSPECT_OTHERS.all(
        session,
        brand_id=brand_id,
        network=network,
        response_id=response_id,
        since=now - near,
        until=now + near,
    )
    await touch(session, brand_id, "responses", [each.id for each in found])
