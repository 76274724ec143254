"""Shops' connections to their platforms, with sealed credentials."""

from datetime import timedelta

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import IntegrityError

from app.base.actor import cli_actor
from app.base.tokens import Tokens
from app.brands.add import add_brand, add_shop
from app.platforms.connection_types import Connection
from app.platforms.connections import load_connections, remove_connection, save_connection
from app.platforms.models import ShopConnection
from tests.support.constants import NOW

CONNECTION = Connection("acme.example", {"access_token": "shpat_very_secret"})


async def save(context, shop, connection=CONNECTION, now=NOW) -> None:
    async with context.sessions.begin() as session:
        await save_connection(
            session,
            context.tokens,
            shop.brand_id,
            shop.id,
            connection,
            now=now,
            actor=cli_actor(shop.brand_id),
        )


async def test_saved_connection_is_loaded_and_removed(context, shop):
    await save(context, shop)
    async with context.sessions.begin() as session:
        found = await load_connections(session, context.tokens, shop.brand_id, [shop.id])
        assert found == {shop.id: CONNECTION}
        assert await remove_connection(session, shop.brand_id, shop.id, actor=cli_actor(shop.brand_id))
        assert not await remove_connection(session, shop.brand_id, shop.id, actor=cli_actor(shop.brand_id))
        assert await load_connections(session, context.tokens, shop.brand_id, [shop.id]) == {}


async def test_new_connection_replaces_the_one_before(context, shop):
    await save(context, shop)
    renewed = Connection("acme.example", {"access_token": "shpat_renewed"})
    await save(context, shop, renewed, NOW + timedelta(days=1))
    async with context.sessions() as session:
        assert await load_connections(session, context.tokens, shop.brand_id, [shop.id]) == {shop.id: renewed}
        (row,) = await session.scalars(select(ShopConnection))
        assert row.updated_at == NOW + timedelta(days=1)


async def test_credentials_are_neither_stored_nor_shown_in_plain_text(context, shop):
    await save(context, shop)
    async with context.sessions() as session:
        stored = await session.scalar(text("SELECT shop_connections::text FROM shop_connections"))
        values = (await session.scalars(text("SELECT audit_values::text FROM audit_values"))).all()
    assert "very_secret" not in stored
    assert any("acme.example" in each for each in values)
    assert not any("very_secret" in each for each in values)
    assert "very_secret" not in repr(CONNECTION)


async def test_connection_under_another_secret_key_is_an_error(context, shop):
    await save(context, shop)
    async with context.sessions() as session:
        with pytest.raises(ValueError, match="TENFOLD_SECRET_KEY"):
            await load_connections(session, Tokens("another key"), shop.brand_id, [shop.id])


async def test_connections_of_another_brand_are_not_found(context, shop):
    async with context.sessions.begin() as session:
        other = await add_brand(session, "other", name="Other")
        theirs, _ = await add_shop(
            session, context.tokens, other, "theirs", name="Theirs", actor=cli_actor(other.id)
        )
    await save(context, shop)
    await save(context, theirs, Connection("theirs.example", {"access_token": "b"}))
    async with context.sessions() as session:
        both = [shop.id, theirs.id]
        found = await load_connections(session, context.tokens, shop.brand_id, both)
        assert found == {shop.id: CONNECTION}
        assert not await remove_connection(session, other.id, shop.id, actor=cli_actor(other.id))
        with pytest.raises(IntegrityError):
            await save_connection(
                session, context.tokens, other.id, shop.id, CONNECTION, now=NOW, actor=cli_actor(other.id)
            )
