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

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from app.brands.find import load_shops
from app.brands.models import Brand
from app.insight.activity_figures import MONEY
from app.insight.figures import Counted, read_figures, rolled_as_of
from app.insight.funnel_figures import FUNNEL_MONEY, OFFERS, ORDERS, REFERRALS, SURVEYS, offer_states
from app.insight.periods import Period


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


FIGURES = (ORDERS, SURVEYS, OFFERS, REFERRALS, FUNNEL_MONEY)
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
    as_of: datetime | None = None
    """What was committed by then is counted; None: everything is."""


async def funnel(session: AsyncSession, brand: Brand, period: Period, shop_id: UUID | None = None) -> Funnel:
    """Follow the orders placed in the period; a few queries, however many orders there are.

    Of one shop where one is given: its orders, and all that came of them, in whatever shop.
    """
    as_of = await rolled_as_of(session, brand, period)
    found = await read_figures(session, brand, FIGURES, period, shop_id)
    return await funnel_of(session, brand, found, shop_id, as_of=as_of)


async def funnel_of(
    session: AsyncSession,
    brand: Brand,
    figures: Sequence[Sequence[Counted]],
    shop_id: UUID | None,
    *,
    as_of: datetime | None,
) -> Funnel:
    """The funnel that `FIGURES` count, read in this order."""
    orders, surveys, found, referrals, money = figures
    offers = [(offer_states(row["key"]), int(row["people"])) for row in found]
    reached = {
        name: sum(row[name] for row in referrals)
        for name in ("shared", "friend_visits", "redemptions", "approved")
    }
    stages = Stages(
        orders=sum(row["orders"] for row in orders),
        surveyed=sum(row["surveyed"] for row in surveys),
        delivered=sum(row["arrived"] if row["reported"] else row["accepted"] for row in surveys),
        answered=sum(row["responses"] for row in surveys),
        promoters=sum(row["promoters"] for row in surveys),
        offers_delivered=_offers_delivered(offers),
        **reached,
    )
    return Funnel(
        stages,
        await totals_of(session, brand.id, money, shop_id),
        surveys_confirmed=bool(surveys) and all(row["reported"] for row in surveys),
        offers_confirmed=_used_channels(offers) == _reporting_channels(offers) != set(),
        as_of=as_of,
    )


async def totals_of(
    session: AsyncSession, brand_id: int, rows: Sequence[Counted], shop_id: UUID | None = None
) -> list[CurrencyTotals]:
    """Sums by currency, the one with the most revenue first; zeros where there is none."""
    totals = [CurrencyTotals(row["key"], **{name: row[name] for name in MONEY}) for row in rows]
    if totals:
        return sorted(totals, key=lambda each: (-each.revenue, each.currency))
    shops = await load_shops(session, brand_id)
    currencies = [shop.currency for shop in shops.values() if shop_id in (None, shop.id)]
    return [CurrencyTotals(next(iter(currencies), "EUR"))]


_Offers = Sequence[tuple[Mapping[str, Mapping[str, bool | None]], int]]
"""How far people's offers came on each channel, and how many people they are."""


def _used_channels(offers: _Offers) -> set[str]:
    """The channels on which there are offers."""
    return {
        channel for states, _ in offers for channel, state in states.items() if state["reported"] is not None
    }


def _reporting_channels(offers: _Offers) -> set[str]:
    return {channel for states, _ in offers for channel, state in states.items() if state["reported"]}


def _offers_delivered(offers: _Offers) -> int:
    """The number of people whose offer arrived on either channel."""
    reporting = _reporting_channels(offers)

    def has_arrived(states: Mapping[str, Mapping[str, bool | None]]) -> bool:
        return any(
            state["arrived"] if channel in reporting else state["accepted"]
            for channel, state in states.items()
        )

    return sum(people for states, people in offers if has_arrived(states))
