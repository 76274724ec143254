"""A reward's code as a shop's platform is to have it: for one customer, and for so many uses."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID


@dataclass(frozen=True, slots=True)
class RewardCode:
    """A code that its owner spends in the shop."""

    reward_id: UUID
    """Marks the code in the shop as ours, and as this reward's."""
    code: str
    """As its owner enters it; no other code of the shop's is like it."""
    amount: Decimal
    """Major units of `currency`, more than 0."""
    currency: str
    uses: int
    """How often it may be used in all: once more than it was, as far as we know."""
    expires_at: datetime
    email: str | None
    customer_id: str | None
    """The owner's id at the platform. Without it and without an address anybody may spend the code,
    who knows it."""

    @property
    def title(self) -> str:
        """For the people who run the shop."""
        return f"Tenfold: reward ({self.reward_id.hex[-6:]})"
