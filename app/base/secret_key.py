"""The database knows the fingerprint of its secret key, and holds the root of its keyed hashes."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, null, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, AsyncSession

from app.base.errors import AppError
from app.base.models import SecretKeyRow
from app.base.tokens import Tokens

_BY_AGE = select(SecretKeyRow.fingerprint, SecretKeyRow.sealed_root).order_by(
    SecretKeyRow.current_since.desc()
)


async def bind_key(engine: AsyncEngine, tokens: Tokens) -> None:
    """Check that the database belongs to the present key, and adopt its root of keyed hashes.

    An empty database is bound to the key. A new key takes over where the database's is among the
    former ones. Nothing is done before the schema exists. Raises `AppError` (`foreign_key`) for a
    database of another key. Processes may start together.
    """
    async with engine.begin() as connection:
        if not await connection.scalar(text("SELECT to_regclass('secret_keys') IS NOT NULL")):
            return
        if await _adopt(connection, tokens):
            return
        await connection.execute(text("LOCK TABLE secret_keys IN SHARE ROW EXCLUSIVE MODE"))
        if not await _adopt(connection, tokens):
            await _take_over(connection, tokens)


async def _adopt(connection: AsyncConnection, tokens: Tokens) -> bool:
    """Adopt the root where the database's latest key is the present one; returns whether it is."""
    latest = (await connection.execute(_BY_AGE)).first()
    if latest is None or bytes(latest.fingerprint) != tokens.fingerprint:
        return False
    tokens.adopt_root(latest.sealed_root)
    return True


async def _take_over(connection: AsyncConnection, tokens: Tokens) -> None:
    latest = (await connection.execute(_BY_AGE)).first()
    if latest is not None:
        if bytes(latest.fingerprint) not in tokens.old_fingerprints:
            raise AppError(
                "foreign_key",
                "This database belongs to another TENFOLD_SECRET_KEY; set the one it was used with (with"
                " the embedded database: put back TENFOLD_HOME/secret_key), or add that one to"
                " TENFOLD_SECRET_KEYS_OLD.",
            )
        tokens.adopt_root(latest.sealed_root)
    values = {
        "sealed_root": tokens.sealed_root(),
        "current_since": func.clock_timestamp(),
        # Nothing is sealed under another key in an empty database.
        "rotated_at": func.clock_timestamp() if latest is None else null(),
    }
    await connection.execute(
        insert(SecretKeyRow)
        .values(fingerprint=tokens.fingerprint, **values)
        .on_conflict_do_update(index_elements=["fingerprint"], set_=values)
    )


@dataclass(frozen=True, slots=True)
class KeyState:
    """What the database knows of its keys."""

    since: datetime
    """Since when the present key is used."""
    rotated_at: datetime | None
    """When everything was sealed under it; None: `tenfold key-rotate` was not run since."""
    replaced: int
    """Former keys that this database was used with."""


async def load_key_state(session: AsyncSession) -> KeyState | None:
    """The state of the keys; None for a database that no process has used."""
    latest = await session.scalar(select(SecretKeyRow).order_by(SecretKeyRow.current_since.desc()).limit(1))
    if latest is None:
        return None
    count = await session.scalar(select(func.count()).select_from(SecretKeyRow)) or 0
    return KeyState(latest.current_since, latest.rotated_at, count - 1)


async def finish_rotation(session: AsyncSession, tokens: Tokens) -> None:
    """Note that everything is sealed under the present key; former keys then open nothing here."""
    present = SecretKeyRow.fingerprint == tokens.fingerprint
    await session.execute(
        update(SecretKeyRow)
        .where(present)
        .values(rotated_at=func.coalesce(SecretKeyRow.rotated_at, func.clock_timestamp()))
    )
    await session.execute(update(SecretKeyRow).where(~present).values(sealed_root=None))
