"""One clock for the whole demo: web requests, new ids and the database's times are simulated too.

So answers lie weeks back, charts have weeks, and a person's page runs in order.
"""

from datetime import datetime

from sqlalchemy import text

from app.base import clock
from app.base.context import AppContext
from app.base.db import Base
from app.base.ids import date_ids_by

_DATED = (
    "brands",
    "shops",
    "shop_connections",
    "programmes",
    "customers",
    "orders",
    "surveys",
    "messages",
    "referrers",
    "codes",
    "redemptions",
    "rewards",
    "visits",
    "ledger_entries",
)
"""Tables whose rows people see with the time they were written, or which decide by it.

How long an offer took is measured by rows of the others, which keep the database's own time.
"""


class SharedClock:
    """Sets the time of this process and of the demo's database."""

    def __init__(self, context: AppContext) -> None:
        self._context = context

    async def start(self, moment: datetime) -> None:
        """Begin at this moment."""
        async with self._context.engine.begin() as connection:
            await connection.execute(text("CREATE TABLE demo_clock (shift interval NOT NULL)"))
            await connection.execute(text("INSERT INTO demo_clock VALUES ('0')"))
            await connection.execute(
                text(
                    "CREATE FUNCTION demo_now() RETURNS timestamptz LANGUAGE sql VOLATILE AS"
                    " 'SELECT clock_timestamp() + shift FROM demo_clock'"
                )
            )
            for table in _dated_tables():
                await connection.execute(
                    text(f"ALTER TABLE {table} ALTER COLUMN created_at SET DEFAULT demo_now()")
                )
        date_ids_by(clock.now)
        await self.set(moment)

    async def set(self, moment: datetime) -> None:
        """Go on from this moment."""
        shift = clock.shift_to(moment)
        async with self._context.engine.begin() as connection:
            await connection.execute(text("UPDATE demo_clock SET shift = :shift"), {"shift": shift})

    async def end(self) -> None:
        """Return to the wall clock, and leave the schema as it was."""
        clock.shift_to(None)
        date_ids_by(None)
        async with self._context.engine.begin() as connection:
            for table in _dated_tables():
                await connection.execute(
                    text(f"ALTER TABLE {table} ALTER COLUMN created_at SET DEFAULT clock_timestamp()")
                )
            await connection.execute(text("DROP FUNCTION demo_now()"))
            await connection.execute(text("DROP TABLE demo_clock"))


def _dated_tables() -> list[str]:
    return [name for name in _DATED if "created_at" in Base.metadata.tables[name].c]
