"""What the API shows of terms that are not in force."""

from collections.abc import Mapping
from typing import Self

from pydantic import Field, JsonValue

from app.base.money import to_text
from app.base.schemas import ApiModel
from app.referrals.past_orders import AT_MOST
from app.referrals.preview_rules import OrderResult, PastCost
from app.referrals.samples import OfferSample
from app.referrals.terms_preview import PAST_DAYS, Example, Past, TermsPreview


class TermChange(ApiModel):
    """A term that differs; a part that is not there is null."""

    before: JsonValue
    after: JsonValue


class OrderShape(ApiModel):
    """What terms make of one order."""

    counts: bool = Field(description="Whether it reaches the minimum, in a currency that the terms have.")
    pays: str
    off: str
    reward: str

    @classmethod
    def of(cls, result: OrderResult, subtotal: int, currency: str) -> Self:
        """The schema of a result."""
        return cls(
            counts=result.counts,
            pays=to_text(subtotal - result.off, currency),
            off=to_text(result.off, currency),
            reward=to_text(result.reward, currency),
        )


class ExampleShape(ApiModel):
    """An order of the usual size, under the terms in force and under the others."""

    currency: str
    subtotal: str
    before: OrderShape
    after: OrderShape

    @classmethod
    def of(cls, example: Example) -> Self:
        """The schema of an example."""
        currency, subtotal = example.currency, example.subtotal
        return cls(
            currency=currency,
            subtotal=to_text(subtotal, currency),
            before=OrderShape.of(example.before, subtotal, currency),
            after=OrderShape.of(example.after, subtotal, currency),
        )


class CostShape(ApiModel):
    """What terms would have made of past orders."""

    counted: int
    below_minimum: int
    beyond_uses: int = Field(description="Orders after the last use of their code.")
    existing_customers: int = Field(
        description="Orders of friends who had ordered before, where the terms are for new ones alone."
    )
    capped: int = Field(description="Orders that counted without a reward: their referrer had enough.")
    over_budget: int = Field(description="Orders that counted without a reward: the budget was spent.")
    discounts: str
    rewards: str = Field(description="After refunds, which count as if they had been known at once.")

    @classmethod
    def of(cls, cost: PastCost, currency: str) -> Self:
        """The schema of a cost."""
        return cls(
            counted=cost.counted,
            below_minimum=cost.below_minimum,
            beyond_uses=cost.beyond_uses,
            existing_customers=cost.existing_customers,
            capped=cost.capped,
            over_budget=cost.over_budget,
            discounts=to_text(cost.discounts, currency),
            rewards=to_text(cost.rewards, currency),
        )


class PastShape(ApiModel):
    """Friends' orders of the last days in one currency, under both terms."""

    currency: str
    orders: int
    before: CostShape
    after: CostShape

    @classmethod
    def of(cls, past: Past) -> Self:
        """The schema of past orders."""
        return cls(
            currency=past.currency,
            orders=past.before.orders,
            before=CostShape.of(past.before, past.currency),
            after=CostShape.of(past.after, past.currency),
        )


class OfferWords(ApiModel):
    """What customers would read, in the brand's language."""

    headline: str = Field(description="To a promoter.")
    reward_rule: str = Field(description="When the referrer gets what; empty for thanks alone.")
    disclosure: str = Field(description="To a friend, about the reward; empty without one.")

    @classmethod
    def of(cls, sample: OfferSample) -> Self:
        """The texts of an offer that nobody has."""
        return cls(
            headline=sample.headline(),
            reward_rule=sample.texts.reward_rule,
            disclosure=sample.disclosure(),
        )


class ProgrammePreview(ApiModel):
    """What terms would change; nothing is saved."""

    version: int = Field(description="The version in force, which they are compared with.")
    changes: dict[str, TermChange] = Field(description="By place, such as `survey.delay_hours`.")
    examples: list[ExampleShape] = Field(description="One for each currency of the brand's shops.")
    past: list[PastShape] = Field(
        description=f"Of the newest {AT_MOST} friends' orders of the last {PAST_DAYS} days; "
        "empty where there was none."
    )
    words: OfferWords | None = Field(description="Null where the first shop would make no offer.")

    @classmethod
    def of(
        cls,
        version: int,
        changes: Mapping[str, tuple[JsonValue, JsonValue]],
        preview: TermsPreview,
        sample: OfferSample | None,
    ) -> Self:
        """The schema of a preview."""
        return cls(
            version=version,
            changes={place: TermChange(before=old, after=new) for place, (old, new) in changes.items()},
            examples=[ExampleShape.of(each) for each in preview.examples],
            past=[PastShape.of(each) for each in preview.past],
            words=None if sample is None else OfferWords.of(sample),
        )
