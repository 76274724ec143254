"""Save, load and remove the shops' connections. Credentials are stored sealed and never logged."""

from collections.abc import Collection
from datetime import datetime
from uuid import UUID

import orjson
from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from app.base.actor import Actor
from app.base.audit import AuditAction, record_action
from app.base.batch import in_ids
from app.base.errors import AppError
from app.base.text import quoted
from app.base.tokens import Tokens
from app.platforms.connection_types import Connection
from app.platforms.default_reward import settle_default_reward
from app.platforms.models import ShopConnection


async def save_connection(
    session: AsyncSession,
    tokens: Tokens,
    brand_id: int,
    shop_id: UUID,
    connection: Connection,
    *,
    actor: Actor,
    now: datetime,
) -> None:
    """Store the shop's connection in place of the one before; it is checked at `now`.

    The audit log gets the account, never the credentials. Raises `AppError` (`account_taken`) where
    another shop of the brand has the account.
    """
    before = await session.scalar(
        select(ShopConnection.account)
        .where(ShopConnection.brand_id == brand_id, ShopConnection.shop_id == shop_id)
        .with_for_update()
    )
    values = {
        "account": connection.account,
        "sealed_credentials": tokens.seal(orjson.dumps(dict(connection.credentials)).decode()),
        "updated_at": now,
        "check_due_at": now,
        "checked_at": None,
        "problems": [],
        "notes": [],
        "webhooks": [],
    }
    stored = (
        insert(ShopConnection)
        .values(brand_id=brand_id, shop_id=shop_id, **values)
        .on_conflict_do_update(index_elements=["brand_id", "shop_id"], set_=values)
    )
    try:
        async with session.begin_nested():
            await session.execute(stored)
    except IntegrityError as error:
        if "uq_shop_connections" not in str(error.orig):
            raise
        raise _account_taken(connection.account) from None
    changes = {"account": (before, connection.account)}
    await record_action(session, actor, AuditAction.connection_saved, ("shp", shop_id), changes)


def _account_taken(account: str) -> AppError:
    return AppError(
        "account_taken",
        f"Another shop of the brand is connected to {quoted(account)} already; one account is one shop.",
        status=409,
    )


async def load_connections(
    session: AsyncSession, tokens: Tokens, brand_id: int, shop_ids: Collection[UUID]
) -> dict[UUID, Connection]:
    """The connections of these shops, by shop; a shop without one is left out.

    Raises `ValueError` where one was sealed under another secret key.
    """
    found = await session.execute(
        select(ShopConnection.shop_id, ShopConnection.account, ShopConnection.sealed_credentials).where(
            ShopConnection.brand_id == brand_id, in_ids(ShopConnection.shop_id, list(shop_ids))
        )
    )
    return {
        row.shop_id: Connection(row.account, orjson.loads(tokens.open(row.sealed_credentials)))
        for row in found
    }


async def load_accounts(session: AsyncSession, brand_id: int) -> dict[UUID, str]:
    """The accounts of the brand's connected shops, by shop."""
    found = await session.execute(
        select(ShopConnection.shop_id, ShopConnection.account).where(ShopConnection.brand_id == brand_id)
    )
    return {row.shop_id: row.account for row in found}


async def load_row(session: AsyncSession, brand_id: int, shop_id: UUID) -> ShopConnection | None:
    """The shop's connection with what its last check found, its credentials sealed."""
    return await session.scalar(
        select(ShopConnection).where(ShopConnection.brand_id == brand_id, ShopConnection.shop_id == shop_id)
    )


async def load_rows(session: AsyncSession, brand_id: int) -> dict[UUID, ShopConnection]:
    """As `load_row`, of all the brand's connected shops."""
    found = await session.scalars(select(ShopConnection).where(ShopConnection.brand_id == brand_id))
    return {row.shop_id: row for row in found}


async def remove_connection(session: AsyncSession, brand_id: int, shop_id: UUID, *, actor: Actor) -> bool:
    """Delete the shop's connection; False where it had none."""
    removed = await session.execute(
        delete(ShopConnection)
        .where(ShopConnection.brand_id == brand_id, ShopConnection.shop_id == shop_id)
        .returning(ShopConnection.shop_id)
    )
    if removed.first() is None:
        return False
    await record_action(session, actor, AuditAction.connection_removed, ("shp", shop_id))
    await settle_default_reward(session, brand_id)
    return True


async def reseal_connections(session: AsyncSession, tokens: Tokens, brand_id: int) -> int:
    """Seal the credentials that are under a former key; returns how many were. Idempotent.

    Raises `ValueError` where one is under a key that is not known.
    """
    query = select(ShopConnection).where(ShopConnection.brand_id == brand_id)
    changed = 0
    for connection in await session.scalars(query.order_by(ShopConnection.shop_id).with_for_update()):
        if not tokens.is_present(connection.sealed_credentials):
            connection.sealed_credentials = tokens.seal(tokens.open(connection.sealed_credentials))
            changed += 1
    await session.flush()
    return changed
