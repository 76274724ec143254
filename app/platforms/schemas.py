"""What the API shows of a connection; never a credential."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Self

from pydantic import Field

from app.base.schemas import ApiModel
from app.brands.models import Shop
from app.platforms.models import ShopConnection


class ConnectionShape(ApiModel):
    """A shop's connection to its platform, with what the last check found."""

    shop: str
    platform: str
    account: str
    credentials: list[str] = Field(description="Their names; what they are is never shown.")
    connected_at: datetime
    checked_at: datetime | None = Field(description="Null until the first check, within seconds.")
    webhooks: list[str] = Field(description="The topics that the platform delivers to us.")
    problems: list[str] = Field(description="What is missing, and where to correct it.")
    notes: list[str] = Field(description="What to know or to set by hand.")
    codes: list[str] = Field(description="What is amiss with its codes; the last check of them included.")

    @classmethod
    def of(cls, shop: Shop, row: ShopConnection, credentials: Collection[str], codes: Sequence[str]) -> Self:
        """The schema of a connection; `credentials` are the names of those it has.

        `codes` are the problems of the shop's codes.
        """
        return cls(
            shop=shop.slug,
            platform=shop.platform,
            account=row.account,
            credentials=sorted(credentials),
            connected_at=row.updated_at,
            checked_at=row.checked_at,
            webhooks=row.webhooks,
            problems=row.problems,
            notes=row.notes,
            codes=list(codes),
        )
