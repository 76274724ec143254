"""A promoter becomes a referrer: a share slug, one active code, and the offer that tells them of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from app.base.tokens import Tokens
from app.brands.models import Brand


@dataclass(frozen=True, slots=True)
class Promoter:
    """A customer whose latest answer is 9 or 10; without `survey_id` an imported advocate."""

    customer_id: UUID
    shop_id: UUID
    survey_id: UUID | None = None


async def issue_offers(
    session: AsyncSession, tokens: Tokens, brand: Brand, promoters: Sequence[Promoter], *, now: datetime
) -> None:
    """Give each promoter a referrer row, one active code and the offer messages their consent allows, in this transaction.

    Idempotent: who has an active, unexpired code keeps it, and a message about a code is queued once. Nothing is issued while the
    programme does not offer, nor to the holdout share.
    """
