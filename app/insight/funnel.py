"""How far a period's orders came, from the order to an approved redemption, with revenue and cost.

The orders placed in a period are followed as far as they came, whenever that was. So every stage is
about the same orders, and the numbers of an old period only grow. Test orders,
trials and imported history are left out. The stages:

- `orders`: placed in the period;
- `surveyed`: a provider accepted their survey, or that about another cause in the period;
- `delivered`: the survey arrived, as the provider reports it or because it was answered; on a
  channel whose provider reports no deliveries: it was accepted;
- `answered`; `promoters`: responses of 9 or 10;
- `offers_delivered`: people whom such a response made a referrer and whose offer arrived, likewise;
- `shared`: of these, whose link was opened or whose code was used by a friend; the sharing itself
  happens on their own phone and cannot be observed;
- `friend_visits`: openings of their links;
- `redemptions`: friends' orders whose code was not refused; `approved`: those of them approved.

Without a period, referrers who came by no response (imported ones) are counted too.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncSession

from app.brands.find import load_shops
from app.insight import funnel_queries
from app.insight.periods import Period, binds


@dataclass(frozen=True, slots=True)
class Stages:
    """How many reached each stage, in the order of the stages."""

    orders: int = 0
    surveyed: int = 0
    delivered: int = 0
    answered: int = 0
    promoters: int = 0
    offers_delivered: int = 0
    shared: int = 0
    friend_visits: int = 0
    redemptions: int = 0
    approved: int = 0


STAGES = tuple(field.name for field in fields(Stages))


@dataclass(frozen=True, slots=True)
class CurrencyTotals:
    """Revenue and cost of referred orders in one currency, in minor units.

    `revenue` is what is left of the friends' orders after refunds, of redemptions that still count.
    Costs are the ledger's.
    """

    currency: str
    revenue: int = 0
    discount_cost: int = 0
    leaked_discount: int = 0
    reward_cost: int = 0
    message_cost: int | None = None
    """What providers charged; None while no provider reports it."""

    @property
    def cost(self) -> int:
        """Everything the programme cost, as far as it is known."""
        return self.discount_cost + self.leaked_discount + self.reward_cost + (self.message_cost or 0)

    @property
    def roi(self) -> float | None:
        """(revenue - cost) ÷ cost; None where nothing was spent."""
        return (self.revenue - self.cost) / self.cost if self.cost else None


@dataclass(frozen=True, slots=True)
class Funnel:
    """The stages, and the totals of each currency.

    `totals` is never empty; the currency with the most revenue is first.
    """

    stages: Stages
    totals: list[CurrencyTotals]
    surveys_confirmed: bool = False
    """Whether the surveys' providers report deliveries; otherwise those delivered were accepted."""
    offers_confirmed: bool = False
    """The same of offers."""


async def funnel(session: AsyncSession, brand_id: int, period: Period) -> Funnel:
    """Follow the orders placed in the period; a few queries, however many orders there are."""
    values = binds(brand_id, period)
    orders = await session.scalar(text(funnel_queries.orders(period)), values)
    surveys = (await session.execute(text(funnel_queries.surveys(period)), values)).all()
    offers = (await session.execute(text(funnel_queries.offers(period)), values)).all()
    referrals = (await session.execute(text(funnel_queries.referrals(period)), values)).one()
    stages = Stages(
        orders=orders or 0,
        surveyed=sum(row.surveyed for row in surveys),
        delivered=sum(row.arrived if row.reports_delivery else row.accepted for row in surveys),
        answered=sum(row.answered for row in surveys),
        promoters=sum(row.promoters for row in surveys),
        offers_delivered=_offers_delivered(offers),
        **referrals._mapping,  # noqa: SLF001  # SQLAlchemy's public name for it
    )
    rows = await session.execute(text(funnel_queries.totals(period)), values)
    totals = [CurrencyTotals(**row) for row in rows.mappings()]
    if not totals:
        shops = await load_shops(session, brand_id)
        totals = [CurrencyTotals(next((shop.currency for shop in shops.values()), "EUR"))]
    return Funnel(
        stages,
        totals,
        surveys_confirmed=bool(surveys) and all(row.reports_delivery for row in surveys),
        offers_confirmed=_used_channels(offers) == _reporting_channels(offers) != set(),
    )


def _used_channels(offers: Sequence[Row[Any]]) -> set[str]:
    """The channels on which there are offers: elsewhere the row has no value."""
    reported = [("email", row.email_reported) for row in offers] + [
        ("sms", row.sms_reported) for row in offers
    ]
    return {channel for channel, value in reported if value is not None}


def _reporting_channels(offers: Sequence[Row[Any]]) -> set[str]:
    reported = [("email", row.email_reported) for row in offers] + [
        ("sms", row.sms_reported) for row in offers
    ]
    return {channel for channel, value in reported if value}


def _offers_delivered(offers: Sequence[Row[Any]]) -> int:
    """The number of people whose offer arrived on either channel.

    `offers` counts people by the channels of their offers and how far these came.
    """
    reporting = _reporting_channels(offers)

    def has_arrived(row: Row[Any]) -> bool:
        email = row.email_arrived if "email" in reporting else row.email_accepted
        sms = row.sms_arrived if "sms" in reporting else row.sms_accepted
        return bool(email or sms)

    return sum(row.people for row in offers if has_arrived(row))
