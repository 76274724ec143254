"""What the API shows of a connection; never a credential."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Self

from pydantic import Field

from app.base.schemas import ApiModel
from app.brands.models import Shop
from app.brands.schemas import ShopShape
from app.platforms.models import ShopConnection
from app.platforms.protocol import PlatformAdapter


class CreatedShop(ShopShape):
    """A shop that was just added, with where it delivers to."""

    hooks: dict[str, str] = Field(description="By platform, where deliveries come to.")
    webhook_secret: str | None = Field(
        description="Signs its deliveries; shown this once. Null where it was given."
    )


class PlatformShape(ApiModel):
    """What a platform can do in a shop that is connected."""

    platform: str
    account_hint: str = Field(description="How a shop's account looks; empty where it is not called.")
    credentials: list[list[str]] = Field(description="The names of what a connection needs: one of these.")
    publishes_codes: bool = Field(description="Whether codes are put into the shop's own cart.")
    lists_orders: bool = Field(description="Whether its orders can be read, so that none is missed.")
    credit: str | None = Field(description="How it holds credit: `account`, `coupon`, or null for not.")
    settings: list[str] = Field(description="The names of what a shop may set of it.")

    @classmethod
    def of(cls, name: str, adapter: PlatformAdapter) -> Self:
        """The schema of a platform."""
        return cls(
            platform=name,
            account_hint=adapter.account_hint,
            credentials=[list(each) for each in adapter.credentials],
            publishes_codes=adapter.publishes_codes,
            lists_orders=adapter.lists_orders,
            credit=adapter.credit,
            settings=list(adapter.settings.model_fields),
        )


class ConnectionShape(ApiModel):
    """A shop's connection to its platform, with what the last check found."""

    shop: str
    platform: str
    account: str
    credentials: list[str] = Field(description="Their names; what they are is never shown.")
    connected_at: datetime
    checked_at: datetime | None = Field(description="Null while a check is awaited, for seconds.")
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
