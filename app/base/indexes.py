"""Indexes of tables that are in use, for migrations: built while everybody goes on writing."""

from alembic import op

from app.base.schema import LOCK_MILLISECONDS


def add_index(name: str, on: str) -> None:
    """Build an index on a table and its columns, as `orders (brand_id, id) WHERE test`.

    It ends the migration's transaction, and the migration is run again from its start where this
    fails: what is done before must bear being done twice. What a failed build left is replaced.
    """
    _alone(f"DROP INDEX CONCURRENTLY IF EXISTS {name}", f"CREATE INDEX CONCURRENTLY {name} ON {on}")


def remove_index(name: str) -> None:
    """Remove an index while everybody goes on writing; nothing where it is gone."""
    _alone(f"DROP INDEX CONCURRENTLY IF EXISTS {name}")


def _alone(*statements: str) -> None:
    """Run statements outside of a transaction.

    They hold nobody up, but wait until the transactions that write now are over: without a limit,
    since a build that was given up has to begin anew.
    """
    with op.get_context().autocommit_block():
        op.execute("SET lock_timeout = 0")
        for statement in statements:
            op.execute(statement)
        op.execute(f"SET lock_timeout = {LOCK_MILLISECONDS}")
