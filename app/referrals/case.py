"""A friend's order with codes, and all that is known when it is decided; no query in here."""

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID
from zoneinfo import ZoneInfo

from app.brands.programme import Programme, RewardKind
from app.referrals.models import Code
from app.referrals.rules import Use, minor_of, period_of


@dataclass(frozen=True, slots=True)
class Case:
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
class Facts:
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

    def use_of(self, case: Case, code: Code) -> Use:
        """What decides whether this code counts for this order, as things stand within the batch."""
        terms, owner = self.versions[code.programme_version], self.owners[code.customer_id]
        budget = self.programme.reward.budget
        return Use(
            honoured=self.programme.honouring and self.programme.runs_at(case.placed_at),
            disabled=code.disabled_at is not None or owner.revoked,
            expired=code.expires_at <= case.placed_at,
            uses_left=code.max_uses - code.uses - self.uses[code.id],
            own_order=owner.is_same(case),
            used_before=case.email_key in self.emails or case.phone in self.phones,
            existing_customer=case.key in self.existing,
            subtotal=case.subtotal,
            currency=case.currency,
            discount_kind=code.discount_kind,
            code_currency=code.currency,
            minimum_subtotal=code.minimum_subtotal,
            new_customers_only=terms.offer.new_customers_only,
            one_per_friend=terms.offer.one_per_friend,
            granted=self.granted[code.customer_id],
            cap=terms.reward.cap_per_referrer,
            reward=reward_of(terms, case.shop_currency),
            spent=self.spent.get(self._purse(case), 0),
            budget=None if budget is None else minor_of(budget.amount, case.shop_currency),
        )

    def take(self, case: Case, code: Code) -> None:
        """Count in that this order won a use of this code."""
        terms = self.versions[code.programme_version]
        self.uses[code.id] += 1
        self.granted[code.customer_id] += 1
        purse = self._purse(case)
        self.spent[purse] = self.spent.get(purse, 0) + reward_of(terms, case.shop_currency)
        if terms.offer.one_per_friend:
            self.emails.update(filter(None, (case.email_key,)))
            self.phones.update(filter(None, (case.phone,)))

    def is_suspect(self, case: Case, code: Code) -> bool:
        """Whether the friend paid as the referrer pays: a person has to look at it."""
        return case.payment_key is not None and (code.customer_id, case.payment_key) in self.payments

    def _purse(self, case: Case) -> tuple[datetime | None, str]:
        return purse_of(self.programme, case, self.zone)


@dataclass(frozen=True, slots=True)
class Owner:
    """A code's referrer, as far as it takes to know their own orders."""

    customer_id: UUID
    email_key: str | None
    phone: str | None
    revoked: bool

    def is_same(self, case: Case) -> bool:
        """Whether the buyer is the referrer: by the customer's row, the address without aliases, or the phone."""
        return (
            case.customer_id == self.customer_id
            or (self.email_key is not None and case.email_key == self.email_key)
            or (self.phone is not None and case.phone == self.phone)
        )


def reward_of(terms: Programme, currency: str) -> int:
    """What one redemption earns its referrer under these terms, in minor units of the shop's currency; 0 for thanks alone."""
    return 0 if terms.reward.kind is RewardKind.none else minor_of(terms.reward.value, currency)


def purse_of(programme: Programme, case: Case, zone: ZoneInfo) -> tuple[datetime | None, str]:
    """Which period's budget, in which currency, pays for this order's reward."""
    budget = programme.reward.budget
    period = None if budget is None else period_of(case.placed_at, budget.period, zone)
    return (None if period is None else period[0]), case.shop_currency
