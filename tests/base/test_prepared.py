"""A prepared statement does in the session's transaction what SQLAlchemy would do."""

import asyncio
from typing import NamedTuple

import pytest
from asyncpg.transaction import Transaction
from sqlalchemy import bindparam, event, select, text, update
from sqlalchemy.exc import DBAPIError, IntegrityError

from app.base.db import make_engine, make_sessions
from app.base.prepared import Prepared
from app.base.retry import is_unavailable, sqlstate_of
from app.brands.models import Brand, Shop
from app.brands.rules import Platform


class Row(NamedTuple):
    id: int
    platform: Platform
    settings: dict[str, str]


_SHOPS = Prepared(
    select(Shop.brand_id, Shop.platform, Shop.platform_settings)
    .where(Shop.brand_id == bindparam("of_brand"), Shop.platform.in_([Platform.checkout, Platform.shopify]))
    .order_by(Shop.id),
    Row,
)
_RENAME = Prepared(
    update(Brand).where(Brand.id == bindparam("of_brand")).values(name=bindparam("name")), tuple
)
_NAME = Prepared(text("SELECT name FROM brands WHERE id = :of_brand"), str)
_COPY = Prepared(
    text("INSERT INTO shop_slugs SELECT shop_slugs.* FROM shop_slugs WHERE brand_id = :of_brand"), tuple
)


async def test_values_come_back_as_the_columns_have_them(session, shop):
    (row,) = await _SHOPS.all(session, of_brand=shop.brand_id)
    assert row == Row(shop.brand_id, shop.platform, shop.platform_settings)
    assert isinstance(row.platform, Platform)
    assert await _SHOPS.first(session, of_brand=0) is None
    with pytest.raises(TypeError):
        await _SHOPS.all(session, brand=1)
    with pytest.raises(TypeError):
        await _SHOPS.all(session)


async def test_values_are_bound_as_the_columns_have_them(session, shop):
    changed = Prepared(
        update(Shop)
        .where(Shop.brand_id == bindparam("of_brand"))
        .values(
            platform=bindparam("platform"), platform_settings={"a": "b"}, sealed_secrets=bindparam("sealed")
        ),
        tuple,
    )
    assert await changed.run(session, of_brand=shop.brand_id, platform=Platform.shopify, sealed=["x"]) == 1
    (row,) = await _SHOPS.all(session, of_brand=shop.brand_id)
    assert row[1:] == (Platform.shopify, {"a": "b"})
    with pytest.raises(ValueError):
        await changed.run(session, of_brand=shop.brand_id, platform="a word of nobody's", sealed=[])


async def test_it_is_part_of_the_sessions_transaction(context, brand):
    async with context.sessions() as session:
        assert await _RENAME.run(session, of_brand=brand.id, name="new") == 1
        assert await session.scalar(select(Brand.name).where(Brand.id == brand.id)) == "new"
        await session.rollback()
        assert await _NAME.all(session, of_brand=brand.id) == [brand.name]
        # The session takes a connection of the pool for each transaction.
        await session.commit()
        await _RENAME.run(session, of_brand=brand.id, name="kept")
        await session.commit()
    async with context.reading_sessions() as session:
        assert await _NAME.first(session, of_brand=brand.id) == "kept"


async def test_it_sees_what_the_session_has_not_written_yet(session, brand):
    session.add(Brand(slug="pending", name="Pending"))
    assert await Prepared(text("SELECT count(*) FROM brands WHERE slug = 'pending'"), int).all(session) == [1]


async def test_errors_are_those_of_sqlalchemy_and_a_savepoint_undoes_them(session, shop):
    with pytest.raises(IntegrityError) as raised:
        async with session.begin_nested():
            await _COPY.run(session, of_brand=shop.brand_id)
    assert sqlstate_of(raised.value) == "23505"
    assert len(await _SHOPS.all(session, of_brand=shop.brand_id)) == 1


async def test_a_savepoint_undoes_it_where_nothing_but_it_was_executed(session, brand):
    async with session.begin_nested():
        await _RENAME.run(session, of_brand=brand.id, name="kept")
    nested = await session.begin_nested()
    await _RENAME.run(session, of_brand=brand.id, name="undone")
    await nested.rollback()
    assert await _NAME.all(session, of_brand=brand.id) == ["kept"]


async def test_a_lost_connection_is_reported_as_lost_and_replaced(context, brand):
    async with context.sessions() as session:
        (process,) = await Prepared(text("SELECT pg_backend_pid()"), int).all(session)
        async with context.sessions() as other:
            await other.execute(text("SELECT pg_terminate_backend(:pid)"), {"pid": process})
        await asyncio.sleep(0.05)
        with pytest.raises(DBAPIError) as raised:
            await _NAME.all(session, of_brand=brand.id)
        assert is_unavailable(raised.value)
    async with context.sessions() as session:
        assert await _NAME.all(session, of_brand=brand.id) == [brand.name]


async def test_after_a_cancelled_begin_the_next_transaction_commits(context, brand, monkeypatch):
    begin = Transaction.start

    async def begin_and_be_cancelled(transaction) -> None:
        await begin(transaction)
        raise asyncio.CancelledError

    engine = make_engine(context.database_url, pool_size=1)
    sessions = make_sessions(engine)
    async with sessions() as session:
        await session.connection()
        monkeypatch.setattr(Transaction, "start", begin_and_be_cancelled)
        with pytest.raises(asyncio.CancelledError):
            await _SHOPS.all(session, of_brand=brand.id)
        monkeypatch.undo()
    async with sessions.begin() as session:
        await _RENAME.run(session, of_brand=brand.id, name="Renamed")
    async with context.sessions() as session:
        assert await session.scalar(select(Brand.name)) == "Renamed"
    await engine.dispose()


async def test_who_listens_for_statements_hears_of_it(context, session, brand):
    heard = []
    listening = (context.engine.sync_engine, "before_cursor_execute", lambda *given: heard.append(given[2:4]))
    event.listen(*listening)
    await _NAME.all(session, of_brand=brand.id)
    event.remove(*listening)
    assert heard == [("SELECT name FROM brands WHERE id = $1", [brand.id])]
