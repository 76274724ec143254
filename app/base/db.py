"""The database: one engine a process, sessions, and the column kinds every room's tables are built from.

Every row belongs to a brand, in its key: primary keys are `(brand_id, id)`, foreign and unique keys carry `brand_id`. So one
brand's row cannot point at another's.
"""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, ClassVar
from uuid import UUID

import orjson
from sqlalchemy import BigInteger, DateTime, Enum, Integer, MetaData, Text, Uuid, func
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, mapped_column

from app.base.ids import new_id

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
"""An aware UTC time."""
Created = Annotated[datetime, mapped_column(DateTime(timezone=True), server_default=func.clock_timestamp())]
"""When the row was written, by the database's own clock; never compared with simulated times."""
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


def enum_text(words: type[StrEnum]) -> Enum:
    """A text column that takes only the words of an enum, checked by the database."""
    return Enum(
        words,
        native_enum=False,
        create_constraint=True,
        length=24,
        name=words.__name__.lower(),
        values_callable=lambda enum: [word.value for word in enum],
    )


def async_url(url: str) -> str:
    """A `postgresql://…` address for our one driver, asyncpg."""
    return make_url(url).set(drivername="postgresql+asyncpg").render_as_string(hide_password=False)


def _json(value: object) -> str:
    return orjson.dumps(value, default=_in_json).decode()


def _in_json(value: object) -> str:
    """What orjson does not write: bytes as PostgreSQL reads them, and the driver's own kind of UUID."""
    if isinstance(value, bytes):
        return rf"\x{value.hex()}"
    if isinstance(value, UUID):
        return str(value)
    raise TypeError(f"{type(value).__name__} has no place in JSON")


def make_engine(url: str, *, pool_size: int = 10, name: str = "tenfold") -> AsyncEngine:
    """An engine for this process. `pool_size` connections are kept, as many again opened under load."""
    return create_async_engine(
        async_url(url),
        pool_size=pool_size,
        max_overflow=pool_size,
        pool_pre_ping=True,
        # An error's text goes to the log; the values of its statement are people's.
        hide_parameters=True,
        json_serializer=_json,
        json_deserializer=orjson.loads,
        connect_args={"server_settings": {"application_name": name, "timezone": "UTC", "jit": "off"}},
    )


def make_sessions(engine: AsyncEngine) -> Sessions:
    """A session factory; objects stay readable after the commit."""
    return async_sessionmaker(engine, expire_on_commit=False)
