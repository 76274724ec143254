"""Distribution of the tables over several machines by brand, by the extension Citus.

`plan` is pure: what a database has becomes the statements that are missing. So a run that was
interrupted is finished by the next one, and a run over a finished database does nothing.
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import ForeignKeyConstraint, MetaData, text
from sqlalchemy.dialects import postgresql
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from sqlalchemy.schema import AddConstraint, DropConstraint

from app.base import schema
from app.base.errors import AppError

SETTINGS = {
    # Without it tables that have triggers are refused: the append-only ones.
    "citus.enable_unsafe_triggers": "on",
    # Else each new connection takes seconds to read the catalogs past the many shards.
    "citus.override_table_visibility": "off",
}
"""Set for the database, so that every connection has them."""
ROOT = "shops"
"""The first distributed table; all others lie beside it."""
_DIALECT = postgresql.dialect()  # type: ignore[no-untyped-call]  # SQLAlchemy has no types there


class Place(StrEnum):
    """Where the rows of a table are."""

    distributed = "distributed"
    """Spread over the machines by `brand_id`."""
    reference = "reference"
    """All of them on every machine."""


class Kind(StrEnum):
    """What a step does."""

    setting = "setting"
    drop_key = "drop_key"
    reference = "reference"
    distribute = "distribute"
    add_key = "add_key"


@dataclass(frozen=True, slots=True)
class Step:
    """One statement, run in a transaction of its own."""

    kind: Kind
    subject: str
    """A table, or a setting's name."""
    sql: str


@dataclass(frozen=True, slots=True)
class Present:
    """What a database has already."""

    places: Mapping[str, Place]
    """Of the tables that are not local any more."""
    keys: Collection[tuple[str, str]]
    """Foreign keys: table and name."""
    settings: Collection[str]
    """Such as `citus.enable_unsafe_triggers=on`."""


def plan(metadata: MetaData, wanted: Mapping[str, Place], present: Present) -> list[Step]:
    """The statements that put every table of `wanted` in its place, in order.

    Foreign keys that touch a table which still moves are dropped first, and every key of the
    models that is missing is added last: Citus refuses a key to a table that is not there yet.
    """
    tables = [table for table in metadata.sorted_tables if table.name in wanted]
    moving = {table.name for table in tables} - present.places.keys()
    keys = [key for table in tables for key in _sorted_keys(table.foreign_key_constraints)]
    there = [key for key in keys if (key.table.name, key_name(key)) in present.keys]
    dropped = [key for key in there if moving & {key.table.name, key.referred_table.name}]
    steps = [*_settings(present), *(_key_step(Kind.drop_key, key) for key in dropped)]
    for place in (Place.reference, Place.distributed):
        names = [table.name for table in tables if table.name in moving and wanted[table.name] is place]
        steps += [_place_step(name, place) for name in sorted(names, key=lambda name: name != ROOT)]
    missing = [key for key in keys if key not in there or key in dropped]
    return [*steps, *(_key_step(Kind.add_key, key) for key in missing)]


def key_name(key: ForeignKeyConstraint) -> str:
    """The name of a foreign key in the database."""
    return str(_DIALECT.identifier_preparer.format_constraint(key)).strip('"')


def _sorted_keys(keys: Collection[ForeignKeyConstraint]) -> list[ForeignKeyConstraint]:
    return sorted(keys, key=key_name)


def _settings(present: Present) -> Iterator[Step]:
    for name, value in SETTINGS.items():
        if f"{name}={value}" not in present.settings:
            alter = f"EXECUTE format('ALTER DATABASE %I SET {name} = ''{value}''', current_database());"
            yield Step(Kind.setting, name, f"DO $$ BEGIN {alter} END $$")


def _place_step(name: str, place: Place) -> Step:
    if place is Place.reference:
        return Step(Kind.reference, name, f"SELECT create_reference_table('{name}')")
    beside = "none" if name == ROOT else ROOT
    call = f"create_distributed_table('{name}', 'brand_id', colocate_with => '{beside}')"
    return Step(Kind.distribute, name, f"SELECT {call}")


def _key_step(kind: Kind, key: ForeignKeyConstraint) -> Step:
    ddl = AddConstraint(key, isolate_from_table=False) if kind is Kind.add_key else DropConstraint(key)
    return Step(kind, key.table.name, str(ddl.compile(dialect=_DIALECT)).strip())


_EXTENSION = text("SELECT 1 FROM pg_extension WHERE extname = 'citus'")
_PLACES = text("""
    SELECT pg_class.relname AS name, citus_tables.citus_table_type AS kind,
        citus_tables.distribution_column AS by, citus_tables.colocation_id AS colocation
    FROM citus_tables JOIN pg_class ON pg_class.oid = citus_tables.table_name
    WHERE pg_class.relnamespace = current_schema()::regnamespace
""")
_KEYS = text("""
    SELECT pg_class.relname AS table, pg_constraint.conname AS name
    FROM pg_constraint JOIN pg_class ON pg_class.oid = pg_constraint.conrelid
    WHERE pg_constraint.contype = 'f' AND pg_class.relnamespace = current_schema()::regnamespace
""")
_SETTINGS = text("""
    SELECT setconfig FROM pg_db_role_setting WHERE setrole = 0
        AND setdatabase = (SELECT oid FROM pg_database WHERE datname = current_database())
""")


async def read_present(connection: AsyncConnection, wanted: Mapping[str, Place]) -> Present:
    """What the database has.

    Raises `AppError`: `no_citus` without the extension, `placed_otherwise` where a table is
    distributed, but not as `wanted`.
    """
    if await connection.scalar(_EXTENSION) is None:
        raise AppError(
            "no_citus",
            "The database has no extension Citus, so there are no machines to distribute tables over;"
            " install it on every machine and run: CREATE EXTENSION citus",
        )
    places: dict[str, Place] = {}
    colocations: dict[str, int] = {}
    for row in await connection.execute(_PLACES):
        if row.name not in wanted or row.kind not in set(Place):
            continue
        places[row.name] = Place(row.kind)
        colocations |= {row.name: row.colocation} if row.kind == Place.distributed else {}
        wrong_column = row.kind == Place.distributed and row.by != "brand_id"
        if wrong_column or places[row.name] is not wanted[row.name]:
            raise AppError("placed_otherwise", f"The table {row.name} is {row.kind} already, by {row.by}.")
    if len(set(colocations.values())) > 1:
        raise AppError("placed_otherwise", "Some tables are distributed, but not beside the others.")
    keys = {(row.table, row.name) for row in await connection.execute(_KEYS)}
    settings = {each for row in await connection.scalars(_SETTINGS) for each in row}
    return Present(places, keys, settings)


async def distribution_problems(
    connection: AsyncConnection, metadata: MetaData, wanted: Mapping[str, Place]
) -> list[str]:
    """What is missing of a distribution that was begun, as sentences; none where none was."""
    if await connection.scalar(_EXTENSION) is None:
        return []
    try:
        present = await read_present(connection, wanted)
    except AppError as error:
        return [error.detail]
    if not present.places or not plan(metadata, wanted, present):
        return []
    return ["Some tables are not distributed like the others, or keys are missing. Run: tenfold distribute"]


async def distribute(
    engine: AsyncEngine,
    metadata: MetaData,
    wanted: Mapping[str, Place],
    *,
    filled_too: bool = False,
    report: Callable[[Step], None] = lambda _step: None,
) -> list[Step]:
    """Distribute the tables; returns the steps that were missing, each reported before it runs.

    Rows that the tables have go with them; nobody may write meanwhile. Raises `AppError`, as
    `read_present` does and: `busy` beside another run or a migration, `newer_schema`, `has_rows`
    for tables with rows unless `filled_too`, `not_distributed` where the database refuses a step:
    the steps before it are kept, and the next run goes on from there.
    """
    async with engine.connect() as opened:
        connection = await opened.execution_options(isolation_level="AUTOCOMMIT")
        lock = {"key": schema.MIGRATION_LOCK}
        if not await connection.scalar(text("SELECT pg_try_advisory_lock(:key)"), lock):
            raise AppError("busy", "A migration or another `tenfold distribute` runs; try again later.")
        try:
            steps = await _missing(connection, metadata, wanted, filled_too=filled_too)
            for name, value in SETTINGS.items() if steps else ():
                # What the database is set to holds for later connections only.
                await connection.execute(text(f"SET {name} = '{value}'"))
            for step in steps:
                report(step)
                await _run(connection, step)
        finally:
            await connection.execute(text("SELECT pg_advisory_unlock(:key)"), lock)
    return steps


async def _missing(
    connection: AsyncConnection, metadata: MetaData, wanted: Mapping[str, Place], *, filled_too: bool
) -> list[Step]:
    if await schema.is_newer(connection):
        raise AppError("newer_schema", "The schema is of a newer version; use the command of that version.")
    present = await read_present(connection, wanted)
    moves = wanted.keys() - present.places.keys()
    if moves and not filled_too and await connection.scalar(text("SELECT EXISTS (SELECT FROM brands)")):
        raise AppError(
            "has_rows",
            "The database has brands, and nothing may be written while their rows are moved. Stop every"
            " web and worker process, make a backup, and run: tenfold distribute --yes",
        )
    return plan(metadata, wanted, present)


async def _run(connection: AsyncConnection, step: Step) -> None:
    try:
        await connection.execute(text(step.sql))
    except DBAPIError as error:
        cause = str(error.orig).rsplit(">: ", 1)[-1].splitlines()[0]
        raise AppError(
            "not_distributed",
            f"The database refused a step ({step.kind} {step.subject}): {cause}. What was done before is"
            " kept; once the cause is gone run the command again.",
        ) from error
