"""A shop on Shopify, and what it reports of a buyer and their one order."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import update

from app.base.context import AppContext
from app.brands.models import Brand, Shop
from app.brands.rules import Platform
from tests.support.constants import NOW
from tests.support.story import Story, open_story

Report = tuple[str, dict[str, Any]]
"""A topic and its body."""


def at(days: float) -> str:
    """So many days after `NOW`, as Shopify writes a time."""
    return (NOW + timedelta(days=days)).isoformat()


def euros(amount: str) -> dict[str, Any]:
    """An amount in the shop's currency, as a set of prices has it."""
    return {"shop_money": {"amount": amount, "currency_code": "EUR"}}


@dataclass(frozen=True, slots=True)
class Buyer:
    """The buyer with this number; their order of 80.00 EUR has it as its id."""

    number: int

    @property
    def email(self) -> str:
        """Their address."""
        return f"buyer{self.number}@example.com"

    def order(self, topic: str = "orders/paid", **changes: Any) -> Report:
        """The order, placed three days ago by somebody in Ireland, with these fields changed."""
        return topic, {
            "id": self.number,
            "name": f"#{self.number}",
            "currency": "EUR",
            "financial_status": "paid",
            "subtotal_price": "80.00",
            "total_price": "80.00",
            "processed_at": at(-3),
            "updated_at": at(-3),
            "email": self.email,
            "customer": {"id": 1000 + self.number, "email": self.email},
            "billing_address": {"first_name": "Uma", "last_name": "Berg", "country_code": "IE"},
            "line_items": [{"id": 1, "title": "Lamp", "quantity": 2, "price": "40.00"}],
        } | changes

    def customer(self, **changes: Any) -> Report:
        """Something new about the customer."""
        return "customers/update", {"id": 1000 + self.number, "email": self.email, **changes}

    def consent(self, **fields: Any) -> Report:
        """The customer's decision about e-mail, one hour ago, named by these fields."""
        statement = {"state": "unsubscribed", "opt_in_level": None, "consent_updated_at": at(-1 / 24)}
        return "customers_email_marketing_consent/update", {"email_marketing_consent": statement, **fields}

    def parcel(self, topic: str, status: str = "success", **fields: Any) -> Report:
        """A parcel of the order, which left two days ago."""
        body = {"order_id": self.number, "status": status, "created_at": at(-2), "updated_at": at(-1)}
        return topic, body | fields

    def refund(self, amount: str, currency: str = "EUR", **parts: Any) -> Report:
        """Money that went back a day after the order."""
        paid = {"kind": "refund", "status": "success", "amount": amount, "currency": currency}
        body = {"id": 9000 + self.number, "order_id": self.number, "created_at": at(-2)}
        return "refunds/create", body | {"transactions": [paid], "refund_line_items": [], **parts}


@asynccontextmanager
async def open_shopify_story(context: AppContext, brand: Brand) -> AsyncIterator[Story]:
    """As `open_story`, with the brand's shop on Shopify."""
    async with context.sessions.begin() as session:
        await session.execute(update(Shop).values(platform=Platform.shopify))
    async with open_story(context, brand) as story:
        yield story


async def send(story: Story, reports: Mapping[int, list[Report]]) -> None:
    """Deliver what is reported of every buyer, one report of each at a time, each processed."""
    for turn in range(max(len(each) for each in reports.values())):
        for each in reports.values():
            if turn < len(each):
                await story.shopify(*each[turn])
        await story.at(NOW)
