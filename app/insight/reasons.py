"""Why detractors said so: the tags that the team gave their answers."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from app.brands.models import Brand
from app.insight.figures import Counted, read_figure
from app.insight.periods import Period
from app.insight.response_figures import REASONS

MOST = 8
_NAME = """
    (SELECT key, name FROM response_tags WHERE brand_id = :brand AND key = :key{0} ORDER BY response_id LIMIT 1)
"""


@dataclass(frozen=True, slots=True)
class Reason:
    """A tag and the number of detractors' answers of a period that have it."""

    tag: str
    responses: int


async def reasons(
    session: AsyncSession, brand: Brand, period: Period, shop_id: UUID | None = None
) -> list[Reason]:
    """The most frequent tags of detractors' answers in the period, trials left out.

    An answer with several tags counts at each.
    """
    return await reasons_of(session, brand.id, await read_figure(session, brand, REASONS, period, shop_id))


async def reasons_of(session: AsyncSession, brand_id: int, found: Sequence[Counted]) -> list[Reason]:
    """The same, as `REASONS` counts them; a tag is spelled as in the first answer that has it."""
    most = sorted(found, key=lambda row: (-row["responses"], row["key"]))[:MOST]
    if not most:
        return []
    names = await session.execute(
        text(" UNION ALL ".join(_NAME.format(place) for place in range(len(most)))),
        {"brand": brand_id, **{f"key{place}": row["key"] for place, row in enumerate(most)}},
    )
    spelled = {row.key: row.name for row in names}
    return [Reason(spelled.get(row["key"]) or str(row["key"]), row["responses"]) for row in most]
