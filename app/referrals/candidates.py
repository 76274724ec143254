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
from app.brands.programme import Programme
from app.brands.terms import Terms
from app.orders.rules import OrderMoney
from app.referrals.amount_rules import reward_for, reward_value
from app.referrals.budget_rules import BudgetKey, budget_key, budget_limit
from app.referrals.eligibility_rules import EligibilityInput, RewardLimits, why_no_reward
from app.referrals.models import Code
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
    ordered_before: bool = False
    """Whether the shop knows earlier orders of the buyer, whatever we know."""
    payment_key: bytes | None = None
    address_key: bytes | None = None
    money: OrderMoney | None = None
    """None while nothing is ordered: a basket earns nothing."""
    paid_at: datetime | None = None
    delivered_at: datetime | None = None
    shop_id: UUID | None = None
    """None for a basket."""
    redemption_id: UUID | None = None
    """The redemption that is decided anew; None for the first decision."""
    trial: bool = False
    """It neither uses up a friend's one code nor counts in the budget."""

    @property
    def marks(self) -> list[bytes]:
        """Keys of the address and the means of payment, by which a person is recognised."""
        return [key for key in (self.payment_key, self.address_key) if key is not None]


@dataclass(slots=True)
class RedemptionContext:
    """What is known about a batch; `take` adds each decision of the batch itself."""

    programme: Programme
    """The newest version: its switches, dates and budget hold for every code."""
    terms: Mapping[UUID, Terms]
    zone: ZoneInfo
    codes: Mapping[UUID, Code]
    """Those that the batch carries, and the parents of `friend` codes."""
    owners: Mapping[UUID, "CodeOwner"]
    """By referrer."""
    existing: Collection[UUID]
    """Keys of candidates whose person has ordered before."""
    emails: set[str]
    phones: set[str]
    counted: Counter[UUID]
    """Rewards of each referrer, pending ones included; those of nothing do not count."""
    spent: dict[BudgetKey, int]
    """What rewards cost so far, by budget."""
    marks: dict[tuple[UUID, bytes], dict[UUID | None, UUID]]
    """Who ordered to an address or by a means of payment, and their first redemption with it: the
    referrer and their friends, by referrer and key."""
    buyers: Collection[tuple[UUID, bytes]]
    """The buyer keys of the owners' own orders, by customer."""
    uses: Counter[UUID] = field(default_factory=Counter)

    def eligibility_of(self, candidate: RedemptionCandidate, code: Code) -> EligibilityInput:
        """What decides whether this code counts for this order, the batch's decisions included."""
        terms, owner = self.terms[code.terms_id], self.owners[code.referrer_id]
        counted = [self.codes[code_id] for code_id in counts_at(code)]
        return EligibilityInput(
            redemptions_enabled=self.programme.redemptions_enabled
            and self.programme.runs_at(candidate.placed_at),
            disabled=any(each.disabled_at is not None for each in counted) or owner.revoked,
            expired=code.expires_at <= candidate.placed_at,
            uses_left=min(each.max_uses - each.uses - self.uses[each.id] for each in counted),
            own_order=owner.is_buyer(candidate.customer_id, candidate.email_key, candidate.phone)
            or self._is_owners_account(owner, candidate),
            used_before=candidate.email_key in self.emails or candidate.phone in self.phones,
            existing_customer=candidate.key in self.existing,
            ordered_before=candidate.ordered_before,
            subtotal=candidate.subtotal,
            currency=candidate.currency,
            discount_kind=code.discount_kind,
            code_currency=code.currency,
            minimum_subtotal=code.minimum_subtotal,
            new_customers_only=terms.offer.new_customers_only,
            one_per_friend=terms.offer.one_per_friend and not candidate.trial,
        )

    def take(self, candidate: RedemptionCandidate, code: Code) -> "RedemptionDecision":
        """Decide that this order won a use of this code, and add it to what is known."""
        suspect = self.is_suspect(candidate, code)
        terms, budget = self.terms[code.terms_id], self._budget_of(candidate)
        reward = reward_of(terms, candidate)
        none_because = why_no_reward(
            reward,
            RewardLimits(
                granted=self.counted[code.referrer_id],
                cap=terms.reward.cap_per_referrer,
                spent=self.spent.get(budget, 0),
                budget=budget_limit(self.programme, candidate.shop_currency),
            ),
        )
        reward = 0 if none_because else reward
        review = RefusalReason.suspected_fraud if suspect else None
        if reward and candidate.currency != candidate.shop_currency:
            # Amounts are never converted, so nobody can tell whether it is more than the order.
            review = review or RefusalReason.currency_mismatch
        self.uses.update(counts_at(code))
        self.counted[code.referrer_id] += 1 if reward else 0
        if not candidate.trial:
            self.spent[budget] = self.spent.get(budget, 0) + reward
        self.remember(candidate, code)
        return RedemptionDecision(
            candidate, code, None, review=review, reward=reward, none_because=none_because
        )

    def release(self, candidate: RedemptionCandidate, reward: int) -> None:
        """Leave out of its budget what an order's present reward costs, which is decided anew."""
        if not candidate.trial:
            budget = self._budget_of(candidate)
            self.spent[budget] = self.spent.get(budget, 0) - reward

    def remember(self, candidate: RedemptionCandidate, code: Code) -> None:
        """Add the friend of an order that holds a use of this code to what is known."""
        if candidate.trial:
            return
        terms = self.terms[code.terms_id]
        for key in candidate.marks:
            people = self.marks.setdefault((code.referrer_id, key), {})
            people.setdefault(candidate.customer_id, candidate.redemption_id or new_id())
        if terms.offer.one_per_friend:
            self.emails.update(filter(None, (candidate.email_key,)))
            self.phones.update(filter(None, (candidate.phone,)))

    def is_suspect(self, candidate: RedemptionCandidate, code: Code) -> bool:
        """Whether a person has to decide.

        So it is where nothing identifies the friend, and where they live or pay as the referrer or
        an earlier friend of theirs does.
        """
        if candidate.email_key is None and candidate.phone is None:
            return True
        known = (self.marks.get((code.referrer_id, key), {}) for key in candidate.marks)
        return any(
            customer_id != candidate.customer_id
            and (candidate.redemption_id is None or first < candidate.redemption_id)
            for people in known
            for customer_id, first in people.items()
        )

    def _is_owners_account(self, owner: "CodeOwner", candidate: RedemptionCandidate) -> bool:
        """Whether the referrer has ordered by this account of the shop, under any address."""
        if owner.customer_id is None or candidate.buyer_key is None:
            return False
        return (owner.customer_id, candidate.buyer_key) in self.buyers

    def _budget_of(self, candidate: RedemptionCandidate) -> BudgetKey:
        return budget_key(self.programme, candidate.placed_at, candidate.shop_currency, self.zone)


@dataclass(frozen=True, slots=True)
class CodeOwner:
    """What identifies a code's referrer, so that their own orders are recognised."""

    customer_id: UUID | None
    email_key: str | None
    phone: str | None
    revoked: bool

    def is_buyer(self, customer_id: UUID | None, email_key: str | None, phone: str | None) -> bool:
        """Whether the buyer is the referrer: same customer, e-mail without aliases, or phone."""
        return (
            (self.customer_id is not None and customer_id == self.customer_id)
            or (self.email_key is not None and email_key == self.email_key)
            or (self.phone is not None and phone == self.phone)
        )


@dataclass(frozen=True, slots=True)
class RedemptionDecision:
    """The code of an order that won, or its first code and the reason why it was refused."""

    candidate: RedemptionCandidate
    code: Code
    reason: RefusalReason | None
    review: RefusalReason | None = None
    """Why a person must decide whether it counts."""
    reward: int = 0
    """In minor units of the currency of the order's shop."""
    none_because: RefusalReason | None = None
    """Why a redemption that counts earns nothing: the cap or the budget."""
    redemption_id: UUID = field(default_factory=new_id)


def counts_at(code: Code) -> tuple[UUID, ...]:
    """The codes at which a use of this one counts: itself, and its share code where it has one."""
    return (code.id,) if code.parent_id is None else (code.id, code.parent_id)


def reward_of(terms: Terms, candidate: RedemptionCandidate) -> int:
    """What the terms give for this order, in minor units of its shop's currency."""
    if candidate.money is None:
        return 0
    value = reward_value(terms.reward, candidate.shop_currency)
    return reward_for(
        value, candidate.money, currency=candidate.currency, reward_currency=candidate.shop_currency
    )
