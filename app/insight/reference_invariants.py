"""The invariant of references that no foreign key guards: each leads to a row of its own brand."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from app.base.db import Base
from app.base.tokens import Tokens
from app.insight.invariant_types import ComputedInvariant, ViolatingRow


@dataclass(frozen=True, slots=True)
class Reference:
    """A column that holds the key of a row of another table, within the brand, or null."""

    table: str
    column: str
    parent: str
    at: str = "id"
    """The parent's column."""

    @property
    def query(self) -> str:
        """The rows that refer to none: the brand, then the row's key."""
        keys = [each.name for each in Base.metadata.tables[self.table].primary_key if each.name != "brand_id"]
        within = "" if self.parent == "brands" else f"{self.parent}.brand_id = {self.table}.brand_id AND "
        return f"""
            SELECT brand_id, concat_ws(' ', {", ".join(keys)}) FROM {self.table}
            WHERE {self.column} IS NOT NULL AND NOT EXISTS (
                SELECT FROM {self.parent} WHERE {within}{self.parent}.{self.at} = {self.table}.{self.column})
        """


REFERENCES = (
    Reference("customers", "brand_id", "brands"),
    Reference("customer_references", "shop_id", "shops"),
    Reference("deliveries", "shop_id", "shops"),
    Reference("orders", "shop_id", "shops"),
    Reference("order_facts", "shop_id", "shops"),
    Reference("surveys", "shop_id", "shops"),
    Reference("surveys", "programme_version", "programmes", "version"),
    Reference("messages", "shop_id", "shops"),
    Reference("messages", "customer_id", "customers"),
    Reference("messages", "template_version_id", "template_versions"),
    Reference("attempts", "message_id", "messages"),
)
"""Those of tables that are written by the thousand; see docs/decisions/0024."""


async def _find(session: AsyncSession, _tokens: Tokens) -> Sequence[ViolatingRow]:
    """One query a reference; a row is named by table, column and key, as `orders.shop_id <id>`."""
    violating: list[ViolatingRow] = []
    for each in REFERENCES:
        found = await session.execute(text(each.query))
        violating += sorted((brand_id, f"{each.table}.{each.column} {key}") for brand_id, key in found)
    return violating


INVARIANTS = (
    ComputedInvariant(
        "references_lead_to_rows",
        "every customer, shop, version and message that a row names is there",
        _find,
    ),
)
