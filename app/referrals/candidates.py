"""A friend's order with codes, all that is known when its redemption is decided, and the decision.

No query in here.
"""

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID
from zoneinfo import ZoneInfo

from app.base.ids import new_id
from app.brands.programme import Programme, RewardKind
from app.brands.terms import Terms
from app.referrals.amount_rules import minor_of
from app.referrals.eligibility_rules import EligibilityInput
from app.referrals.models import Code
from app.referrals.period_rules import period_of
from app.referrals.rules import RefusalReason


@dataclass(frozen=True, slots=True)
class RedemptionCandidate:
    """A friend's order, placed or about to be, and its codes.

    Amounts are minor units of `currency`.
    """

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
    """The currency of rewards and of the budget."""
    discounted: int = 0
    stated_discounts: Mapping[str, int] = field(default_factory=dict)
    """What the shop states that codes took off, by the code made comparable."""
    buyer_key: bytes | None = None
    """As in the order's row."""
    payment_key: bytes | None = None
    paid_at: datetime | None = None
    delivered_at: datetime | None = None


@dataclass(slots=True)
class RedemptionContext:
    """What is known about a batch; `take` adds each decision of the batch itself."""

    programme: Programme
    """The newest version: its switches, dates and budget hold for every code."""
    terms: Mapping[UUID, Terms]
    zone: ZoneInfo
    codes: Mapping[UUID, Code]
    owners: Mapping[UUID, "CodeOwner"]
    """By referrer."""
    existing: Collection[UUID]
    """Keys of candidates whose person has ordered before."""
    emails: set[str]
    phones: set[str]
    counted: Counter[UUID]
    """Redemptions of each referrer that are rewarded or may yet be."""
    spent: dict[tuple[datetime | None, str], int]
    """What rewards cost so far, by budget."""
    payments: Collection[tuple[UUID, bytes]]
    """The payment keys of the owners' own orders, by customer."""
    buyers: Collection[tuple[UUID, bytes]]
    """The buyer keys of the owners' own orders, by customer."""
    uses: Counter[UUID] = field(default_factory=Counter)

    def eligibility_of(self, candidate: RedemptionCandidate, code: Code) -> EligibilityInput:
        """What decides whether this code counts for this order, the batch's decisions included."""
        terms, owner = self.terms[code.terms_id], self.owners[code.referrer_id]
        budget = self.programme.reward.budget
        return EligibilityInput(
            redemptions_enabled=self.programme.redemptions_enabled
            and self.programme.runs_at(candidate.placed_at),
            disabled=code.disabled_at is not None or owner.revoked,
            expired=code.expires_at <= candidate.placed_at,
            uses_left=code.max_uses - code.uses - self.uses[code.id],
            own_order=owner.is_same(candidate) or self._is_owners_account(owner, candidate),
            used_before=candidate.email_key in self.emails or candidate.phone in self.phones,
            existing_customer=candidate.key in self.existing,
            subtotal=candidate.subtotal,
            currency=candidate.currency,
            discount_kind=code.discount_kind,
            code_currency=code.currency,
            minimum_subtotal=code.minimum_subtotal,
            new_customers_only=terms.offer.new_customers_only,
            one_per_friend=terms.offer.one_per_friend,
            granted=self.counted[code.referrer_id],
            cap=terms.reward.cap_per_referrer,
            reward=reward_amount(terms, candidate.shop_currency),
            spent=self.spent.get(self._budget_of(candidate), 0),
            budget=None if budget is None else minor_of(budget.amount, candidate.shop_currency),
        )

    def take(self, candidate: RedemptionCandidate, code: Code) -> None:
        """Add that this order won a use of this code."""
        terms, budget = self.terms[code.terms_id], self._budget_of(candidate)
        self.uses[code.id] += 1
        self.counted[code.referrer_id] += 1
        self.spent[budget] = self.spent.get(budget, 0) + reward_amount(terms, candidate.shop_currency)
        if terms.offer.one_per_friend:
            self.emails.update(filter(None, (candidate.email_key,)))
            self.phones.update(filter(None, (candidate.phone,)))

    def is_suspect(self, candidate: RedemptionCandidate, code: Code) -> bool:
        """Whether the friend paid as the referrer pays, so that a person has to decide."""
        customer_id = self.owners[code.referrer_id].customer_id
        if customer_id is None or candidate.payment_key is None:
            return False
        return (customer_id, candidate.payment_key) in self.payments

    def _is_owners_account(self, owner: "CodeOwner", candidate: RedemptionCandidate) -> bool:
        """Whether the referrer has ordered by this account of the shop, under any address."""
        if owner.customer_id is None or candidate.buyer_key is None:
            return False
        return (owner.customer_id, candidate.buyer_key) in self.buyers

    def _budget_of(self, candidate: RedemptionCandidate) -> tuple[datetime | None, str]:
        return budget_of(self.programme, candidate, self.zone)


@dataclass(frozen=True, slots=True)
class CodeOwner:
    """What identifies a code's referrer, so that their own orders are found."""

    customer_id: UUID | None
    email_key: str | None
    phone: str | None
    revoked: bool

    def is_same(self, candidate: RedemptionCandidate) -> bool:
        """Whether the buyer is the referrer: same customer, e-mail without aliases, or phone."""
        return (
            (self.customer_id is not None and candidate.customer_id == self.customer_id)
            or (self.email_key is not None and candidate.email_key == self.email_key)
            or (self.phone is not None and candidate.phone == self.phone)
        )


@dataclass(frozen=True, slots=True)
class RedemptionDecision:
    """The code of an order that won, or its first code and the reason why it was refused."""

    candidate: RedemptionCandidate
    code: Code
    reason: RefusalReason | None
    suspect: bool = False
    redemption_id: UUID = field(default_factory=new_id)


def reward_amount(terms: Terms, currency: str) -> int:
    """The reward of one redemption in minor units of the shop's currency; 0 for thanks alone."""
    return 0 if terms.reward.kind is RewardKind.none else minor_of(terms.reward.value, currency)


def budget_of(
    programme: Programme, candidate: RedemptionCandidate, zone: ZoneInfo
) -> tuple[datetime | None, str]:
    """The start (None: `total`) and the currency of the budget for this order's reward."""
    budget = programme.reward.budget
    period = None if budget is None else period_of(candidate.placed_at, budget.period, zone)
    return (None if period is None else period[0]), candidate.shop_currency
