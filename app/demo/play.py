"""Plays a script: tells the facts when their time comes, lets the surveyed answer, and puts promoters' codes on friends' orders."""

import heapq
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from sqlalchemy import select

from app.base import clock
from app.base.web.context import AppContext
from app.brands.models import Brand
from app.customers.models import Customer
from app.demo.client import Outside
from app.demo.script import Fact, Script, with_code
from app.demo.travel import Travel
from app.orders.models import Order
from app.referrals.models import Code, Referrer
from app.surveys.models import Survey
from app.surveys.rules import SurveyStatus


@dataclass(frozen=True, slots=True)
class _Alive:
    """A code that friends may use, and the slug of its share link."""

    display: str
    slug: str


@dataclass
class Span:
    """What was done between two moments: the seconds that each delivery and each answer took at its door."""

    deliveries: list[float] = field(default_factory=list)
    answers: list[float] = field(default_factory=list)
    friends: int = 0
    """Orders that carried a code."""


class Player:
    """Goes through a script tick by tick, passing over times at which nothing happens."""

    def __init__(
        self, context: AppContext, brand: Brand, script: Script, outside: Outside, travel: Travel
    ) -> None:
        self._context = context
        self._brand_id = brand.id
        self._percent = script.stage.programme.offer.friend_discount.value
        self._script = script
        self._outside = outside
        self._travel = travel
        self._told = 0
        self._asked: set[UUID] = set()
        self._replies: list[tuple[datetime, str, UUID]] = []
        self._codes: list[_Alive] = []
        self._span = Span()
        self.first_code_at: float | None = None
        """When the first promoter's code was there, on the monotonic clock."""

    async def play_until(self, end: datetime) -> Span:
        """Play all that happens up to `end`; answers what was done. The clock then stands at the last tick before it."""
        self._span = Span()
        while (tick := await self._next_tick()) is not None and tick <= end:
            await self._tell(tick)
            await self._travel.to(tick)
            await self._note_asked()
            if await self._reply(tick) and self.first_code_at is None:
                await self._note_codes()
        await self._travel.to(self._travel.now)
        return self._span

    async def _next_tick(self) -> datetime | None:
        facts = self._script.facts
        times = [
            facts[self._told].at if self._told < len(facts) else None,
            self._replies[0][0] if self._replies else None,
            await self._travel.next_due(),
        ]
        known = [time for time in times if time is not None]
        if not known:
            return None
        # What is still waiting after its time is waiting for something else, such as an hour that is not quiet.
        return max(self._script.tick(min(known)), self._travel.now + self._script.grain)

    async def _tell(self, tick: datetime) -> None:
        first = self._told
        facts = self._script.facts
        while self._told < len(facts) and facts[self._told].at <= tick:
            self._told += 1
        due = facts[first : self._told]
        friends = [fact for fact in due if fact.luck is not None]
        if friends:
            await self._note_codes()
        if self._codes:
            await self._outside.visit([f"/r/{self._code_for(fact).slug}" for fact in friends])
        self._span.deliveries += await self._outside.deliver(
            [(fact.delivery_id, self._body(fact)) for fact in due]
        )

    def _body(self, fact: Fact) -> dict[str, object]:
        data = fact.data
        if fact.luck is not None and self._codes:
            self._span.friends += 1
            code = self._code_for(fact)
            data = with_code(data, code.display, slug=code.slug, percent=self._percent)
        return {"type": fact.topic, "timestamp": fact.at.isoformat(), "data": data}

    def _code_for(self, friend: Fact) -> _Alive:
        return self._codes[int((friend.luck or 0.0) * len(self._codes))]

    async def _note_asked(self) -> None:
        """Plan the answers to surveys that have gone out since the last look."""
        sent = select(Survey.id, Survey.sent_at, Order.external_id).join(
            Order, (Order.brand_id == Survey.brand_id) & (Order.id == Survey.order_id)
        )
        async with self._context.sessions() as session:
            rows = await session.execute(
                sent.where(Survey.brand_id == self._brand_id, Survey.status == SurveyStatus.sent)
            )
            for survey_id, sent_at, order in rows:
                if survey_id in self._asked or sent_at is None:
                    continue
                self._asked.add(survey_id)
                reply = self._script.replies.get(order)
                if reply is not None:
                    heapq.heappush(self._replies, (reply.due(sent_at), order, survey_id))

    async def _reply(self, tick: datetime) -> int:
        answers = []
        while self._replies and self._replies[0][0] <= tick:
            _, order, survey_id = heapq.heappop(self._replies)
            reply = self._script.replies[order]
            answers.append(
                (self._context.tokens.link("survey", self._brand_id, survey_id), reply.score, reply.comment)
            )
        self._span.answers += await self._outside.answer(answers)
        return len(answers)

    async def _note_codes(self) -> None:
        """Learn the codes alive, in an order that does not hang on chance: by their owners' addresses."""
        alive = (
            select(Code.display, Referrer.slug)
            .join(Referrer, (Referrer.brand_id == Code.brand_id) & (Referrer.customer_id == Code.customer_id))
            .join(Customer, (Customer.brand_id == Code.brand_id) & (Customer.id == Code.customer_id))
            .where(Code.brand_id == self._brand_id, Code.active, Code.uses < Code.max_uses)
            .order_by(Customer.email)
        )
        async with self._context.sessions() as session:
            self._codes = [_Alive(row.display, row.slug) for row in await session.execute(alive)]
        if self._codes and self.first_code_at is None:
            self.first_code_at = clock.monotonic()
