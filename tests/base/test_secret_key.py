"""A database belongs to one secret key; a former key opens what it made until it is replaced."""

import asyncio

import pytest
from sqlalchemy import func, select, text

from app.base import clock
from app.base.actor import cli_actor
from app.base.errors import AppError
from app.base.ids import new_id
from app.base.models import SecretKeyRow
from app.base.secret_key import bind_key, finish_rotation, load_key_state
from app.base.tokens import Tokens
from app.brands.models import Shop
from app.brands.reseal import reseal_shops
from app.platforms.connection_types import Connection
from app.platforms.connections import load_connections, reseal_connections, save_connection
from tests.support.constants import NOW, SECRET, SECRET_KEY

NEW_KEY = "another key for tests alone, of no worth to anyone"


async def test_processes_that_start_together_bind_an_empty_database_once(context):
    rings = [Tokens(SECRET_KEY) for _ in range(6)]
    await asyncio.gather(*(bind_key(context.engine, ring) for ring in rings))
    async with context.sessions() as session:
        assert await session.scalar(select(func.count()).select_from(SecretKeyRow)) == 1
    assert len({ring.address_key("ana@example.com") for ring in rings}) == 1


async def test_a_foreign_key_is_refused_by_one_sentence(context):
    await bind_key(context.engine, Tokens(SECRET_KEY))
    with pytest.raises(AppError, match="another TENFOLD_SECRET_KEY") as refused:
        await bind_key(context.engine, Tokens(NEW_KEY))
    assert refused.value.code == "foreign_key"
    assert NEW_KEY not in refused.value.detail


async def test_a_new_key_takes_over_from_a_former_one_which_is_then_refused(context):
    old, new = Tokens(SECRET_KEY), Tokens(NEW_KEY, [SECRET_KEY])
    await bind_key(context.engine, old)
    await bind_key(context.engine, new)
    for hashed in ("ana@example.com", "+491701234567"):
        assert old.address_key(hashed) == new.address_key(hashed)
    row = new_id()
    assert old.share("sample", row) == new.share("sample", row)
    with pytest.raises(AppError):
        await bind_key(context.engine, Tokens(SECRET_KEY))
    back = Tokens(SECRET_KEY, [NEW_KEY])
    await bind_key(context.engine, back)
    assert back.address_key("x") == old.address_key("x")


async def test_links_of_both_keys_open_and_those_of_strangers_do_not(context):
    old, new = Tokens(SECRET_KEY), Tokens(NEW_KEY, [SECRET_KEY])
    row = new_id()
    for made in (old.link("survey", 7, row), new.link("survey", 7, row)):
        subject = new.read_link("survey", made)
        assert subject is not None
        assert subject.row_id == row
        assert new.read_link("referrer", made) is None
    assert old.read_link("survey", new.link("survey", 7, row)) is None
    assert new.read_link("survey", Tokens("k" * 40).link("survey", 7, row)) is None


async def test_everything_sealed_is_sealed_anew_once(context, brand, shop):
    old, new = context.tokens, Tokens(NEW_KEY, [SECRET_KEY])
    await bind_key(context.engine, old)
    async with context.sessions.begin() as session:
        await save_connection(
            session,
            old,
            brand.id,
            shop.id,
            Connection("acme.example", {"token": "secret"}),
            actor=cli_actor(brand.id),
            now=NOW,
        )
    await bind_key(context.engine, new)
    async with context.sessions() as session:
        state = await load_key_state(session)
        assert (state.replaced, state.rotated_at) == (1, None)
    counts = []
    for _ in range(2):
        async with context.sessions.begin() as session:
            counts.append(
                (
                    await reseal_shops(session, new, brand.id),
                    await reseal_connections(session, new, brand.id),
                )
            )
            await finish_rotation(session, new)
    assert counts == [(1, 1), (0, 0)]
    alone = Tokens(NEW_KEY)
    await bind_key(context.engine, alone)
    assert alone.address_key("ana@example.com") == old.address_key("ana@example.com")
    async with context.sessions() as session:
        stored = await session.scalar(select(Shop.sealed_secrets).where(Shop.id == shop.id))
        assert [alone.open(sealed) for sealed in stored] == [SECRET]
        connections = await load_connections(session, alone, brand.id, [shop.id])
        assert connections[shop.id].credentials == {"token": "secret"}
        assert await session.scalar(text("SELECT count(sealed_root) FROM secret_keys")) == 1
        state = await load_key_state(session)
        assert state.rotated_at is not None
        assert state.rotated_at <= clock.now()


async def test_a_secret_under_an_unknown_key_is_not_replaced(context, brand, shop):
    async with context.sessions() as session:
        with pytest.raises(ValueError, match="another TENFOLD_SECRET_KEY"):
            await reseal_shops(session, Tokens(NEW_KEY), brand.id)
