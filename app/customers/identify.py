"""Which customer of the brand a shop speaks of: found or made, for a whole batch at once."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from app.brands.models import Brand, Shop
from app.customers.contact import Person


async def identify(
    session: AsyncSession, brand: Brand, shop: Shop, people: Sequence[Person], *, now: datetime
) -> list[UUID | None]:
    """One customer a person, in order; None for a person with neither e-mail, phone nor an id."""
    raise NotImplementedError
