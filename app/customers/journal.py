"""What the journal keeps of suppressions and erasures: keyed hashes, never an address."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import Row, literal, select, union, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.base.batch import in_ids, recordset
from app.customers.erased import NewErasedIdentity, list_erased
from app.customers.models import Customer, ErasedIdentity, Suppression

SUPPRESSED = "suppressed"
ERASED = "erased"
_MOST = 1_000


async def brands_to_journal(session: AsyncSession) -> Sequence[int]:
    """The brands with suppressions or erasures that the journal does not have as they are."""
    suppressed = select(Suppression.brand_id).where(~Suppression.journaled)
    erased = select(ErasedIdentity.brand_id).where(~ErasedIdentity.journaled)
    return (await session.scalars(union(suppressed, erased))).all()


async def take_suppressions(session: AsyncSession, brand_id: int) -> list[object]:
    """Mark up to 1,000 suppressions as journaled; returns their rows, for the caller to write."""
    chosen = (
        select(Suppression.id)
        .where(Suppression.brand_id == brand_id, ~Suppression.journaled)
        .limit(_MOST)
        .with_for_update(skip_locked=True)
    )
    rows = await session.execute(
        update(Suppression)
        .where(Suppression.brand_id == brand_id, Suppression.id.in_(chosen))
        .values(journaled=True)
        .returning(
            Suppression.id,
            Suppression.channel,
            Suppression.address_key,
            Suppression.reason,
            Suppression.at,
            Suppression.lifted_at,
        )
        .execution_options(synchronize_session=False)
    )
    return [_plain(row) for row in rows]


async def take_erasures(session: AsyncSession, brand_id: int) -> list[object]:
    """As `take_suppressions`, of the hashes of erased people."""
    chosen = (
        select(ErasedIdentity.identity_key)
        .where(ErasedIdentity.brand_id == brand_id, ~ErasedIdentity.journaled)
        .limit(_MOST)
        .with_for_update(skip_locked=True)
    )
    rows = await session.execute(
        update(ErasedIdentity)
        .where(ErasedIdentity.brand_id == brand_id, ErasedIdentity.identity_key.in_(chosen))
        .values(journaled=True)
        .returning(ErasedIdentity.identity_key, ErasedIdentity.customer_id, ErasedIdentity.erased_at)
        .execution_options(synchronize_session=False)
    )
    return [_plain(row) for row in rows]


def _plain(row: Row[*tuple[object, ...]]) -> list[object]:
    return [value.hex() if isinstance(value, bytes) else value for value in row]


async def restore_suppressions(
    session: AsyncSession, brand_id: int, rows: Sequence[Sequence[object]]
) -> None:
    """Write journaled suppressions again, and the time at which one was lifted. Idempotent.

    Of a suppression's several rows the latest counts.
    """
    names = ("id", "channel", "address_key", "reason", "at", "lifted_at")
    latest = {str(row[0]): dict(zip(names, row, strict=True)) for row in rows}
    for each in latest.values():
        each["address_key"] = bytes.fromhex(str(each["address_key"]))
    columns = [
        Suppression.id,
        Suppression.channel,
        Suppression.address_key,
        Suppression.reason,
        Suppression.at,
        Suppression.lifted_at,
    ]
    given = recordset(list(latest.values()), columns)
    await session.execute(
        insert(Suppression)
        .from_select(
            ["brand_id", *given.c.keys(), "journaled"],
            select(literal(brand_id), *given.c, literal(value=True)).order_by(given.c.address_key),
            include_defaults=False,
        )
        .on_conflict_do_nothing()
    )
    await session.execute(
        update(Suppression)
        .where(
            Suppression.brand_id == brand_id,
            Suppression.id == given.c.id,
            given.c.lifted_at.is_not(None),
            Suppression.lifted_at.is_(None),
        )
        .values(lifted_at=given.c.lifted_at)
        .execution_options(synchronize_session=False)
    )


async def restore_erasures(
    session: AsyncSession, brand_id: int, rows: Sequence[Sequence[object]], *, sequence: int
) -> list[UUID]:
    """Put journaled hashes on the list of the erased again; returns their customers that are here.

    Those customers are to be erased again: the restored copy has their data.
    """
    ids = {UUID(str(row[1])) for row in rows if row[1] is not None}
    query = select(Customer.id).where(Customer.brand_id == brand_id, in_ids(Customer.id, sorted(ids)))
    here = set(await session.scalars(query))
    identities = []
    for key, customer, erased_at in rows:
        customer_id = UUID(str(customer)) if customer is not None else None
        identities.append(
            NewErasedIdentity(
                bytes.fromhex(str(key)),
                customer_id if customer_id in here else None,
                sequence,
                datetime.fromisoformat(str(erased_at)),
            )
        )
    await list_erased(session, brand_id, identities)
    return sorted(here)
