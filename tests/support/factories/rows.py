"""Rows for tests of numbers, lists and pages, made by hand so that every count is known."""

from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from app.base.ids import new_id
from app.brands.find import load_programme
from app.brands.models import Brand, Shop
from app.brands.programme import Channel, DiscountKind, RewardKind
from app.customers.models import Customer
from app.ledger.credit import change_balances
from app.ledger.models import LedgerEntry
from app.ledger.rules import CauseKind, LedgerAccount
from app.messaging.models import Attempt, Message
from app.messaging.rules import AttemptStatus, MessageStatus, Priority
from app.messaging.templates import TemplateSpec
from app.orders.models import Order
from app.orders.rules import OrderStatus
from app.referrals.models import Code, Redemption, Referrer
from app.referrals.publishing.models import CodePublication
from app.referrals.reward_models import Reward
from app.referrals.rules import PublicationState, RedemptionStatus, RewardStatus
from app.referrals.templates import OFFER
from app.referrals.visit_models import Visit
from app.surveys.models import Response, Survey
from app.surveys.rules import SkipReason, SurveyCause, SurveyStatus
from app.surveys.templates import SURVEY

START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
"""A Monday."""


@dataclass
class Rows:
    """Makes rows of one brand; everything may be said otherwise by keyword."""

    session: AsyncSession
    brand: Brand
    shop: Shop
    made: int = field(default=0)

    async def _add(self, row: Any) -> Any:
        self.session.add(row)
        await self.session.flush()
        return row

    async def customer(self, **said: Any) -> Customer:
        self.made += 1
        values = {
            "email": f"ana{self.made}@example.com",
            "first_name": "Ana",
            "last_name": f"Ito{self.made}",
            "locale": "de",
        }
        return await self._add(Customer(brand_id=self.brand.id, **(values | said)))

    async def order(self, customer: Customer | None, **said: Any) -> Order:
        self.made += 1
        placed_at = said.get("placed_at", START)
        values = {
            "shop_id": self.shop.id,
            "external_id": f"o-{self.made}",
            "number": f"#{self.made}",
            "customer_id": customer and customer.id,
            "currency": "EUR",
            "subtotal": 8000,
            "total": 8000,
            "discount_total": 0,
            "discount_codes": [],
            "tags": [],
            "items": [{"sku": "MUG", "title": "Mug", "quantity": 1, "unit_price": None}],
            "country": "DE",
            "test": False,
            "placed_at": placed_at,
            "paid_at": placed_at,
            "status": OrderStatus.paid,
        }
        return await self._add(Order(brand_id=self.brand.id, **(values | said)))

    async def survey(self, order: Order, status: SurveyStatus = SurveyStatus.sent, **said: Any) -> Survey:
        values: dict[str, Any] = {
            "cause_kind": SurveyCause.order,
            "cause_id": order.id,
            "order_id": order.id,
            "shop_id": order.shop_id,
            "customer_id": order.customer_id,
            "programme_version": 1,
            "status": status,
            "channel": Channel.email,
            "due_at": order.placed_at + timedelta(days=3),
        }
        if status not in (SurveyStatus.planned, SurveyStatus.skipped):
            values |= {
                "queued_at": order.placed_at + timedelta(days=3),
                "sent_at": order.placed_at + timedelta(days=3),
                "expires_at": order.placed_at + timedelta(days=33),
            }
        if status is SurveyStatus.skipped:
            values["reason"] = SkipReason.no_consent
        return await self._add(Survey(brand_id=self.brand.id, **(values | said)))

    async def message(
        self, template: TemplateSpec, customer_id: UUID, subject_id: UUID, **said: Any
    ) -> Message:
        values = {
            "customer_id": customer_id,
            "shop_id": self.shop.id,
            "template": template.name,
            "subject_id": subject_id,
            "channel": Channel.email,
            "priority": Priority.normal,
            "status": MessageStatus.delivered,
            "address": "ana@example.com",
            "locale": "de",
            "template_params": asdict(template.sample)
            | {
                "first_name": "Ana",
                "item_title": "Mug",
                "order_number": "#1",
                "ordered_on": "2026-03-02",
            },
            "due_at": START,
            "attempts": 1,
            "sent_at": START,
            "created_at": START,
        }
        message = await self._add(Message(brand_id=self.brand.id, **(values | said)))
        if message.attempts:
            await self._add(
                Attempt(
                    brand_id=self.brand.id,
                    message_id=message.id,
                    number=1,
                    provider="outbox",
                    status=AttemptStatus.accepted,
                    started_at=START,
                    finished_at=START,
                )
            )
        return message

    async def answer(
        self,
        score: int,
        *,
        customer: Customer | None = None,
        order: dict[str, Any] | None = None,
        **said: Any,
    ) -> Response:
        """A whole path up to an answer: order, survey, message, response."""
        person = customer or await self.customer()
        bought = await self.order(person, **(order or {}))
        survey = await self.survey(bought, SurveyStatus.answered)
        at = said.get("answered_at", START)
        await self.message(SURVEY, person.id, survey.id, created_at=at)
        values = {"channel": Channel.email, "score": score, "answered_at": at, "first_answered_at": at}
        return await self._add(
            Response(
                brand_id=self.brand.id,
                survey_id=survey.id,
                order_id=bought.id,
                customer_id=person.id,
                **(values | said),
            )
        )

    async def terms_id(self) -> UUID:
        """The offer and reward terms in force."""
        return (await load_programme(self.session, self.brand.id)).terms_id

    async def code(self, customer_id: UUID, survey_id: UUID | None = None, **said: Any) -> Code:
        """A referrer, their code, and a delivered offer."""
        self.made += 1
        referrer = await self._add(
            Referrer(
                brand_id=self.brand.id,
                customer_id=customer_id,
                slug=f"slug{self.made}",
                shop_id=self.shop.id,
                survey_id=survey_id,
            )
        )
        values = {
            "code": f"CODE{self.made}",
            "display": f"CODE{self.made}",
            "terms_id": await self.terms_id(),
            "discount_kind": DiscountKind.percent,
            "discount_value": Decimal("10.00"),
            "currency": "EUR",
            "max_uses": 10,
            "starts_at": START,
            "expires_at": datetime(2099, 1, 1, tzinfo=UTC),
        }
        code = await self._add(Code(brand_id=self.brand.id, referrer_id=referrer.id, **(values | said)))
        await self._add(
            CodePublication(
                brand_id=self.brand.id,
                code_id=code.id,
                shop_id=self.shop.id,
                issued_id=code.id,
                code=code.display,
                terms_id=code.terms_id,
                expires_at=code.expires_at,
                state=PublicationState.live,
                live_at=START,
            )
        )
        await self.message(OFFER, customer_id, code.id)
        return code

    async def visit(self, code: Code) -> None:
        """An opening of the share link of the code's referrer."""
        visitor = new_id().bytes
        await self._add(
            Visit(brand_id=self.brand.id, referrer_id=code.referrer_id, visitor=visitor, at=START)
        )

    async def redemption(
        self, code: Code, status: RedemptionStatus = RedemptionStatus.approved, **order: Any
    ) -> Redemption:
        """A friend's order of 80.00 with the code, 8.00 off, and 10.00 of reward where it is
        approved."""
        friend = await self.customer()
        bought = await self.order(friend, discount_codes=[code.display], total=7200, **order)
        await self.survey(bought, SurveyStatus.planned)
        holds = status is not RedemptionStatus.refused
        made = await self._add(
            Redemption(
                brand_id=self.brand.id,
                order_id=bought.id,
                shop_id=bought.shop_id,
                code_id=code.id,
                referrer_id=code.referrer_id,
                friend_id=friend.id,
                friend_email_key=friend.email,
                one_per_friend=True,
                status=status,
                reason=None if holds else "minimum_not_met",
                amount_off=800,
                currency=bought.currency,
                terms_id=code.terms_id,
                holds_use=holds,
                approved_at=START if status is RedemptionStatus.approved else None,
            )
        )
        code.uses += int(holds)
        await self.book(
            made,
            LedgerAccount.discount_cost if holds else LedgerAccount.leaked_discount,
            LedgerAccount.friends,
            800,
        )
        await self._reward(made)
        return made

    async def _reward(self, redemption: Redemption) -> None:
        """10.00 where the redemption counts or may yet count; granted where it is approved."""
        approved = redemption.status is RedemptionStatus.approved
        if not approved and redemption.status not in (RedemptionStatus.pending, RedemptionStatus.in_review):
            return
        await self._add(
            Reward(
                brand_id=self.brand.id,
                redemption_id=redemption.id,
                referrer_id=redemption.referrer_id,
                kind=RewardKind.credit,
                amount=1000,
                net_amount=1000,
                currency=redemption.currency,
                status=RewardStatus.granted if approved else RewardStatus.pending,
                granted_at=START if approved else None,
                expires_at=START + timedelta(days=365) if approved else None,
            )
        )
        if approved:
            owed = {(redemption.referrer_id, redemption.currency): 1000}
            await change_balances(self.session, self.brand.id, owed)
            await self.book(redemption, LedgerAccount.reward_cost, LedgerAccount.referrers, 1000)

    async def book(
        self,
        redemption: Redemption,
        account: LedgerAccount,
        other: LedgerAccount,
        amount: int,
        *,
        key: str | None = None,
    ) -> None:
        transaction = new_id()
        for one, signed in ((account, amount), (other, -amount)):
            await self._add(
                LedgerEntry(
                    brand_id=self.brand.id,
                    transaction_id=transaction,
                    transaction_key=key or f"{account}:{transaction}",
                    account=one,
                    amount=signed,
                    currency=redemption.currency,
                    cause_kind=CauseKind.redemption,
                    cause_id=redemption.id,
                    referrer_id=redemption.referrer_id,
                    occurred_at=START,
                    posted_on=START.date(),
                )
            )
