"""The schema itself: models and migration agree, keys carry the brand, unknown words are read."""

import asyncio
import re

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import (
    CheckConstraint,
    Connection,
    ForeignKeyConstraint,
    Index,
    Table,
    UniqueConstraint,
    inspect,
    text,
)

import app.models  # noqa: F401  # adds every table to the metadata
from app.base import schema
from app.base.db import Base, EnumText, make_engine
from app.base.errors import AppError
from tests.support.factories.rows import Rows

TABLES = Base.metadata.tables
OF_THE_INSTALLATION = {
    "brands",
    "installations",  # the installation itself
    "journal_positions",  # a process writes the journal for every brand
    "secret_keys",  # the installation has one key
    "provider_circuits",  # providers belong to the installation's settings
    "sign_in_guesses",  # who signs in says no brand, and an address may belong to none
}
"""Tables whose rows belong to no brand, each with its reason."""
KEYS_WITHOUT_BRAND = {
    ("provider_circuits", ("provider",)),
    ("sign_in_guesses", ("key",)),
    ("secret_keys", ("fingerprint",)),
    ("installations", ("number",)),
    ("journal_positions", ("writer",)),
    ("brands", ("id",)),
    ("brands", ("slug",)),
    ("shop_slugs", ("slug",)),
}
"""Unique in the installation by intention: brands themselves, and the slugs that name them in
paths."""


def differences(connection: Connection) -> list[object]:
    options = {
        "compare_type": True,
        "compare_server_default": True,
        "include_name": lambda name, kind, _parents: not (kind == "table" and name.startswith("pgqueuer")),
    }
    found = compare_metadata(MigrationContext.configure(connection, opts=options), Base.metadata)
    return [each for each in found if not (isinstance(each, tuple) and "alembic_version" in str(each))]


async def test_a_migrated_database_is_what_the_models_say(context):
    async with context.engine.connect() as connection:
        assert await connection.run_sync(differences) == []


async def test_the_comparison_finds_what_differs(context):
    async with context.engine.begin() as connection:
        await connection.execute(text("ALTER TABLE shops ADD COLUMN forgotten text"))
        assert "forgotten" in str(await connection.run_sync(differences))


async def test_the_migration_goes_up_down_and_up_again(context):
    engine = make_engine(context.database_url, pool_size=1)

    def run(connection: Connection, name: str, target: str) -> None:
        config = schema._config()
        config.attributes["connection"] = connection
        getattr(command, name)(config, target)

    def left(connection: Connection) -> tuple[list[str], int]:
        tables = [name for name in inspect(connection).get_table_names() if not name.startswith("pgqueuer")]
        ours = "SELECT count(*) FROM pg_proc p JOIN pg_namespace n ON n.oid = pronamespace"
        return tables, connection.scalar(
            text(f"{ours} WHERE nspname = 'public' AND proname NOT LIKE '%pgqueuer%'")
        )

    async with engine.connect() as connection:
        _, functions = await connection.run_sync(left)
        await connection.run_sync(run, "downgrade", "base")
        await connection.commit()
        assert await connection.run_sync(left) == (["alembic_version"], 0)
        await connection.run_sync(run, "upgrade", "head")
        await connection.commit()
        tables, again = await connection.run_sync(left)
        assert set(tables) == {*TABLES, "alembic_version"}
        assert again == functions
        assert await connection.run_sync(differences) == []
    await engine.dispose()


@pytest.mark.parametrize("revision", ["0001", "ffff"])
async def test_a_database_of_an_unknown_revision_is_one_sentence(context, revision):
    async with context.engine.begin() as connection:
        await connection.execute(text("UPDATE alembic_version SET version_num = :it"), {"it": revision})
    with pytest.raises(AppError, match=revision) as raised:
        await schema.migrate(context.database_url)
    assert raised.value.code == "unknown_revision"
    assert "\n" not in raised.value.detail


async def test_a_newer_schema_serves_the_previous_version_and_is_left_alone(context):
    async with context.engine.begin() as connection:
        await connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    assert await schema.is_current(context.engine)
    await schema.migrate(context.database_url)
    async with context.engine.connect() as connection:
        assert await schema.current(connection) == "9999"


@pytest.fixture
async def previous_revision(context, monkeypatch):
    """The database as the version before would have left it: a table of ours is missing."""
    async with context.engine.begin() as connection:
        await connection.execute(text("UPDATE alembic_version SET version_num = '0009'"))
    monkeypatch.setattr(schema, "LOCK_MILLISECONDS", 100)
    monkeypatch.setattr(schema, "PAUSE_SECONDS", 0.2)

    def upgrade(connection: Connection) -> None:
        connection.execute(text("ALTER TABLE deliveries ADD COLUMN later text"))
        connection.execute(text("UPDATE alembic_version SET version_num = :it"), {"it": schema.head()})

    async def known(_connection: object) -> None:
        return

    monkeypatch.setattr(schema, "_upgrade", upgrade)
    monkeypatch.setattr(schema, "_check_known", known)


@pytest.mark.usefixtures("previous_revision")
async def test_a_migration_gives_way_to_a_locked_table_and_to_those_who_wait_behind_it(context):
    async with context.engine.connect() as holder:
        await holder.execute(text("LOCK TABLE deliveries IN ROW EXCLUSIVE MODE"))
        migrating = asyncio.create_task(schema.migrate(context.database_url))
        slowest = 0.0
        for _ in range(10):
            began = asyncio.get_running_loop().time()
            async with context.engine.begin() as writer:
                await writer.execute(text("LOCK TABLE deliveries IN ROW EXCLUSIVE MODE"))
            slowest = max(slowest, asyncio.get_running_loop().time() - began)
            await asyncio.sleep(0.05)
        assert not migrating.done()
        assert slowest < 5
        await holder.rollback()
    await migrating
    assert await schema.is_current(context.engine)


@pytest.mark.usefixtures("previous_revision")
async def test_a_table_that_stays_locked_is_one_sentence(context, monkeypatch):
    monkeypatch.setattr(schema, "TRIES", 2)
    async with context.engine.connect() as holder:
        await holder.execute(text("LOCK TABLE deliveries IN ROW EXCLUSIVE MODE"))
        with pytest.raises(AppError, match="pg_stat_activity") as raised:
            await schema.migrate(context.database_url)
        assert raised.value.code == "locked"


async def test_an_index_is_built_while_another_process_waits_to_migrate(context):
    """A statement that waited for the migration's lock would be waited for itself, for ever."""
    async with context.engine.connect() as guard:
        await guard.execute(text("SELECT pg_advisory_lock(:key)"), {"key": schema.MIGRATION_LOCK})
        await guard.commit()
        waiting = asyncio.create_task(schema.migrate(context.database_url))
        await asyncio.sleep(0.3)
        assert not waiting.done()
        async with context.engine.connect() as building:
            await building.execution_options(isolation_level="AUTOCOMMIT")
            build = building.execute(text("CREATE INDEX CONCURRENTLY later ON deliveries (status)"))
            await asyncio.wait_for(build, 10)
        assert not waiting.done()
        await guard.execute(text("SELECT pg_advisory_unlock(:key)"), {"key": schema.MIGRATION_LOCK})
    await asyncio.wait_for(waiting, 10)


def unique_keys(table: Table) -> list[tuple[str, ...]]:
    keys = [tuple(column.name for column in table.primary_key)]
    constraints = [each for each in table.constraints if isinstance(each, UniqueConstraint)]
    keys += [tuple(column.name for column in each.columns) for each in constraints]
    return keys + [
        tuple(getattr(column, "name", str(column)) for column in index.expressions)
        for index in table.indexes
        if index.unique
    ]


@pytest.mark.parametrize("table", TABLES.values(), ids=lambda table: table.name)
def test_every_unique_key_carries_the_brand(table):
    for key in unique_keys(table):
        assert "brand_id" in key or (table.name, key) in KEYS_WITHOUT_BRAND, key


@pytest.mark.parametrize("table", TABLES.values(), ids=lambda table: table.name)
def test_every_foreign_key_carries_the_brand(table):
    for each in table.constraints:
        if isinstance(each, ForeignKeyConstraint):
            pairs = [
                (column.name, element.column.name)
                for column, element in zip(each.columns, each.elements, strict=True)
            ]
            at = "id" if each.referred_table.name == "brands" else "brand_id"
            assert ("brand_id", at) in pairs, pairs


@pytest.mark.parametrize("table", TABLES.values(), ids=lambda table: table.name)
def test_every_row_belongs_to_a_brand(table):
    assert table.name in OF_THE_INSTALLATION or not table.columns["brand_id"].nullable


@pytest.mark.parametrize("table", TABLES.values(), ids=lambda table: table.name)
def test_no_check_in_the_database_lists_the_words_of_an_enum(table):
    enums = [column.name for column in table.columns if isinstance(column.type, EnumText)]
    for each in table.constraints:
        if isinstance(each, CheckConstraint):
            for name in enums:
                listed = re.search(
                    rf"\b{name}\s*(::\w+)?\)?\s*(IN\b|=\s*ANY)", str(each.sqltext), re.IGNORECASE
                )
                assert listed is None, f"{each.name} limits {name}"


@pytest.mark.parametrize(
    ("table", "column"),
    [
        (table, column)
        for table in TABLES.values()
        for column in table.columns
        if isinstance(column.type, EnumText)
    ],
    ids=str,
)
def test_a_word_that_the_code_does_not_know_is_read_as_text_and_never_written(table, column):
    read = column.type.process_result_value("word of a later version", None)
    assert read == "word of a later version"
    for word in column.type.words:
        assert column.type.process_result_value(word.value, None) is word
    with pytest.raises(ValueError, match="later"):
        column.type.process_bind_param("word of a later version", None)


async def test_a_row_with_an_unknown_word_is_loaded(context, shop):
    async with context.engine.begin() as connection:
        await connection.execute(text("UPDATE shops SET platform = 'teleport'"))
    async with context.sessions() as session:
        row = await session.get_one(type(shop), (shop.brand_id, shop.id))
        assert row.platform == "teleport"


def test_index_names_are_unique_and_short_enough_for_the_database():
    names = [
        str(each.name)
        for table in TABLES.values()
        for each in [*table.indexes, *table.constraints]
        if isinstance(each, Index | ForeignKeyConstraint | UniqueConstraint | CheckConstraint)
    ]
    assert len(names) == len(set(names))
    assert max(map(len, names)) <= 63


@pytest.mark.slow
async def test_redemptions_that_are_there_get_the_shop_of_their_order(context, session, brand, shop):
    rows = Rows(session, brand, shop)
    happy = await rows.answer(10)
    code = await rows.code(happy.customer_id, happy.survey_id)
    for _ in range(3):
        await rows.redemption(code)
    await session.commit()
    engine = make_engine(context.database_url, pool_size=1)

    def run(connection: Connection, name: str, target: str) -> None:
        config = schema._config()
        config.attributes["connection"] = connection
        getattr(command, name)(config, target)

    scripts = ScriptDirectory.from_config(schema._config()).walk_revisions()
    [before] = [each.down_revision for each in scripts if each.path.endswith("redemption_shops.py")]
    async with engine.connect() as connection:
        await connection.run_sync(run, "downgrade", before)
        await connection.commit()
        await connection.run_sync(run, "upgrade", "head")
        await connection.commit()
        found = await connection.scalars(text("SELECT DISTINCT shop_id FROM redemptions"))
        assert found.all() == [shop.id]
    await engine.dispose()
