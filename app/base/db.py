"""The database: one engine per process, sessions, and the column types of every table.

Every row belongs to a brand, in its key: primary keys are `(brand_id, id)`, foreign and unique keys
carry `brand_id`. So one brand's row cannot point at another's.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, ClassVar
from uuid import UUID

import orjson
from sqlalchemy import (
    BigInteger,
    DateTime,
    Dialect,
    Integer,
    MetaData,
    Text,
    TypeDecorator,
    Uuid,
    event,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.engine import make_url
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import InvalidatePoolError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, mapped_column
from sqlalchemy.pool import ConnectionPoolEntry, PoolProxiedConnection

from app.base import clock
from app.base.ids import new_id
from app.base.transactions import SessionMaker

Sessions = async_sessionmaker[AsyncSession]

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(referred_table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}

Minor = Annotated[int, mapped_column(BigInteger)]
"""An amount in minor units of the row's currency."""
Moment = Annotated[datetime, mapped_column(DateTime(timezone=True))]
"""A UTC time with zone."""
Created = Annotated[datetime, mapped_column(DateTime(timezone=True), server_default=func.clock_timestamp())]
"""When the row was written, by the database's clock; never compared with simulated times."""
BrandKey = Annotated[int, mapped_column(Integer, primary_key=True, autoincrement=False)]
RowKey = Annotated[UUID, mapped_column(Uuid, primary_key=True, default=new_id)]


class Base(DeclarativeBase):
    """Parent of every table; related rows are loaded by explicit queries only."""

    metadata = MetaData(naming_convention=NAMING)
    type_annotation_map: ClassVar[dict[Any, Any]] = {
        str: Text,
        dict[str, Any]: JSONB,
        list[Any]: JSONB,
        list[str]: JSONB,
        UUID: Uuid,
    }


class EnumText(TypeDecorator[Any]):
    """Text that holds the words of one enum; the code checks them, the database does not.

    So a new word needs no migration. A word that this version of the code does not know is read as
    the plain text it is, which never fails; `tenfold invariants` lists such rows.
    """

    impl = Text
    cache_ok = True

    def __init__(self, words: type[StrEnum]) -> None:
        super().__init__()
        self.words = words
        self._by_value = {word.value: word for word in words}

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:  # noqa: ARG002
        """Return the word's text. Raises `ValueError` for a word that the enum does not have."""
        return None if value is None else self.words(value).value

    def process_result_value(self, value: str | None, dialect: Dialect) -> StrEnum | str | None:  # noqa: ARG002
        """Return the enum's member, or the text itself where the enum has no such word."""
        return None if value is None else self.read(value)

    def read(self, text: str) -> StrEnum | str:
        """The enum's member, or the text itself where the enum has no such word."""
        return self._by_value.get(text, text)


def enum_text(words: type[StrEnum]) -> EnumText:
    """A text column that holds the words of an enum."""
    return EnumText(words)


def async_url(url: str) -> str:
    """Return a `postgresql://…` address in the form for our one driver, asyncpg."""
    return make_url(url).set(drivername="postgresql+asyncpg").render_as_string(hide_password=False)


def to_json(value: object) -> str:
    """The value as the database's JSON; bytes and UUIDs become texts."""
    return orjson.dumps(value, default=_in_json).decode()


def _in_json(value: object) -> str:
    """Encode what orjson does not: bytes as PostgreSQL reads them, and the driver's UUID type."""
    if isinstance(value, bytes):
        return rf"\x{value.hex()}"
    if isinstance(value, UUID):
        return str(value)
    raise TypeError(f"{type(value).__name__} has no place in JSON")


CONNECT_SECONDS = 10.0
"""The longest that opening a connection may take."""


STATEMENTS = 400
"""Statements that a connection keeps prepared: more than a process has that runs them again. The
default of 100 is fewer than a worker's sweeps have in all, and the driver would forget each after
five minutes."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How long a process lets the database wait or work, in seconds; 0 is without limit.

    The server ends what exceeds them. So a locked row, or a process that froze in a transaction,
    holds others up for a bounded time.
    """

    lock: int
    """Waiting for one lock."""
    statement: int
    idle: int
    """A transaction without a statement: its process froze."""
    pool: float
    """Waiting for a free connection of the process's own pool."""
    helpers: int = 0
    """Processes of the server that one statement may start to help it: starting them takes longer
    than most statements do, and they take the processors from all others."""

    @property
    def server_settings(self) -> dict[str, str]:
        """As settings of a connection, which are sent once, when it is opened."""
        return {
            "max_parallel_workers_per_gather": str(self.helpers),
            # Data is in memory or on a disk without moving parts, where a page found by an index
            # costs little more than the next one; by default whole tables are read too soon.
            "random_page_cost": "1.1",
            "lock_timeout": f"{self.lock}s",
            "statement_timeout": f"{self.statement}s",
            "idle_in_transaction_session_timeout": f"{self.idle}s",
        }


WEB = Limits(lock=2, statement=10, idle=30, pool=5.0)
WORKER = Limits(lock=2, statement=60, idle=30, pool=60.0)
COMMAND = Limits(lock=10, statement=0, idle=60, pool=60.0, helpers=2)
"""An operator's command: it may read whole tables."""
MIGRATION = Limits(lock=0, statement=0, idle=0, pool=60.0, helpers=2)
"""A migration waits for another one; `migrations/env.py` bounds its own locks."""


def make_engine(url: str, *, pool_size: int = 10, name: str = "tenfold", limits: Limits = WEB) -> AsyncEngine:
    """Create an engine for this process, with at most `pool_size` connections."""
    engine = create_async_engine(
        async_url(url),
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=limits.pool,
        # An error's text is logged; the values of its statement may be personal data.
        hide_parameters=True,
        json_serializer=to_json,
        json_deserializer=orjson.loads,
        connect_args={
            "timeout": CONNECT_SECONDS,
            # By SQLAlchemy, and by the driver itself (`app.base.prepared`).
            "prepared_statement_cache_size": STATEMENTS,
            "statement_cache_size": STATEMENTS,
            "max_cached_statement_lifetime": 0,
            "server_settings": {
                "application_name": name,
                "timezone": "UTC",
                "jit": "off",
                **limits.server_settings,
            },
        },
    )
    _replace_dead_connections(engine)
    return engine


UNPROVEN_SECONDS = 1.0
"""One that was used within this time is taken for alive, unless the driver knows better."""


def _replace_dead_connections(engine: AsyncEngine) -> None:
    """Take no connection from the pool that the server has closed.

    The engine's own test takes three round trips before each transaction: more than the statement
    of a page. Here the driver is asked whether the server has closed the connection, and only one
    that was idle is tested.
    """

    def note_use(_connection: DBAPIConnection | None, record: ConnectionPoolEntry) -> None:
        record.info["used_at"] = clock.monotonic()

    def test(connection: Any, record: ConnectionPoolEntry, _proxy: PoolProxiedConnection) -> None:
        used_at = record.info.get("used_at")
        if used_at is None:
            return
        if connection.driver_connection.is_closed():
            raise InvalidatePoolError
        if clock.monotonic() - used_at > UNPROVEN_SECONDS:
            try:
                engine.dialect.do_ping(connection)
            except engine.dialect.loaded_dbapi.Error as error:
                raise InvalidatePoolError from error

    event.listen(engine.sync_engine, "checkin", note_use)
    event.listen(engine.sync_engine, "checkout", test)


def make_sessions(engine: AsyncEngine) -> Sessions:
    """A session factory; objects stay readable after the commit."""
    return SessionMaker(engine, expire_on_commit=False)


def make_reading_sessions(engine: AsyncEngine) -> Sessions:
    """As `make_sessions`, but each statement is a transaction of its own.

    For what reads by one statement or two, and writes by one at most: it saves two round trips.
    """
    return make_sessions(engine.execution_options(isolation_level="AUTOCOMMIT"))


async def allow_long_reading(session: AsyncSession) -> None:
    """Let this transaction read for long, at the pace of a slow client, as an export does."""
    for name, value in (("statement_timeout", "10min"), ("idle_in_transaction_session_timeout", "5min")):
        await session.execute(text("SELECT set_config(:name, :value, true)"), {"name": name, "value": value})
