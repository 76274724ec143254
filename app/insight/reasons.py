"""Why detractors said so: the tags that the team gave their answers."""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from app.insight.periods import Period, binds, within
from app.surveys.models import COUNTS

MOST = 8
_OF_SHOP = """JOIN surveys ON surveys.brand_id = tags.brand_id AND surveys.id = responses.survey_id
    AND surveys.shop_id = :shop"""


@dataclass(frozen=True, slots=True)
class Reason:
    """A tag and the number of detractors' answers of a period that have it."""

    tag: str
    responses: int


async def reasons(
    session: AsyncSession, brand_id: int, period: Period, shop_id: UUID | None = None
) -> list[Reason]:
    """The most frequent tags of detractors' answers in the period, trials left out.

    An answer with several tags counts at each. It reads what was tagged, not every answer.
    """
    rows = await session.execute(
        text(f"""
            SELECT min(tags.name) AS tag, count(*) AS responses FROM response_tags AS tags
            JOIN responses ON responses.brand_id = tags.brand_id AND responses.id = tags.response_id
            {"" if shop_id is None else _OF_SHOP}
            WHERE tags.brand_id = :brand AND responses.score <= 6 AND {COUNTS.format("responses")}
                AND {within("responses.answered_at", period)}
            GROUP BY tags.key ORDER BY count(*) DESC, tags.key LIMIT {MOST}
        """),
        {**binds(brand_id, period), "shop": shop_id},
    )
    return [Reason(**row) for row in rows.mappings()]
