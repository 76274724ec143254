"""The database: one engine per process, sessions, and the column types of every table.

Every row belongs to a brand, in its key: primary keys are `(brand_id, id)`, foreign and unique keys
carry `brand_id`. So one brand's row cannot point at another's.
"""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, ClassVar
from uuid import UUID

import orjson
from sqlalchemy import BigInteger, DateTime, Dialect, Integer, MetaData, Text, TypeDecorator, Uuid, func
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
        return None if value is None else self._by_value.get(value, value)


def enum_text(words: type[StrEnum]) -> EnumText:
    """A text column that holds the words of an enum."""
    return EnumText(words)


def async_url(url: str) -> str:
    """Return a `postgresql://…` address in the form for our one driver, asyncpg."""
    return make_url(url).set(drivername="postgresql+asyncpg").render_as_string(hide_password=False)


def _json(value: object) -> str:
    return orjson.dumps(value, default=_in_json).decode()


def _in_json(value: object) -> str:
    """Encode what orjson does not: bytes as PostgreSQL reads them, and the driver's UUID type."""
    if isinstance(value, bytes):
        return rf"\x{value.hex()}"
    if isinstance(value, UUID):
        return str(value)
    raise TypeError(f"{type(value).__name__} has no place in JSON")


def make_engine(url: str, *, pool_size: int = 10, name: str = "tenfold") -> AsyncEngine:
    """Create an engine for this process.

    `pool_size` connections stay open; as many again are opened under load.
    """
    return create_async_engine(
        async_url(url),
        pool_size=pool_size,
        max_overflow=pool_size,
        pool_pre_ping=True,
        # An error's text is logged; the values of its statement may be personal data.
        hide_parameters=True,
        json_serializer=_json,
        json_deserializer=orjson.loads,
        connect_args={"server_settings": {"application_name": name, "timezone": "UTC", "jit": "off"}},
    )


def make_sessions(engine: AsyncEngine) -> Sessions:
    """A session factory; objects stay readable after the commit."""
    return async_sessionmaker(engine, expire_on_commit=False)
