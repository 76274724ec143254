"""The table of rewards' codes in connected shops: what each shop has, and what is to be done."""

from uuid import UUID

from sqlalchemy import ColumnElement, ForeignKeyConstraint, Index, Integer, case, text
from sqlalchemy.orm import Mapped, mapped_column

from app.base.db import Base, BrandKey, Created, Minor, Moment
from app.referrals.models import Code

PLACING_SWEEP = "reward-placements"
"""The name of the sweep that calls the platforms."""


class RewardPlacement(Base):
    """A reward's code in the one shop where its owner spends it.

    What the shop must have follows from the reward (`rules.wanted_amount`); the row says
    what it has. So a step is never made twice: the code is its key in the shop.
    """

    __tablename__ = "reward_placements"
    __table_args__ = (
        ForeignKeyConstraint(["brand_id", "reward_id"], ["rewards.brand_id", "rewards.id"]),
        ForeignKeyConstraint(["brand_id", "shop_id"], ["shops.brand_id", "shops.id"]),
        Index(
            "ix_reward_placements_due",
            "brand_id",
            "due_at",
            postgresql_where=text("due_at IS NOT NULL"),
        ),
    )

    brand_id: Mapped[BrandKey]
    reward_id: Mapped[UUID] = mapped_column(primary_key=True)
    shop_id: Mapped[UUID]
    code: Mapped[str]
    """As the shop knows it; random, so it names nobody."""
    uses: Mapped[int] = mapped_column(Integer, default=1)
    """How often the shop lets it be used: once more after each cancellation that gave it back."""
    placed: Mapped[Minor | None]
    """What the code is worth in the shop, in the reward's currency; None where it is not there."""
    remote_id: Mapped[str | None]
    """The platform's own id of it."""
    revision: Mapped[int] = mapped_column(Integer, default=0)
    """Raised by each change of the reward: an outcome of before leaves the row due."""
    attempt: Mapped[int] = mapped_column(Integer, default=0)
    """How often the platform was called in a row without success. An outcome counts for its own
    attempt alone."""
    due_at: Mapped[Moment | None]
    """When the platform is called next; None where the shop has what it must have."""
    live_at: Mapped[Moment | None]
    """When it first worked in the shop, and its owner was told."""
    reason: Mapped[str | None]
    """Why the last call failed, in a sentence for people."""
    created_at: Mapped[Created]


def working_code() -> ColumnElement[str | None]:
    """A reward's code as shown, for statements that join `Code` and its placement, if any.

    None until the connected shop knows it.
    """
    works = RewardPlacement.reward_id.is_(None) | RewardPlacement.live_at.is_not(None)
    return case((works, Code.display))
