"""The bodies of the checkout API as its documentation shows them.

`parse` reads them, with exact numbers.
"""

from collections.abc import Sequence

from pydantic import BaseModel, ConfigDict, Field

from app.platforms.checkout.schemas import (
    Amount,
    CheckoutAddress,
    CheckoutCustomer,
    CheckoutItem,
    CheckoutOrder,
)

_STRICT = ConfigDict(extra="forbid")


class _Body(BaseModel):
    model_config = _STRICT


class CustomerBody(CheckoutCustomer):
    """A buyer; an e-mail or phone identifies most people."""

    model_config = _STRICT


class ItemBody(CheckoutItem):
    """One line of an order."""

    model_config = _STRICT


class AddressBody(CheckoutAddress):
    """A shipping address."""

    model_config = _STRICT


class OrderBody(CheckoutOrder):
    """An order, as in the event `order.paid`; unknown fields are refused."""

    model_config = _STRICT

    customer: CustomerBody | None = None
    items: Sequence[ItemBody] | None = None
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

    code: str
    customer: CustomerBody | None = None
    order: BasketOrderBody
    shop: str | None = Field(default=None, description="A shop's slug.")


class PurchaseBody(_Body):
    """An order that was paid with this code."""

    code: str
    shop: str | None = Field(
        default=None, description="A shop's slug; may be left out where the brand has one."
    )
    order: OrderBody


class RollbackBody(_Body):
    """Undo a redemption: wholly without an amount, else as a refund of that much."""

    amount: Amount | None = None
    reason: str = "rolled_back"
