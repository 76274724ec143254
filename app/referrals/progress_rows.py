"""What a referrer's own page reads: one statement for the page, one for the list of orders."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import Integer, ScalarSelect, Select, Uuid, bindparam, cast, func, select, type_coerce
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import aliased

from app.base.prepared import Prepared
from app.brands.models import Brand
from app.brands.setup import as_text, read_brand
from app.customers.models import Customer
from app.orders.models import Order
from app.referrals.code_state import in_home_shop
from app.referrals.credit_lines import CreditRow, select_credit
from app.referrals.goodwill_shown import GoodwillRow, select_goodwill
from app.referrals.models import Code, Redemption, Referrer
from app.referrals.placing.models import RewardPlacement, working_code
from app.referrals.publishing.models import CodePublication
from app.referrals.reward_models import Reward
from app.referrals.rules import EARNED, CodeKind, PublicationState
from app.referrals.shown import (
    ShownCode,
    ShownRedemption,
    ShownReferrer,
    ShownReward,
    columns_of,
    read_code,
)
from app.referrals.visit_models import Visit, VisitCount

SHOWN = 50
"""Friends' orders on the page, the newest first."""
_BRAND_ID = bindparam("brand_id", type_=Integer)
_REFERRER_ID = bindparam("referrer_id", type_=Uuid)


def _page() -> Select[Any]:
    """Everything of the page but the list of orders, in one statement.

    The code is the present share code, else the last one there was.
    """
    return (
        select(
            as_text(Brand),
            Customer.first_name,
            Customer.locale,
            Customer.country,
            CodePublication.state,
            (_count(Visit) + _counted_visits()).label("clicks"),
            _count(Redemption).label("uses"),
            type_coerce(_earned(), JSONB).label("earned"),
            type_coerce(select_credit(_BRAND_ID, _REFERRER_ID), JSONB).label("credit"),
            type_coerce(select_goodwill(_BRAND_ID, _REFERRER_ID), JSONB).label("goodwill"),
            *columns_of(Referrer, ShownReferrer),
            *columns_of(Code, ShownCode),
        )
        .select_from(Referrer)
        .join(Brand, Brand.id == Referrer.brand_id)
        .outerjoin(Customer, (Customer.brand_id == Referrer.brand_id) & (Customer.id == Referrer.customer_id))
        .outerjoin(Code, (Code.brand_id == Referrer.brand_id) & (Code.id == _latest_code()))
        .outerjoin(CodePublication, in_home_shop())
        .where(
            Referrer.brand_id == _BRAND_ID,
            Referrer.id == _REFERRER_ID,
            Referrer.revoked_at.is_(None),
            Customer.erased_at.is_(None),
        )
    )


def _latest_code() -> ScalarSelect[UUID]:
    other = aliased(Code)
    return (
        select(other.id)
        .where(other.brand_id == _BRAND_ID, other.referrer_id == _REFERRER_ID, other.kind == CodeKind.share)
        .order_by(other.active.desc(), other.id.desc())
        .limit(1)
        .scalar_subquery()
    )


def _count(table: type[Visit | Redemption]) -> ScalarSelect[int]:
    theirs = select(func.count()).where(table.brand_id == _BRAND_ID, table.referrer_id == _REFERRER_ID)
    return theirs.scalar_subquery()


def _counted_visits() -> ScalarSelect[int]:
    """Those of days whose visits are deleted."""
    return (
        select(func.coalesce(func.sum(VisitCount.visits), 0))
        .where(VisitCount.brand_id == _BRAND_ID, VisitCount.referrer_id == _REFERRER_ID)
        .scalar_subquery()
    )


def _earned() -> ScalarSelect[dict[str, int]]:
    """Minor units by currency."""
    sums = (
        select(Reward.currency, func.sum(Reward.net_amount).label("total"))
        .where(
            Reward.brand_id == _BRAND_ID,
            Reward.referrer_id == _REFERRER_ID,
            Reward.status.in_(EARNED),
            Reward.net_amount > 0,
        )
        .group_by(Reward.currency)
        .subquery()
    )
    return select(
        func.coalesce(func.jsonb_object_agg(sums.c.currency, sums.c.total), cast({}, JSONB))
    ).scalar_subquery()


class PageRow(NamedTuple):
    """A referrer's page without the list of orders."""

    brand: Brand
    first_name: str | None
    locale: str | None
    country: str | None
    state: PublicationState | None
    clicks: int
    uses: int
    earned: dict[str, int]
    credit: Sequence[CreditRow] | None
    goodwill: Sequence[GoodwillRow] | None
    referrer: ShownReferrer
    code: ShownCode | None


def _page_row(brand: str, *values: Any) -> PageRow:
    referrer, code = values[_REFERRER_AT:_CODE_AT], values[_CODE_AT:]
    plain = values[:_REFERRER_AT]
    return PageRow._make([read_brand(brand), *plain, ShownReferrer(*referrer), read_code(code)])


_REFERRER_AT = 9
_CODE_AT = _REFERRER_AT + len(ShownReferrer._fields)
PAGE = Prepared(_page(), _page_row)
"""Takes `brand_id` and `referrer_id`; no row for an unknown, revoked or erased referrer."""


class OrderRow(NamedTuple):
    """One friend's order with its reward."""

    redemption: ShownRedemption
    placed_at: datetime
    reward: ShownReward | None
    own: str | None
    """The referrer's own code that the reward is paid with, once it works."""


def _order_row(placed_at: datetime, own: str | None, *shown: Any) -> OrderRow:
    redemption, reward = shown[:_REWARD_AT], shown[_REWARD_AT:]
    return OrderRow(
        ShownRedemption(*redemption), placed_at, None if reward[0] is None else ShownReward(*reward), own
    )


_REWARD_AT = len(ShownRedemption._fields)
ORDERS = Prepared(
    select(
        Order.placed_at,
        working_code(),
        *columns_of(Redemption, ShownRedemption),
        *columns_of(Reward, ShownReward),
    )
    .select_from(Redemption)
    .join(Order, (Order.brand_id == Redemption.brand_id) & (Order.id == Redemption.order_id))
    .outerjoin(Reward, (Reward.brand_id == Redemption.brand_id) & (Reward.redemption_id == Redemption.id))
    .outerjoin(Code, (Code.brand_id == Reward.brand_id) & (Code.id == Reward.code_id))
    .outerjoin(
        RewardPlacement,
        (RewardPlacement.brand_id == Reward.brand_id) & (RewardPlacement.reward_id == Reward.id),
    )
    .where(Redemption.brand_id == _BRAND_ID, Redemption.referrer_id == _REFERRER_ID)
    .order_by(Order.placed_at.desc(), Redemption.id.desc())
    .limit(SHOWN),
    _order_row,
)
"""Takes `brand_id` and `referrer_id`."""
