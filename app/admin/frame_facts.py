"""What the frame of every screen shows of a brand, by one statement."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import ARRAY, Integer, Text, bindparam, func, select, true

from app.base.prepared import Prepared, Session
from app.brands.models import Brand, Shop
from app.brands.setup import as_text, read_brand, read_shops, shops_as_text
from app.insight.waiting import Waiting, select_in_review, select_open
from app.messaging.models import ProviderAccount


@dataclass(frozen=True, slots=True)
class FrameFacts:
    """A brand, its shops, and what waits for its team.

    The rows belong to no session, are shared by the whole process and never changed.
    """

    brand: Brand
    shops: Mapping[UUID, Shop]
    """By id."""
    in_review: Waiting
    """Friends' orders."""
    open_responses: Waiting
    own_channels: frozenset[str]
    """The channels for which the brand has an account of its own at a provider."""


async def load_frame_facts(session: Session, brand_id: int) -> FrameFacts:
    """The facts of the brand with this number. Raises LookupError where there is none."""
    facts = await _FACTS.first(session, of_brand=brand_id)
    if facts is None:
        raise LookupError(f"there is no brand {brand_id}")
    return facts


def _made(  # the columns of a row
    brand: str,
    shops: str | None,
    channels: list[str] | None,
    orders: int,
    orders_since: datetime | None,
    responses: int,
    responses_since: datetime | None,
) -> FrameFacts:
    return FrameFacts(
        read_brand(brand),
        read_shops(shops or "[]"),
        Waiting(count=orders, since=orders_since),
        Waiting(count=responses, since=responses_since),
        frozenset(channels or ()),
    )


_of_brand = bindparam("of_brand", type_=Integer)
_channels = (
    select(func.array_agg(ProviderAccount.channel, type_=ARRAY(Text)))
    .where(ProviderAccount.brand_id == _of_brand)
    .scalar_subquery()
)
_orders = select_in_review(_of_brand).subquery()
_responses = select_open(_of_brand).subquery()
_FACTS = Prepared(
    select(as_text(Brand), shops_as_text(_of_brand), _channels, *_orders.c, *_responses.c)
    .select_from(Brand)
    .join(_orders, true())
    .join(_responses, true())
    .where(Brand.id == _of_brand),
    _made,
)
