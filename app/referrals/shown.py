"""What pages read of a code and of its referrer, without loading the rows as entities."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple
from uuid import UUID

from app.base.db import Base
from app.brands.programme import DiscountKind
from app.referrals.models import Code, Referrer
from app.referrals.rules import KindReason, RedemptionStatus, RefusalReason, RewardStatus


class ShownCode(NamedTuple):
    """Columns of a code."""

    brand_id: int
    id: UUID
    referrer_id: UUID
    display: str
    redeemable: bool
    terms_id: UUID
    discount_kind: DiscountKind
    discount_value: Decimal
    currency: str
    minimum_subtotal: Decimal | None
    max_uses: int
    uses: int
    expires_at: datetime
    disabled_at: datetime | None


class ShownReferrer(NamedTuple):
    """Columns of a referrer."""

    id: UUID
    customer_id: UUID | None
    slug: str


class ShownRedemption(NamedTuple):
    """Columns of a redemption."""

    status: RedemptionStatus
    reason: str | None
    hold_until: datetime | None


class ShownReward(NamedTuple):
    """Columns of a reward."""

    status: RewardStatus
    reason: RefusalReason | None
    amount: int
    net_amount: int
    currency: str
    frozen: bool
    expires_at: datetime | None
    code_id: UUID | None
    kind_reason: KindReason | None


AnyCode = Code | ShownCode
AnyReferrer = Referrer | ShownReferrer


def columns_of(model: type[Base], shown: type[NamedTuple]) -> tuple[Any, ...]:
    """The columns of a type above, to select, in the order of its fields."""
    return tuple(getattr(model, name) for name in shown._fields)


def read_code(values: Sequence[object]) -> ShownCode | None:
    """The code of these values; None for an outer join that found none."""
    return None if values[0] is None else ShownCode._make(values)
