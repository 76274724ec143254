"""Shapes of the API: scores, funnel, one person's timeline and export."""

from datetime import datetime
from typing import Self, TypedDict

from pydantic import Field, JsonValue

from app.base.schemas import ApiModel
from app.brands.programme import Channel
from app.customers.schemas import CustomerExport, CustomerRow
from app.insight.nps import LEVEL, Counts, Interval, interval, nps
from app.ledger.schemas import LedgerEntryRow
from app.messaging.schemas import MessageDetail
from app.orders.schemas import OrderExport
from app.referrals.schemas import CodeRow, RedemptionRow, RewardRow
from app.surveys.schemas import ResponseDetail, SurveyRow


class IntervalShape(ApiModel):
    """Where the true value lies with the probability `level`."""

    low: float
    high: float
    level: float

    @classmethod
    def of(cls, found: Interval | None, places: int = 4) -> Self | None:
        """The shape of an interval, rounded to `places` decimals; None for None."""
        if found is None:
            return None
        return cls(low=round(found.low, places), high=round(found.high, places), level=LEVEL)


class ScoreValues(TypedDict):
    """The fields of a `Score`."""

    responses: int
    promoters: int
    passives: int
    detractors: int
    nps: float | None
    interval: IntervalShape | None


class Score(ApiModel):
    """Counts, score and its interval; `nps` and `interval` are null without a response."""

    responses: int
    promoters: int
    passives: int
    detractors: int
    nps: float | None
    interval: IntervalShape | None

    @classmethod
    def values(cls, counts: Counts) -> ScoreValues:
        """The fields of a score, for `Score` and the shapes that extend it."""
        value = nps(counts)
        return {
            "responses": counts.responses,
            "promoters": counts.promoters,
            "passives": counts.passives,
            "detractors": counts.detractors,
            "nps": None if value is None else round(value, 4),
            "interval": IntervalShape.of(interval(counts)),
        }


class ScoreGroup(Score):
    """The score of one group: a week's key is its Monday, a month's is `2026-03`."""

    key: str | None


AS_OF: datetime | None = Field(
    default=None,
    description="What was known by then is counted; null: everything is. A brand of more than"
    " 10,000 orders is counted by day, for periods of whole days.",
)


class NpsReport(Score):
    """The score with the response rate of a period; rates are fractions of 1."""

    response_rate: float | None
    response_rate_interval: IntervalShape | None
    answered: int
    delivered: int
    from_: datetime | None = Field(alias="from")
    to: datetime | None
    as_of: datetime | None = AS_OF
    by: str | None = None
    groups: list[ScoreGroup] | None = Field(default=None, description="Only where `by` is given.")


class StageCount(ApiModel):
    """How many reached a stage."""

    stage: str
    count: int


class CurrencyFigures(ApiModel):
    """Revenue and cost of referred orders in one currency; amounts are decimal strings."""

    currency: str | None
    revenue: str | None
    discount_cost: str | None
    leaked_discount: str | None
    reward_cost: str | None
    message_cost: str | None = Field(description="Null while no provider reports it.")
    roi: float | None = Field(description="(revenue - cost) / cost; null where nothing was spent.")


class FunnelReport(CurrencyFigures):
    """How far the orders of a period came; amounts are null where there are several currencies."""

    stages: list[StageCount]
    orders: int
    surveyed: int
    delivered: int
    answered: int
    promoters: int
    offers_delivered: int
    shared: int
    friend_visits: int
    redemptions: int
    approved: int
    by_currency: list[CurrencyFigures]
    as_of: datetime | None = AS_OF


class ViolationShape(ApiModel):
    """A statement about the data that some rows violate; at most 100 of them are named."""

    name: str
    statement: str
    rows: list[str]


class ViolationList(ApiModel):
    """The statements that are violated; empty where the data agrees with itself."""

    data: list[ViolationShape]


class TimelineEntry(ApiModel):
    """One fact or decision about a person; the fields after `text` are present where they apply."""

    at: datetime
    kind: str
    text: str
    channel: Channel | str | None = None
    given: bool | None = None
    status: str | None = None
    reason: str | None = None
    order: str | None = None
    survey: str | None = None
    message: str | None = None
    template: str | None = None
    response: str | None = None
    score: int | None = None
    code: str | None = None
    redemption: str | None = None
    reward: str | None = None


class CustomerDetail(CustomerRow):
    """One person with everything that happened, oldest first."""

    timeline: list[TimelineEntry]

    @classmethod
    def of(cls, customer: CustomerRow, timeline: list[TimelineEntry]) -> Self:
        """A customer's row with their timeline."""
        return cls(**customer.__dict__, timeline=timeline)


class PersonMessage(MessageDetail):
    """A message with the address that it went to."""

    address: str | None


class PersonDelivery(ApiModel):
    """What a shop delivered about a person, as it was received; null once it is deleted."""

    id: str
    shop: str
    source: str
    topic: str
    received_at: datetime
    content: JsonValue
    fetched: JsonValue = Field(description="What was fetched from the platform for it.")


class PersonCustomer(CustomerExport):
    """One of a person's customer rows, with all that the brand holds of it."""

    orders: list[OrderExport]
    surveys: list[SurveyRow]
    responses: list[ResponseDetail]
    messages: list[PersonMessage]
    codes: list[CodeRow]
    redemptions: list[RedemptionRow] = Field(
        description="Friends' orders with their codes, and their own with somebody's code."
    )
    rewards: list[RewardRow]
    ledger: list[LedgerEntryRow]
    deliveries: list[PersonDelivery]
    timeline: list[TimelineEntry]


class PersonExport(ApiModel):
    """All that a brand stores about one person."""

    brand: str
    customers: list[PersonCustomer]
