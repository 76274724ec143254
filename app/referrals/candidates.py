"""A friend's order with codes, and all that is known when it is decided; no query in here."""

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID
from zoneinfo import ZoneInfo

from app.brands.programme import Programme, RewardKind
from app.referrals.models import Code
from app.referrals.rules import EligibilityInput, minor_of, period_of


@dataclass(frozen=True, slots=True)
class RedemptionCandidate:
    """A friend's order, placed or about to be, and the codes it carries. Amounts are minor units of `currency`."""

    key: UUID
    """The order's id; of two orders placed at one time the smaller is the earlier."""
    entered: tuple[str, ...]
    """Codes made comparable, in the shop's order."""
    slug: str | None
    customer_id: UUID | None
    email_key: str | None
    phone: str | None
    placed_at: datetime
    subtotal: int
    currency: str
    shop_currency: str
    """What rewards and the budget are reckoned in."""
    discounted: int = 0
    payment_key: bytes | None = None


@dataclass(slots=True)
class RedemptionContext:
    """What is known about a batch; the decisions of the batch itself are counted in as they fall (`take`)."""

    programme: Programme
    versions: Mapping[int, Programme]
    zone: ZoneInfo
    codes: Mapping[UUID, Code]
    owners: Mapping[UUID, "Owner"]
    existing: Collection[UUID]
    emails: set[str]
    phones: set[str]
    granted: Counter[UUID]
    spent: dict[tuple[datetime | None, str], int]
    payments: Collection[tuple[UUID, bytes]]
    uses: Counter[UUID] = field(default_factory=Counter)

    def eligibility_of(self, candidate: RedemptionCandidate, code: Code) -> EligibilityInput:
        """What decides whether this code counts for this order, as things stand within the batch."""
        terms, owner = self.versions[code.programme_version], self.owners[code.customer_id]
        budget = self.programme.reward.budget
        return EligibilityInput(
            redemptions_enabled=self.programme.redemptions_enabled
            and self.programme.runs_at(candidate.placed_at),
            disabled=code.disabled_at is not None or owner.revoked,
            expired=code.expires_at <= candidate.placed_at,
            uses_left=code.max_uses - code.uses - self.uses[code.id],
            own_order=owner.is_same(candidate),
            used_before=candidate.email_key in self.emails or candidate.phone in self.phones,
            existing_customer=candidate.key in self.existing,
            subtotal=candidate.subtotal,
            currency=candidate.currency,
            discount_kind=code.discount_kind,
            code_currency=code.currency,
            minimum_subtotal=code.minimum_subtotal,
            new_customers_only=terms.offer.new_customers_only,
            one_per_friend=terms.offer.one_per_friend,
            granted=self.granted[code.customer_id],
            cap=terms.reward.cap_per_referrer,
            reward=reward_of(terms, candidate.shop_currency),
            spent=self.spent.get(self._budget_key(candidate), 0),
            budget=None if budget is None else minor_of(budget.amount, candidate.shop_currency),
        )

    def take(self, candidate: RedemptionCandidate, code: Code) -> None:
        """Count in that this order won a use of this code."""
        terms = self.versions[code.programme_version]
        self.uses[code.id] += 1
        self.granted[code.customer_id] += 1
        budget_key = self._budget_key(candidate)
        self.spent[budget_key] = self.spent.get(budget_key, 0) + reward_of(terms, candidate.shop_currency)
        if terms.offer.one_per_friend:
            self.emails.update(filter(None, (candidate.email_key,)))
            self.phones.update(filter(None, (candidate.phone,)))

    def is_suspect(self, candidate: RedemptionCandidate, code: Code) -> bool:
        """Whether the friend paid as the referrer pays: a person has to look at it."""
        return (
            candidate.payment_key is not None and (code.customer_id, candidate.payment_key) in self.payments
        )

    def _budget_key(self, candidate: RedemptionCandidate) -> tuple[datetime | None, str]:
        return budget_key_of(self.programme, candidate, self.zone)


@dataclass(frozen=True, slots=True)
class Owner:
    """A code's referrer, as far as it takes to know their own orders."""

    customer_id: UUID
    email_key: str | None
    phone: str | None
    revoked: bool

    def is_same(self, candidate: RedemptionCandidate) -> bool:
        """Whether the buyer is the referrer: by the customer's row, the address without aliases, or the phone."""
        return (
            candidate.customer_id == self.customer_id
            or (self.email_key is not None and candidate.email_key == self.email_key)
            or (self.phone is not None and candidate.phone == self.phone)
        )


def reward_of(terms: Programme, currency: str) -> int:
    """What one redemption earns its referrer under these terms, in minor units of the shop's currency; 0 for thanks alone."""
    return 0 if terms.reward.kind is RewardKind.none else minor_of(terms.reward.value, currency)


def budget_key_of(
    programme: Programme, candidate: RedemptionCandidate, zone: ZoneInfo
) -> tuple[datetime | None, str]:
    """Which period's budget, in which currency, pays for this order's reward."""
    budget = programme.reward.budget
    period = None if budget is None else period_of(candidate.placed_at, budget.period, zone)
    return (None if period is None else period[0]), candidate.shop_currency
