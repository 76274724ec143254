"""The programme: when surveys are sent, what friend and referrer get, and the three switches.

Stored in versions, never changed.
"""

from datetime import datetime, time
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    PlainSerializer,
    WithJsonSchema,
    field_validator,
    model_validator,
)

from app.base.text import is_clean
from app.brands.amount_rules import Amounts


class Channel(StrEnum):
    """How a person is reached."""

    email = "email"
    sms = "sms"


class Trigger(StrEnum):
    """The fact about an order from which the survey's delay counts, in the order they come."""

    paid = "paid"
    fulfilled = "fulfilled"
    delivered = "delivered"


class DiscountKind(StrEnum):
    """How a discount is computed."""

    percent = "percent"
    amount = "amount"


class CodeStyle(StrEnum):
    """`random`: ten letters; `named`: ANA-7K4QX, easy to read aloud, partly guessable."""

    named = "named"
    random = "random"


class CodePer(StrEnum):
    """`referrer`: a code to share with all friends; `friend`: one for each friend, by the link."""

    referrer = "referrer"
    friend = "friend"


class RewardKind(StrEnum):
    """What a referrer gets: a code of their own, credit that can be spent, or thanks."""

    code = "code"
    credit = "credit"
    none = "none"


class HoldFrom(StrEnum):
    """The fact from which a hold is counted."""

    paid = "paid"
    delivered = "delivered"


class PartialRefund(StrEnum):
    """What a partial refund leaves of a reward."""

    proportional = "proportional"
    threshold = "threshold"


ClockTime = Annotated[
    time,
    PlainSerializer(lambda value: f"{value:%H:%M}", return_type=str),
    WithJsonSchema({"type": "string", "pattern": r"^([01]\d|2[0-3]):[0-5]\d$"}),
]
"""A local time of day, `20:00` in JSON."""


class _Terms(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class FallbackDays(_Terms):
    """Without the trigger fact the survey is due that many days after the next best one.

    Null waits without limit.
    """

    fulfilled: int | None = Field(default=7, ge=0, le=365)
    paid: int | None = Field(default=14, ge=0, le=365)


class QuietHours(_Terms):
    """Local times between which nobody is surveyed; may span midnight."""

    from_: ClockTime = Field(default=time(20), alias="from", json_schema_extra={"default": "20:00"})
    to: ClockTime = Field(default=time(9), json_schema_extra={"default": "09:00"})

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    @model_validator(mode="after")
    def _some_day_left(self) -> Self:
        if self.from_ == self.to:
            raise ValueError("quiet hours must leave some of the day; use null for none")
        return self


def _clean(text: str) -> str:
    if not is_clean(text):
        raise ValueError("must be one line without control or invisible characters")
    return text


Word = Annotated[str, Field(min_length=1, max_length=100), AfterValidator(_clean)]
"""A tag or source as a shop writes it, in one line."""


class Exclude(_Terms):
    """Orders that are never surveyed."""

    sources: list[Word] = Field(default=[], max_length=100)
    tags: list[Word] = Field(default=[], max_length=100)
    below_total: Amounts | None = None
    relays: bool = True
    """Also orders whose buyer has a marketplace's relay or a no-reply address."""


class SurveyTerms(_Terms):
    """When and how a customer is surveyed."""

    trigger: Trigger = Trigger.delivered
    delay_hours: int = Field(default=72, ge=0, le=8760)
    fallback_days: FallbackDays = FallbackDays()
    channels: list[Channel] = Field(default=[Channel.email], min_length=1, max_length=2)
    reminder_after_hours: int = Field(default=96, ge=1, le=8760)
    max_reminders: int = Field(default=1, ge=0, le=3)
    recontact_days: int = Field(default=90, ge=0, le=3650)
    sample_percent: int = Field(default=100, ge=0, le=100)
    max_per_day: int | None = Field(default=None, ge=0)
    expires_days: int = Field(default=30, ge=1, le=3650)
    quiet_hours: QuietHours | None = QuietHours()
    change_minutes: int = Field(default=60, ge=0, le=10080)
    exclude: Exclude = Exclude()


class Discount(_Terms):
    """The friend's discount: a percentage of the subtotal, or an amount in the shop's currency."""

    kind: DiscountKind = DiscountKind.percent
    value: Amounts = Decimal("10.00")

    @property
    def percent(self) -> Decimal:
        """The percentage; 0 for an amount."""
        return (
            Decimal(0) if isinstance(self.value, dict) else self.value * (self.kind is DiscountKind.percent)
        )

    @model_validator(mode="after")
    def _at_most_all(self) -> Self:
        if self.kind is DiscountKind.percent:
            if isinstance(self.value, dict):
                raise ValueError("a percentage is one number, the same in every currency")
            if self.value > 100:
                raise ValueError("a percent discount is at most 100")
        return self


Combination = Literal["shipping", "order", "product"]
"""Discounts of the shop's own: on shipping, on the whole order, on single products."""
COMBINATIONS: tuple[Combination, ...] = ("shipping", "order", "product")


class OfferTerms(_Terms):
    """What a promoter may offer to friends."""

    channels: list[Channel] = Field(default=[Channel.email, Channel.sms], min_length=1, max_length=2)
    friend_discount: Discount = Discount()
    minimum_subtotal: Amounts | None = None
    valid_days: int = Field(default=180, ge=1, le=3650)
    max_uses_per_code: int = Field(default=10, ge=1, le=1_000_000)
    new_customers_only: bool = True
    one_per_friend: bool = True
    code_style: CodeStyle = CodeStyle.random
    code_per: CodePer = CodePer.referrer
    combines_with: list[Combination] = ["shipping"]
    """What a code may stand beside in a cart. A connected shop's platform keeps it."""
    holdout_percent: int = Field(default=0, ge=0, le=100)

    @field_validator("combines_with")
    @classmethod
    def _in_one_order(cls, value: list[Combination]) -> list[Combination]:
        """Each once and in one order: the same terms have the same content."""
        return [each for each in COMBINATIONS if each in value]


class Budget(_Terms):
    """The most that rewards may cost in a period."""

    amount: Amounts
    """In a currency that it does not name nothing may be spent."""
    period: Literal["day", "week", "month", "year", "total"]


class RewardTerms(_Terms):
    """What the referrer gets, and when it is granted."""

    kind: RewardKind = RewardKind.code
    value: Amounts = Decimal("10.00")
    hold_days: int = Field(default=14, ge=0, le=365)
    hold_from: HoldFrom = HoldFrom.delivered
    """`delivered`: 30 days after the payment where no delivery is known."""
    partial_refund: PartialRefund = PartialRefund.proportional
    cap_per_referrer: int | None = Field(default=None, ge=0)
    """How many rewards one referrer may be granted in all."""
    budget: Budget | None = None
    valid_days: int = Field(default=365, ge=1, le=3650)
    """How long a reward can be used once it is granted."""


class Programme(_Terms):
    """The whole of the terms; every field left out of a PUT takes its default."""

    survey: SurveyTerms = SurveyTerms()
    offer: OfferTerms = OfferTerms()
    reward: RewardTerms = RewardTerms()
    surveys_enabled: bool = True
    offers_enabled: bool = True
    redemptions_enabled: bool = True
    starts_at: datetime | None = None
    ends_at: datetime | None = None

    @field_validator("starts_at", "ends_at", mode="before")
    @classmethod
    def _no_number(cls, value: object) -> object:
        if isinstance(value, (int, float, Decimal)):
            raise ValueError("write the time as text, such as 2026-05-01T00:00:00+02:00")  # noqa: TRY004
        return value

    @field_validator("starts_at", "ends_at")
    @classmethod
    def _with_zone(cls, value: datetime | None) -> datetime | None:
        if value is not None and value.tzinfo is None:
            raise ValueError("write the time with its zone, such as 2026-05-01T00:00:00+02:00")
        return value

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.starts_at and self.ends_at and self.ends_at <= self.starts_at:
            raise ValueError("ends_at must lie after starts_at")
        return self

    def keeping_switches(self, present: "Programme") -> "Programme":
        """These terms with the switches and dates of `present`, where they were left out.

        Raises pydantic's ValidationError where a date that is kept does not fit one that is new.
        """
        kept = present.as_json()
        left_out = SWITCHES - self.model_fields_set
        return Programme.model_validate(self.as_json() | {name: kept[name] for name in left_out})

    def rewarding_by(self, kind: RewardKind) -> "Programme":
        """These terms with rewards of another kind."""
        reward = self.reward.model_copy(update={"kind": kind})
        return self.model_copy(update={"reward": reward})

    def amounts(self) -> list[tuple[str, Amounts]]:
        """Every amount of money with its place, such as `reward.value`; no percentage."""
        discount, budget = self.offer.friend_discount, self.reward.budget
        found = {
            "survey.exclude.below_total": self.survey.exclude.below_total,
            "offer.friend_discount.value": discount.value if discount.kind is DiscountKind.amount else None,
            "offer.minimum_subtotal": self.offer.minimum_subtotal,
            "reward.value": None if self.reward.kind is RewardKind.none else self.reward.value,
            "reward.budget.amount": None if budget is None else budget.amount,
        }
        return [(place, value) for place, value in found.items() if value is not None]

    def runs_at(self, now: datetime) -> bool:
        """Whether `now` is within the programme's dates: from `starts_at`, before `ends_at`."""
        return (self.starts_at is None or self.starts_at <= now) and (
            self.ends_at is None or now < self.ends_at
        )

    def as_json(self) -> dict[str, Any]:
        """The terms as the API shows them and the database stores them."""
        return self.model_dump(mode="json", by_alias=True)


SWITCHES = frozenset({"surveys_enabled", "offers_enabled", "redemptions_enabled", "starts_at", "ends_at"})
"""Fields that are always read from the newest version, and that a PUT keeps where it leaves them
out."""
