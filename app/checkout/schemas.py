"""The bodies of the checkout API as its documentation shows them, and what it returns.

`parse` reads them, with exact numbers.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, RootModel

from app.base.ids import public_id, public_id_or_none
from app.base.money import to_text
from app.base.schemas import ApiModel
from app.ledger.models import CreditReservation
from app.ledger.rules import ReservationStatus
from app.platforms.checkout.schemas import (
    Amount,
    CheckoutAddress,
    CheckoutCustomer,
    CheckoutDiscount,
    CheckoutItem,
    CheckoutOrder,
)
from app.referrals.reward_rules import Balance
from app.referrals.schemas import RedemptionRow, RewardRow
from app.referrals.share import Share

_STRICT = ConfigDict(extra="forbid")


class _Body(BaseModel):
    model_config = _STRICT


class CustomerBody(CheckoutCustomer):
    """A buyer; an e-mail or phone identifies most people."""

    model_config = _STRICT


class ItemBody(CheckoutItem):
    """One line of an order."""

    model_config = _STRICT


class DiscountBody(CheckoutDiscount):
    """What one code took off."""

    model_config = _STRICT


class AddressBody(CheckoutAddress):
    """A shipping address."""

    model_config = _STRICT


class OrderBody(CheckoutOrder):
    """An order, as in the event `order.paid`; unknown fields are refused."""

    model_config = _STRICT

    customer: CustomerBody | None = None
    items: Sequence[ItemBody] | None = None
    discounts: Sequence[DiscountBody] | None = None
    shipping_address: AddressBody | None = None


class BasketOrderBody(_Body):
    """What would be ordered."""

    id: str | int | None = Field(
        default=None, description="The order's id, where it has one: its own use never counts against it."
    )
    subtotal: Amount
    currency: str | None = Field(default=None, description="Of the shop, where it is left out.")


class BasketBody(_Body):
    """Would this code count for this person's basket?"""

    code: str | int
    customer: CustomerBody | None = None
    order: BasketOrderBody
    shop: str | None = Field(default=None, description="A shop's slug.")


class PurchaseBody(_Body):
    """An order that was paid with this code."""

    code: str | int
    shop: str | None = Field(
        default=None, description="A shop's slug; may be left out where the brand has one."
    )
    order: OrderBody


class RollbackBody(_Body):
    """Undo a redemption: wholly without an amount, else as a refund of that much."""

    amount: Amount | None = None
    reason: str = "rolled_back"


class RedeemedCode(RootModel[RedemptionRow | RewardRow]):
    """What a redeemed code made: a redemption, or of a referrer's own code the reward it used."""


class CreditCustomerBody(_Body):
    """A customer by e-mail address."""

    email: str


class ReservationBody(_Body):
    """Claim an amount of somebody's credit for an order."""

    customer: str | CreditCustomerBody = Field(description="An id such as `cus_…`, or an e-mail address.")
    amount: Amount
    currency: str
    order_id: str | int
    seconds: int = Field(default=900, ge=1, le=86_400, description="How long the claim holds.")


class CreditAmountBody(_Body):
    """How much of it; all where it is left out."""

    amount: Amount | None = None


class BalanceShape(ApiModel):
    """Credit in one currency.

    `balance` is what is left, negative where more was spent than a refund left later; `frozen` and
    `reserved` are parts of it, `available` is what can be reserved now: nothing where `shop` names
    the connected shop that holds it.
    """

    currency: str
    balance: str
    frozen: str
    reserved: str
    available: str
    shop: str | None = Field(
        default=None, description="The slug of the connected shop in whose cart alone it is spent."
    )

    @classmethod
    def of(cls, balance: Balance, currency: str) -> Self:
        """The shape of a balance."""
        return cls(
            currency=currency,
            balance=to_text(balance.total, currency),
            frozen=to_text(balance.frozen, currency),
            reserved=to_text(balance.reserved, currency),
            available=to_text(balance.available, currency),
            shop=balance.shop,
        )


class CreditBalance(ApiModel):
    """What a customer may spend.

    Several currencies are never added up: then the fields beside `by_currency` are null, unless one
    is asked for. `customer` is null for an unknown address.
    """

    customer: str | None
    currency: str | None = None
    balance: str | None = None
    frozen: str | None = None
    reserved: str | None = None
    available: str | None = None
    shop: str | None = None
    by_currency: Sequence[BalanceShape]


class OwnLinks(ApiModel):
    """What a customer may share, and where they can answer the survey of an order.

    All but the names is null where there is nothing.
    """

    share_url: str | None = Field(default=None, description="The share link of a referrer.")
    code: str | None = Field(
        default=None, description="Once the shop knows it; null where each friend gets one."
    )
    discount: str | None = Field(default=None, description="What friends get, in the customer's language.")
    reward: str | None = Field(default=None, description="What the referrer gets for a friend's order.")
    disclosure: str | None = Field(default=None, description="What must be beside the link.")
    survey_url: str | None = Field(
        default=None, description="Of the order that was named, while it can be answered."
    )

    @classmethod
    def of(cls, share: Share) -> Self:
        """The shape of what somebody may share."""
        return cls(
            share_url=share.share_url,
            code=share.code,
            discount=share.offer.discount,
            reward=share.offer.reward,
            disclosure=share.disclosure,
        )


class CustomerLinks(OwnLinks):
    """The links of a customer, and who that is."""

    customer: str | None = None


class ReservationShape(ApiModel):
    """A claim on credit; what is not `captured` of it is free again once it is not reserved."""

    id: str
    created_at: datetime
    customer: str | None
    order_id: str
    amount: str
    captured: str
    refunded: str
    currency: str
    status: ReservationStatus | str
    expires_at: datetime

    @classmethod
    def of(cls, reservation: CreditReservation, customer_id: UUID | None) -> Self:
        """The shape of a reservation."""
        return cls(
            id=public_id("crd", reservation.id),
            created_at=reservation.created_at,
            customer=public_id_or_none("cus", customer_id),
            order_id=reservation.order_id,
            amount=to_text(reservation.amount, reservation.currency),
            captured=to_text(reservation.captured, reservation.currency),
            refunded=to_text(reservation.refunded, reservation.currency),
            currency=reservation.currency,
            status=reservation.status,
            expires_at=reservation.expires_at,
        )
