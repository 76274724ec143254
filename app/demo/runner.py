"""Runs a scenario: sends due deliveries, responds to surveys, uses codes on friends' orders."""

import asyncio
import heapq
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select

from app.base import clock
from app.base.context import AppContext
from app.brands.models import Brand
from app.customers.models import Customer
from app.demo.client import DemoClient
from app.demo.scenario import PlannedDelivery, Scenario, order_number, with_code
from app.demo.simulated_clock import SimulatedClock
from app.demo.spending import Spending
from app.demo.storefronts import CheckoutStorefront, Storefront
from app.messaging.models import Message
from app.messaging.rules import MessageStatus
from app.orders.models import Order
from app.referrals.models import Code, Referrer
from app.referrals.publishing.models import CodePublication
from app.referrals.rules import CodeKind, PublicationState
from app.referrals.templates import OFFER
from app.surveys.models import Survey
from app.surveys.rules import SurveyStatus

_OFFERS_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class _ActiveCode:
    """A code that friends can use, and the slug of its share link."""

    display: str
    slug: str


@dataclass
class PhaseResult:
    """What one phase did: the seconds that each delivery and each response took over HTTP."""

    deliveries: list[float] = field(default_factory=list)
    responses: list[float] = field(default_factory=list)
    friends: int = 0
    """Orders that carried a code."""


class ScenarioRunner:
    """Goes through a scenario tick by tick, skipping times at which nothing happens."""

    def __init__(
        self,
        context: AppContext,
        brand: Brand,
        scenario: Scenario,
        client: DemoClient,
        simulated: SimulatedClock,
        storefront: Storefront | None = None,
    ) -> None:
        self._context = context
        self._brand_id = brand.id
        self._percent = scenario.setup.programme.offer.friend_discount.percent
        self._script = scenario
        self._client = client
        self._storefront = storefront or CheckoutStorefront(client)
        self._clock = simulated
        self._delivered = 0
        self._seen_surveys: set[UUID] = set()
        self._responses: list[tuple[datetime, str, UUID]] = []
        self._codes: list[_ActiveCode] = []
        self._spending = Spending(context, brand.id, scenario)
        self._result = PhaseResult()
        self.first_code_at: float | None = None
        """When the first promoter's code was seen, on the monotonic clock."""

    async def run_until(self, end: datetime) -> PhaseResult:
        """Run everything up to `end`; returns what was done.

        The clock then is at the last tick before it.
        """
        self._result = PhaseResult()
        while (tick := await self._next_tick()) is not None and tick <= end:
            await self._clock.move(tick)
            await self._deliver(tick)
            await self._clock.to(tick)
            await self._plan_responses()
            if await self._respond(tick):
                await self._wait_for_offers()
                if self.first_code_at is None:
                    await self._load_codes()
        await self._clock.to(self._clock.now)
        return self._result

    async def _next_tick(self) -> datetime | None:
        deliveries = self._script.deliveries
        times = [
            deliveries[self._delivered].at if self._delivered < len(deliveries) else None,
            self._responses[0][0] if self._responses else None,
            await self._clock.next_due(),
        ]
        known = [time for time in times if time is not None]
        if not known:
            return None
        # Work that still waits after its due time waits for something else, such as the end of
        # quiet hours.
        return max(self._script.tick(min(known)), self._clock.now + self._script.grain)

    async def _deliver(self, tick: datetime) -> None:
        first = self._delivered
        deliveries = self._script.deliveries
        while self._delivered < len(deliveries) and deliveries[self._delivered].at <= tick:
            self._delivered += 1
        due = deliveries[first : self._delivered]
        friends = [delivery for delivery in due if delivery.code_choice is not None]
        if friends:
            await self._load_codes()
        if any(delivery.reward_choice is not None for delivery in due):
            await self._spending.load(self._refunded_later())
        if self._codes:
            await self._client.visit([f"/r/{self._code_for(delivery).slug}" for delivery in friends])
        self._result.deliveries += await self._storefront.deliver(
            [(delivery.delivery_id, self._body(delivery)) for delivery in due]
        )

    def _body(self, delivery: PlannedDelivery) -> dict[str, Any]:
        data = delivery.data
        if delivery.reward_choice is not None:
            data = self._spending.spend(delivery.reward_choice, data)
        if delivery.code_choice is not None and self._codes:
            self._result.friends += 1
            code = self._code_for(delivery)
            data = with_code(data, code.display, slug=code.slug, percent=self._percent)
        return {"type": delivery.topic, "timestamp": delivery.at.isoformat(), "data": data}

    def _refunded_later(self) -> list[str]:
        """The platform's ids of the orders of which a refund is still to come."""
        coming = self._script.deliveries[self._delivered :]
        return [str(order_number(each.data["order_id"])) for each in coming if each.topic == "order.refunded"]

    def _code_for(self, friend: PlannedDelivery) -> _ActiveCode:
        return self._codes[int((friend.code_choice or 0.0) * len(self._codes))]

    async def _plan_responses(self) -> None:
        """Plan the responses to surveys that were sent since the last call."""
        sent = select(Survey.id, Survey.sent_at, Order.external_id).join(
            Order, (Order.brand_id == Survey.brand_id) & (Order.id == Survey.order_id)
        )
        async with self._context.sessions() as session:
            rows = await session.execute(
                sent.where(Survey.brand_id == self._brand_id, Survey.status == SurveyStatus.sent)
            )
            for survey_id, sent_at, order in rows:
                if survey_id in self._seen_surveys or sent_at is None:
                    continue
                self._seen_surveys.add(survey_id)
                response = self._script.responses.get(order)
                if response is not None:
                    sent_on = self._script.tick_before(sent_at)
                    heapq.heappush(self._responses, (response.due(sent_on), order, survey_id))

    async def _respond(self, tick: datetime) -> int:
        forms = []
        while self._responses and self._responses[0][0] <= tick:
            _, order, survey_id = heapq.heappop(self._responses)
            response = self._script.responses[order]
            forms.append(
                (
                    self._context.tokens.link("survey", self._brand_id, survey_id),
                    response.score,
                    response.comment,
                )
            )
        self._result.responses += await self._client.respond(forms)
        return len(forms)

    async def _wait_for_offers(self) -> None:
        """Wait until the worker has published codes and sent offers, for a moment at most.

        The clock must not move between an answer and its offer.
        """
        unpublished = select(CodePublication.code_id).where(
            CodePublication.brand_id == self._brand_id,
            CodePublication.state.in_([PublicationState.wanted, PublicationState.sending]),
        )
        waiting = select(Message.id).where(
            Message.brand_id == self._brand_id,
            Message.template == OFFER.name,
            Message.status.in_([MessageStatus.planned, MessageStatus.sending]),
        )
        until = clock.monotonic() + _OFFERS_SECONDS
        while clock.monotonic() < until:
            async with self._context.sessions() as session:
                is_sent = await session.scalar(waiting.where(Message.due_at <= clock.now()).limit(1)) is None
                if is_sent and await session.scalar(unpublished.limit(1)) is None:
                    return
            await asyncio.sleep(0.01)

    async def _load_codes(self) -> None:
        """Load the active codes in an order that every run repeats: by their owners' addresses."""
        active = (
            select(Code.display, Referrer.slug)
            .join(Referrer, (Referrer.brand_id == Code.brand_id) & (Referrer.id == Code.referrer_id))
            .join(Customer, (Customer.brand_id == Referrer.brand_id) & (Customer.id == Referrer.customer_id))
            .where(
                Code.brand_id == self._brand_id,
                Code.active,
                Code.kind == CodeKind.share,
                Code.uses < Code.max_uses,
            )
            .order_by(Customer.email)
        )
        async with self._context.sessions() as session:
            self._codes = [_ActiveCode(row.display, row.slug) for row in await session.execute(active)]
        if self._codes and self.first_code_at is None:
            self.first_code_at = clock.monotonic()
