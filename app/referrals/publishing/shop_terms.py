"""Names the codes of one shop under the same terms: they share a discount, a pool and a check."""

from dataclasses import dataclass
from uuid import UUID


@dataclass(frozen=True, slots=True)
class ShopTerms:
    """A shop of a brand, and offer terms of the brand."""

    brand_id: int
    shop_id: UUID
    terms_id: UUID
