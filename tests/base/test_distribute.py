"""Distribution over several machines. There is no Citus here: the tests declare its functions as
strict stand-ins, which refuse what Citus refuses; every other statement is run as it is."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import text

from app.base.db import Base
from app.base.distribute import (
    SETTINGS,
    Kind,
    Place,
    Present,
    distribute,
    distribution_problems,
    key_name,
    plan,
)
from app.base.errors import AppError
from app.base.schema import MIGRATION_LOCK
from app.models import DISTRIBUTED, PLACES, REFERENCE

NOTHING = Present({}, set(), set())
KEYS = {
    (table.name, key_name(key))
    for table in Base.metadata.tables.values()
    for key in table.foreign_key_constraints
}
EXTENSION = """
    INSERT INTO pg_extension (oid, extname, extowner, extnamespace, extrelocatable, extversion)
    VALUES (99999, 'citus', 10, 11, false, 'of a test')
"""
STAND_INS = (
    EXTENSION,
    "CREATE SCHEMA citus_of_tests",
    "CREATE TABLE citus_of_tests.placed (id regclass PRIMARY KEY, kind text, by text, colocation int)",
    "CREATE TABLE citus_of_tests.refused (id regclass)",
    """
    CREATE VIEW citus_tables AS SELECT id AS table_name, kind AS citus_table_type,
        by AS distribution_column, colocation AS colocation_id FROM citus_of_tests.placed
    """,
    """
    CREATE FUNCTION citus_of_tests.place(moved regclass, kind text, by text, colocation int) RETURNS void
    LANGUAGE plpgsql AS $$
    DECLARE bad text;
    BEGIN
        IF EXISTS (SELECT FROM citus_of_tests.refused WHERE id = moved) THEN
            RAISE EXCEPTION 'a machine is away';
        END IF;
        IF EXISTS (SELECT FROM citus_of_tests.placed WHERE id = moved) THEN
            RAISE EXCEPTION 'table % is already distributed', moved;
        END IF;
        SELECT conname INTO bad FROM pg_constraint WHERE contype = 'f' AND moved IN (conrelid, confrelid);
        IF bad IS NOT NULL THEN RAISE EXCEPTION 'key % is in the way of %', bad, moved; END IF;
        IF EXISTS (SELECT FROM pg_trigger WHERE tgrelid = moved AND NOT tgisinternal)
            AND current_setting('citus.enable_unsafe_triggers', true) IS DISTINCT FROM 'on' THEN
            RAISE EXCEPTION 'triggers are not supported on distributed tables';
        END IF;
        INSERT INTO citus_of_tests.placed VALUES (moved, kind, by, colocation);
    END $$
    """,
    """
    CREATE FUNCTION create_reference_table(table_name regclass) RETURNS void LANGUAGE sql AS $$
        SELECT citus_of_tests.place(table_name, 'reference', '<none>', 1)
    $$
    """,
    """
    CREATE FUNCTION create_distributed_table(
        table_name regclass, distribution_column text, distribution_type text DEFAULT 'hash',
        colocate_with text DEFAULT 'default', shard_count int DEFAULT NULL
    ) RETURNS void LANGUAGE plpgsql AS $$
    DECLARE
        number int; bad text; beside int := 2;
    BEGIN
        SELECT attnum INTO STRICT number FROM pg_attribute
        WHERE attrelid = table_name AND attname = distribution_column AND attnotnull;
        SELECT indexrelid::regclass::text INTO bad FROM pg_index
        WHERE indrelid = table_name AND indisunique AND NOT number = ANY (indkey);
        IF bad IS NOT NULL THEN RAISE EXCEPTION 'the unique index % has no %', bad, distribution_column; END IF;
        IF colocate_with <> 'none' THEN
            SELECT colocation INTO STRICT beside FROM citus_of_tests.placed
            WHERE id = colocate_with::regclass AND kind = 'distributed';
        END IF;
        PERFORM citus_of_tests.place(table_name, 'distributed', distribution_column, beside);
    END $$
    """,
    """
    CREATE FUNCTION citus_of_tests.check_keys() RETURNS event_trigger LANGUAGE plpgsql AS $$
    DECLARE bad text;
    BEGIN
        IF current_query() NOT LIKE '%ADD CONSTRAINT%' THEN RETURN; END IF;
        SELECT conname INTO bad FROM pg_constraint
        LEFT JOIN citus_of_tests.placed AS ours ON ours.id = conrelid
        LEFT JOIN citus_of_tests.placed AS theirs ON theirs.id = confrelid
        WHERE contype = 'f' AND connamespace = 'public'::regnamespace
            AND (ours.kind IS DISTINCT FROM theirs.kind)
            AND NOT (ours.kind = 'distributed' AND theirs.kind IS NOT DISTINCT FROM 'reference');
        IF bad IS NOT NULL THEN RAISE EXCEPTION 'key % leads to a table that is elsewhere', bad; END IF;
    END $$
    """,
    """
    CREATE EVENT TRIGGER check_keys ON ddl_command_end WHEN TAG IN ('ALTER TABLE')
    EXECUTE FUNCTION citus_of_tests.check_keys()
    """,
)


async def keys_of(engine):
    query = """
        SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid), convalidated
        FROM pg_constraint WHERE contype = 'f' AND connamespace = 'public'::regnamespace
    """
    async with engine.connect() as connection:
        return {tuple(row) for row in await connection.execute(text(query))}


async def placed(engine):
    async with engine.connect() as connection:
        rows = await connection.execute(text("SELECT id::text, kind, by FROM citus_of_tests.placed"))
        return {row.id: (row.kind, row.by) for row in rows}


async def execute(engine, *statements):
    async with engine.begin() as connection:
        for each in statements:
            await connection.execute(text(each))


@pytest.fixture
async def cluster(engine):
    """The test's database, as if it had the extension."""
    await execute(engine, *STAND_INS)
    return engine


async def run(engine, **options):
    return await distribute(engine, Base.metadata, PLACES, **options)


def subjects(steps, kind):
    return [step.subject for step in steps if step.kind is kind]


def test_the_plan_places_every_table_once_in_an_order_that_works():
    steps = plan(Base.metadata, PLACES, NOTHING)
    assert sorted(subjects(steps, Kind.reference)) == sorted(REFERENCE)
    distributed = subjects(steps, Kind.distribute)
    assert sorted(distributed) == sorted(DISTRIBUTED)
    assert distributed[0] == "shops"
    order = [step.kind for step in steps]
    assert order == sorted(order, key=list(Kind).index)
    assert len(subjects(steps, Kind.add_key)) == len(KEYS)


def test_every_key_that_is_dropped_is_added_again():
    steps = plan(Base.metadata, PLACES, Present({}, KEYS, set()))
    assert subjects(steps, Kind.drop_key) == subjects(steps, Kind.add_key)
    assert len(subjects(steps, Kind.drop_key)) == len(KEYS)


def test_a_finished_database_needs_nothing():
    settings = {f"{name}={value}" for name, value in SETTINGS.items()}
    assert plan(Base.metadata, PLACES, Present(PLACES, KEYS, settings)) == []


def test_a_table_of_a_later_version_moves_alone():
    settings = {f"{name}={value}" for name, value in SETTINGS.items()}
    places = {name: place for name, place in PLACES.items() if name != "outbox"}
    steps = plan(Base.metadata, PLACES, Present(places, KEYS, settings))
    assert [(step.kind, step.subject) for step in steps] == [
        (Kind.drop_key, "outbox"),
        (Kind.distribute, "outbox"),
        (Kind.add_key, "outbox"),
    ]


async def test_a_database_is_distributed_with_the_same_keys_as_before(cluster):
    before = await keys_of(cluster)
    assert {key[:2] for key in before} == KEYS
    steps = await run(cluster)
    assert await keys_of(cluster) == before
    assert await placed(cluster) == {
        name: ("distributed", "brand_id") if place is Place.distributed else ("reference", "<none>")
        for name, place in PLACES.items()
    }
    assert len(subjects(steps, Kind.drop_key)) == len(KEYS)
    assert await run(cluster) == []


async def test_later_connections_have_the_settings(cluster):
    await run(cluster)
    await cluster.dispose()
    async with cluster.connect() as connection:
        for name, value in SETTINGS.items():
            assert await connection.scalar(text(f"SHOW {name}")) == value


@pytest.mark.parametrize("table", ["brands", "shops", "orders", "withheld_offers"])
async def test_a_run_that_broke_off_is_finished_by_the_next_one(cluster, table):
    before = await keys_of(cluster)
    await execute(cluster, f"INSERT INTO citus_of_tests.refused VALUES ('{table}')")
    with pytest.raises(AppError, match=f"{table}.*a machine is away") as refused:
        await run(cluster)
    assert refused.value.code == "not_distributed"
    await execute(cluster, "DELETE FROM citus_of_tests.refused")
    steps = await run(cluster)
    assert await keys_of(cluster) == before
    assert (await placed(cluster)).keys() == PLACES.keys()
    assert table in [*subjects(steps, Kind.reference), *subjects(steps, Kind.distribute)]
    assert await run(cluster) == []


async def test_the_stand_ins_refuse_a_key_between_tables_in_different_places(cluster):
    await run(cluster)
    for table, other in (("shop_slugs", "shops"), ("orders", "installations")):
        with pytest.raises(Exception, match="leads to a table that is elsewhere"):
            await execute(
                cluster,
                f"ALTER TABLE {table} ADD COLUMN z int",
                f"ALTER TABLE {other} ADD COLUMN y int UNIQUE",
                f"ALTER TABLE {table} ADD CONSTRAINT wrong FOREIGN KEY (z) REFERENCES {other} (y)",
            )


@pytest.mark.parametrize(
    ("call", "refusal"),
    [
        ("create_reference_table('brands')", "is in the way"),
        ("create_distributed_table('brands', 'brand_id')", "no rows"),
        ("create_distributed_table('nobody', 'brand_id')", "does not exist"),
        ("create_distributed_table('shop_slugs', 'brand_id')", "unique index"),
        ("create_distributed_table('idempotency_keys', 'brand_id', colocate_with => 'shops')", "no rows"),
    ],
)
async def test_the_stand_ins_are_strict(cluster, call, refusal):
    with pytest.raises(Exception, match=refusal):
        await execute(cluster, f"SELECT {call}")


async def test_a_distribution_that_is_not_finished_is_a_problem_for_the_doctor(cluster):
    async def found():
        async with cluster.connect() as connection:
            return await distribution_problems(connection, Base.metadata, PLACES)

    assert await found() == []
    await run(cluster)
    assert await found() == []
    await execute(cluster, "DELETE FROM citus_of_tests.placed WHERE id = 'visits'::regclass")
    (problem,) = await found()
    assert "tenfold distribute" in problem
    await run(cluster)
    assert await found() == []


async def test_without_the_extension_it_is_one_sentence(engine):
    with pytest.raises(AppError, match="CREATE EXTENSION citus") as refused:
        await run(engine)
    assert refused.value.code == "no_citus"


async def test_a_filled_database_is_moved_only_when_it_is_asked_for(cluster, brand, shop):
    with pytest.raises(AppError, match="--yes") as refused:
        await run(cluster)
    assert refused.value.code == "has_rows"
    assert await placed(cluster) == {}
    assert {key[:2] for key in await keys_of(cluster)} == KEYS
    assert await run(cluster, filled_too=True)
    assert await run(cluster) == []


@pytest.mark.parametrize(
    "row", ["'orders', 'reference', '<none>', 1", "'orders', 'distributed', 'shop_id', 7"]
)
async def test_a_table_that_is_distributed_otherwise_is_left_alone(cluster, row):
    await execute(cluster, f"INSERT INTO citus_of_tests.placed VALUES ({row})")
    with pytest.raises(AppError, match="orders") as refused:
        await run(cluster)
    assert refused.value.code == "placed_otherwise"
    assert len(await placed(cluster)) == 1


async def test_tables_apart_from_each_other_are_refused(cluster):
    await execute(
        cluster,
        "INSERT INTO citus_of_tests.placed VALUES ('shops', 'distributed', 'brand_id', 7),"
        " ('orders', 'distributed', 'brand_id', 8)",
    )
    with pytest.raises(AppError, match="not beside"):
        await run(cluster)


async def test_it_does_not_run_beside_a_migration(cluster):
    async with cluster.connect() as connection:
        await connection.execute(text("SELECT pg_advisory_lock(:key)"), {"key": MIGRATION_LOCK})
        with pytest.raises(AppError, match="later") as refused:
            await run(cluster)
    assert refused.value.code == "busy"


async def test_a_schema_of_a_newer_version_is_left_alone(cluster):
    await execute(cluster, "UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(AppError, match="newer"):
        await run(cluster)
    assert await placed(cluster) == {}


@pytest.mark.slow
def test_the_command_prints_what_it_changed(cluster, settings, database_url):
    done = subprocess.run(
        [Path(sys.executable).parent / "tenfold", "distribute"],
        env={
            "PATH": os.environ["PATH"],
            "TENFOLD_DATABASE_URL": database_url,
            "TENFOLD_SECRET_KEY": settings.secret_key.get_secret_value(),
            "TENFOLD_HOME": str(settings.home),
        },
        cwd=settings.home,
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    assert json.loads(done.stdout) == {
        "distributed": len(DISTRIBUTED),
        "reference": len(REFERENCE),
        "keys_added": len(KEYS),
        "settings": len(SETTINGS),
    }
    assert done.stderr == ""
