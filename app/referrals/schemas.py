"""What the API shows of referrers, codes, redemptions, rewards and the ledger."""

from datetime import datetime
from decimal import Decimal
from typing import Any, Self

from sqlalchemy import ColumnElement, Row

from app.base import clock, money
from app.base.ids import public_id, public_id_or_none
from app.base.masking import mask_code, mask_reason
from app.base.schemas import ApiModel, RowModel
from app.brands.programme import DiscountKind, RewardKind
from app.customers.schemas import CustomerRow
from app.orders.models import Order
from app.referrals.code_state import status_of
from app.referrals.figure_models import ReferrerFigure
from app.referrals.models import Code, Redemption, Referrer
from app.referrals.reward_models import Reward
from app.referrals.rules import (
    REASON_WORDS,
    CodeKind,
    CodeStatus,
    RedemptionStatus,
    RefusalReason,
    RewardStatus,
)


class DiscountShape(ApiModel):
    """What a code takes off: percent of the subtotal, or an amount of `currency`."""

    kind: DiscountKind | str
    value: str
    currency: str

    @classmethod
    def of(cls, kind: DiscountKind, value: Decimal, currency: str) -> Self:
        """The shape of a discount."""
        return cls(kind=kind, value=f"{value:f}", currency=currency)


def code_status(code: Code, reward: Reward | None, now: datetime) -> CodeStatus:
    """The status of a code at `now`.

    A superseded code is disabled, and so is the code of a reward that was reversed or is frozen.
    """
    status = status_of(code, now=now)
    is_off = not code.active
    if reward is not None:
        is_off = is_off or reward.frozen or reward.status is RewardStatus.reversed
    return CodeStatus.disabled if status is CodeStatus.active and is_off else status


class CodeRow(RowModel):
    """A code with its status now and its referrer; without the scope `pii` names are masked.

    `shop` is the referrer's, `customer` null for one who is none; `name` is it or an address.
    """

    created_at: datetime
    code: str
    kind: CodeKind | str
    referrer: str
    parent: str | None
    uses: int
    max_uses: int
    expires_at: datetime
    status: CodeStatus | str
    discount: DiscountShape
    minimum_subtotal: str | None
    live_at: datetime | None
    disabled_at: datetime | None
    shop: str
    customer: str | None
    name: str | None

    @classmethod
    def from_row(cls, row: Row[Any], *, pii: bool) -> Self:
        """From a row of `Code`, its referrer's `shop` and `Customer` or None, and `Reward` or None.

        `live_at` is that of its publication in the referrer's shop. A reward's code is worth what
        is left of the reward.
        """
        code: Code = row.Code
        reward: Reward | None = row.Reward
        owner = None if row.Customer is None else CustomerRow.from_row(row, pii=pii)
        return cls(
            id=public_id("cod", code.id),
            created_at=code.created_at,
            code=code.display if pii else mask_code(code.display) or "",
            kind=code.kind,
            referrer=public_id("ref", code.referrer_id),
            parent=public_id_or_none("cod", code.parent_id),
            uses=code.uses,
            max_uses=code.max_uses,
            expires_at=code.expires_at,
            status=code_status(code, reward, clock.now()),
            discount=DiscountShape.of(
                code.discount_kind,
                code.discount_value if reward is None else money.to_decimal(reward.net_amount, code.currency),
                code.currency,
            ),
            minimum_subtotal=None if code.minimum_subtotal is None else f"{code.minimum_subtotal:f}",
            live_at=row.live_at,
            disabled_at=code.disabled_at,
            shop=row.shop,
            customer=None if owner is None else owner.id,
            name=None if owner is None else owner.name or owner.email or owner.phone,
        )


def shown_order() -> tuple[ColumnElement[Any], ...]:
    """The columns of an order that `RedemptionRow.from_row` reads."""
    return (
        Order.number.label("order_number"),
        Order.placed_at.label("placed_at"),
        Order.total.label("order_total"),
    )


class EarlierState(ApiModel):
    """What a redemption was until a time, and why; `reason` is null where a person wrote it."""

    status: RedemptionStatus | str
    reason: str | None
    until: datetime


class RedemptionRow(RowModel):
    """A friend's order and whether its code counts.

    Without the scope `pii` a name in the code and a reason in a person's own words are masked.
    """

    created_at: datetime
    code: str
    referrer: str
    friend: str | None
    order: str
    order_number: str
    placed_at: datetime
    order_total: str
    """What was paid for the order, before refunds; in `currency`."""
    amount_off: str
    currency: str
    status: RedemptionStatus | str
    reason: str | None
    earlier: list[EarlierState]
    """What it was before and why, oldest first, as why it was in review."""
    hold_until: datetime | None
    approved_at: datetime | None
    reversed_at: datetime | None

    @classmethod
    def from_row(cls, row: Row[Any], *, pii: bool) -> Self:
        """From a row of `Redemption`, `code` (as shown), `order_number placed_at order_total`."""
        redemption: Redemption = row.Redemption
        return cls(
            id=public_id("red", redemption.id),
            created_at=redemption.created_at,
            code=row.code if pii else mask_code(row.code) or "",
            referrer=public_id("ref", redemption.referrer_id),
            friend=public_id_or_none("cus", redemption.friend_id),
            order=public_id("ord", redemption.order_id),
            order_number=row.order_number,
            placed_at=row.placed_at,
            order_total=money.to_text(row.order_total, redemption.currency),
            amount_off=money.to_text(redemption.amount_off, redemption.currency),
            currency=redemption.currency,
            status=redemption.status,
            reason=redemption.reason if pii else mask_reason(redemption.reason, REASON_WORDS),
            earlier=[EarlierState.model_validate(state) for state in redemption.earlier or []],
            hold_until=redemption.hold_until,
            approved_at=redemption.approved_at,
            reversed_at=redemption.reversed_at,
        )


class RewardRow(RowModel):
    """A reward as granted (`amount`), what refunds left of it (`net_amount`) and what was spent."""

    created_at: datetime
    redemption: str | None
    referrer: str
    kind: RewardKind | str
    amount: str
    net_amount: str
    used_amount: str
    currency: str
    code: str | None
    status: RewardStatus | str
    reason: RefusalReason | str | None
    frozen: bool
    granted_at: datetime | None
    expires_at: datetime | None
    used_at: datetime | None

    @classmethod
    def from_row(cls, row: Row[Any], *, pii: bool) -> Self:
        """From a row of `Reward` and `code`, the referrer's own as shown."""
        reward: Reward = row.Reward
        return cls(
            id=public_id("rwd", reward.id),
            created_at=reward.created_at,
            redemption=public_id_or_none("red", reward.redemption_id),
            referrer=public_id("ref", reward.referrer_id),
            kind=reward.kind,
            amount=money.to_text(reward.amount, reward.currency),
            net_amount=money.to_text(reward.net_amount, reward.currency),
            used_amount=money.to_text(reward.used_amount, reward.currency),
            currency=reward.currency,
            code=row.code if pii else mask_code(row.code),
            status=reward.status,
            reason=reward.reason,
            frozen=reward.frozen,
            granted_at=reward.granted_at,
            expires_at=reward.expires_at,
            used_at=reward.used_at,
        )


class ReferrerRow(RowModel):
    """A referrer: numbers of codes, visits and redemptions of all time, and what friends brought.

    `friends` to `last_order_at` are those of a span of time in one currency, each with what
    `ReferrerFigure` says. `customer` is null for one who is none; `profit` without a margin.
    """

    created_at: datetime
    customer: str | None
    email: str | None
    phone: str | None
    name: str | None
    slug: str
    shop: str
    survey: str | None
    revoked_at: datetime | None
    codes: int
    visits: int
    redemptions: int
    approved: int
    friends: int
    orders: int
    revenue: str
    cost: str
    profit: str | None
    currency: str
    last_order_at: datetime | None

    @classmethod
    def from_row(cls, row: Row[Any], *, pii: bool) -> Self:
        """From a row of `Referrer`, `Customer` and `ReferrerFigure` (or None), `shop`, the counts.

        Without a figure `shop_currency` and `has_margin` say what nothing is written as.
        """
        referrer: Referrer = row.Referrer
        customer = None if row.Customer is None else CustomerRow.from_row(row, pii=pii)
        figure: ReferrerFigure | None = row.ReferrerFigure
        currency = row.shop_currency if figure is None else figure.currency
        nothing = 0 if row.has_margin else None
        profit = nothing if figure is None else figure.profit
        return cls(
            id=public_id("ref", referrer.id),
            created_at=referrer.created_at,
            customer=None if customer is None else customer.id,
            email=None if customer is None else customer.email,
            phone=None if customer is None else customer.phone,
            name=None if customer is None else customer.name,
            slug=referrer.slug,
            shop=row.shop,
            survey=public_id_or_none("sur", referrer.survey_id),
            revoked_at=referrer.revoked_at,
            codes=row.codes,
            visits=row.visits,
            redemptions=row.redemptions,
            approved=row.approved,
            friends=figure.friends if figure else 0,
            orders=figure.orders if figure else 0,
            revenue=money.to_text(figure.revenue if figure else 0, currency),
            cost=money.to_text(figure.cost if figure else 0, currency),
            profit=None if profit is None else money.to_text(profit, currency),
            currency=currency,
            last_order_at=figure.last_order_at if figure else None,
        )


class CodeCheck(ApiModel):
    """Whether a code would count; `reason` is null where it would."""

    valid: bool
    reason: str | None
    discount: DiscountShape | None
    amount_off: str
