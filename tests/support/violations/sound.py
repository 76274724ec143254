"""Rows that break no invariant, and the list of cases that break one."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from app.base.ids import new_id
from app.base.web.context import AppContext
from app.ingest.models import Delivery
from app.ingest.rules import DeliveryStatus
from app.messaging.models import Message
from app.referrals.models import Code, Redemption
from app.surveys.models import Response
from app.surveys.templates import SURVEY
from tests.support.factories.rows import START, Rows


@dataclass(frozen=True)
class Sound:
    """Rows that break nothing: a promoter, their code, a redemption that counts and one refused."""

    context: AppContext
    rows: Rows
    response: Response
    code: Code
    approved: Redemption
    refused: Redemption

    @property
    def session(self) -> AsyncSession:
        return self.rows.session

    async def sql(self, statement: str, **values: Any) -> None:
        """Run one statement behind the back of the steps."""
        await self.session.execute(text(statement), values)

    async def value(self, query: str, **values: Any) -> Any:
        """The one value that a query returns."""
        return await self.session.scalar(text(query), values)

    async def without(self, table: str, constraint: str) -> None:
        """Drop a constraint that would prevent the violation."""
        await self.sql(f"ALTER TABLE {table} DROP CONSTRAINT {constraint}")

    async def copy(self, table: str, row_id: UUID, **changes: Any) -> UUID:
        """Insert a copy of a row under a new id."""
        copy_id = new_id()
        columns = ", ".join(f"'{name}', CAST(:{name} AS text)" for name in ("id", *changes))
        await self.sql(
            f"INSERT INTO {table} SELECT (jsonb_populate_record({table}, jsonb_build_object({columns}))).* "
            f"FROM {table} WHERE id = CAST(:row_id AS uuid)",
            id=str(copy_id),
            row_id=row_id,
            **changes,
        )
        return copy_id

    async def sent_message(self, **order: Any) -> Message:
        """A survey that was sent, about an order of its own, and its message."""
        customer = await self.rows.customer()
        survey = await self.rows.survey(await self.rows.order(customer, **order))
        return await self.rows.message(SURVEY, customer.id, survey.id)

    async def delivery(self, status: DeliveryStatus, **given: Any) -> Delivery:
        """A delivery of the shop in this status."""
        delivery = Delivery(
            brand_id=self.rows.brand.id,
            shop_id=self.rows.shop.id,
            source="checkout",
            topic="order.paid",
            external_id=str(new_id()),
            body=b"{}",
            status=status,
            received_at=START,
            **given,
        )
        self.session.add(delivery)
        await self.session.flush()
        return delivery

    async def reward_id(self) -> UUID:
        return await self.session.scalar(
            text("SELECT id FROM rewards WHERE redemption_id = :id"), {"id": self.approved.id}
        )


Work = Callable[[Sound], Awaitable[str]]
CASES: list[Any] = []


def breaks(name: str, *also: str) -> Callable[[Work], Work]:
    """A case: the function breaks the invariant and returns the row that violates it.

    `also` names the invariants that no such rows can keep.
    """

    def add(work: Work) -> Work:
        CASES.append(pytest.param(name, set(also), work, id=work.__name__))
        return work

    return add
