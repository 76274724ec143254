"""The bodies of the checkout API as its documentation shows them.

`parse` reads them, number by number.
"""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

Amount = str | float
"""A decimal string such as `"80.00"`, or a JSON number."""


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class CustomerBody(_Body):
    """A buyer; an e-mail or phone identifies most people."""

    id: str | int | None = None
    email: str | None = None
    phone: str | None = None
    first_name: str | None = None
    last_name: str | None = None
    locale: str | None = None
    time_zone: str | None = None
    country: str | None = None
    email_consent: bool | dict[str, Any] | None = None
    sms_consent: bool | dict[str, Any] | None = None


class ItemBody(_Body):
    """One line of an order."""

    sku: str | None = None
    title: str | None = None
    quantity: int | None = None
    unit_price: Amount | None = None


class AddressBody(_Body):
    """A shipping address."""

    line1: str | None = None
    line2: str | None = None
    city: str | None = None
    postal_code: str | None = None
    country: str | None = None


class OrderBody(_Body):
    """An order, as in the event `order.paid`."""

    id: str | int
    number: str | int | None = None
    placed_at: str | None = None
    currency: str
    subtotal: Amount | None = None
    total: Amount
    discount_total: Amount | None = None
    discount_codes: list[str] | None = None
    referral: str | None = None
    source: str | None = None
    tags: list[str] | None = None
    test: bool | None = None
    customer: CustomerBody | None = None
    items: list[ItemBody] | None = None
    shipping_address: AddressBody | None = None
    payment_fingerprint: str | None = None


class BasketOrderBody(_Body):
    """What would be ordered."""

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


def request_body(model: type[BaseModel], *, required: bool = True) -> dict[str, Any]:
    """The OpenAPI part of an operation whose body is parsed by `parse`."""
    schema = model.model_json_schema()
    schema = _inlined(schema, schema.pop("$defs", {}))
    return {"requestBody": {"required": required, "content": {"application/json": {"schema": schema}}}}


def _inlined(schema: Any, definitions: dict[str, Any]) -> Any:
    """The schema with every reference replaced by what it refers to; none of ours is recursive."""
    if isinstance(schema, list):
        return [_inlined(each, definitions) for each in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        return _inlined(definitions[schema["$ref"].rpartition("/")[2]], definitions)
    return {name: _inlined(each, definitions) for name, each in schema.items()}
