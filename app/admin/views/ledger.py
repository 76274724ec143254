"""Balances and the ledger as their screens show them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from app.admin.ledger import ReferrerBalance
from app.admin.texts import short_day_text
from app.base.i18n import N_, SOURCE, exact_decimal, translate
from app.insight import words
from app.insight.words import word
from app.ledger.rules import CauseKind, LedgerAccount
from app.ledger.schemas import LedgerEntryRow, LedgerTotals, LiabilityShape
from app.referrals.rules import RewardStatus
from app.referrals.schemas import RewardRow

ACCOUNTS: dict[str, str] = {
    LedgerAccount.referrers: N_("Owed to referrers"),
    LedgerAccount.reward_cost: N_("Cost of rewards"),
    LedgerAccount.spent_rewards: N_("Used rewards"),
    LedgerAccount.lapsed_rewards: N_("Expired rewards"),
    LedgerAccount.discount_cost: N_("Cost of friends’ discounts"),
    LedgerAccount.leaked_discount: N_("Discounts that did not count"),
    LedgerAccount.friends: N_("Given to friends"),
}
CAUSES: dict[str, str] = {
    CauseKind.redemption: N_("a friend’s order"),
    CauseKind.reward: N_("a reward used or expired"),
    CauseKind.credit: N_("credit spent at your checkout"),
    CauseKind.shop_credit: N_("credit spent in the shop"),
    CauseKind.payable: N_("a payment"),
    CauseKind.adjustment: N_("goodwill"),
    CauseKind.withdrawal: N_("goodwill taken back"),
}

_TAKEN_BACK: words.Words = {RewardStatus.reversed: N_("taken back")}


@dataclass(frozen=True, slots=True)
class Figure:
    """An amount that opens its entries."""

    name: str
    amount: str
    href: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class CurrencyFigures:
    """The outcome of the rewards in one currency."""

    currency: str
    owed: Figure
    figures: Sequence[Figure]
    balances: bool
    is_overspent: bool
    """Whether more was refunded of orders after their rewards were spent than has expired."""


@dataclass(frozen=True, slots=True)
class BalanceRow:
    """One referrer's rewards in one currency; all amounts are of it."""

    referrer: str
    customer: str
    """Empty for one who is no customer."""
    name: str
    currency: str
    """Empty for no reward yet."""
    owed: str
    granted: str
    reversed: str
    used: str
    expired: str


@dataclass(frozen=True, slots=True)
class GoodwillRow:
    """Goodwill that a referrer was granted."""

    id: str
    at: datetime
    amount: str
    left: str
    """What was neither spent nor taken back."""
    state: str
    is_open: bool
    """Whether something can be taken back."""


@dataclass(frozen=True, slots=True)
class EntryRow:
    """A line of the ledger."""

    id: str
    day: str
    account: str
    amount: str
    cause: str
    cause_href: str
    referrer: str
    at: datetime


def currency_figures(report: Iterable[LiabilityShape]) -> list[CurrencyFigures]:
    """The figures of each currency, what is owed first."""
    return [
        CurrencyFigures(
            each.currency,
            _figure(N_("Owed to referrers"), each.outstanding, each.currency, LedgerAccount.referrers),
            [
                _figure(N_("Granted"), each.granted, each.currency, LedgerAccount.reward_cost),
                _figure(N_("Taken back"), each.reversed, each.currency, LedgerAccount.reward_cost),
                _figure(N_("Used"), each.used, each.currency, LedgerAccount.spent_rewards),
                _figure(N_("Expired"), each.expired, each.currency, LedgerAccount.lapsed_rewards),
            ],
            each.balances,
            Decimal(each.expired) < 0,
        )
        for each in report
    ]


def _figure(name: str, amount: str, currency: str, account: LedgerAccount) -> Figure:
    href = f"/admin/ledger?account={account}&currency={currency}"
    return Figure(translate(SOURCE, name), _amount(amount, currency), href)


def balance_rows(found: Iterable[ReferrerBalance]) -> list[BalanceRow]:
    """A row for each referrer and currency; one of nothing for who has no reward yet."""
    return [_balance_row(each, it) for each in found for it in each.by_currency or (None,)]


def _balance_row(found: ReferrerBalance, it: LiabilityShape | None) -> BalanceRow:
    person = found.customer
    name = (person.name or person.email or person.phone) if person else None
    amounts = ("outstanding", "granted", "reversed", "used", "expired")
    shown = ["–" if it is None else _amount(getattr(it, each), it.currency) for each in amounts]
    return BalanceRow(
        found.referrer,
        person.id if person else "",
        name or translate(SOURCE, "a referrer without a name"),
        it.currency if it else "",
        *shown,
    )


def goodwill_rows(found: Iterable[RewardRow]) -> list[GoodwillRow]:
    """A referrer's goodwill, each with what is left of it."""
    return [
        GoodwillRow(
            each.id,
            each.granted_at or each.created_at,
            _amount(each.amount, each.currency),
            _amount(str(Decimal(each.net_amount) - Decimal(each.used_amount)), each.currency),
            word(SOURCE, {**words.REWARDS, **_TAKEN_BACK}, each.status),
            each.status == RewardStatus.granted,
        )
        for each in found
    ]


def entry_rows(found: Iterable[LedgerEntryRow]) -> list[EntryRow]:
    """The lines of a list or of a transaction."""
    return [
        EntryRow(
            id=each.id,
            day=short_day_text(each.posted_on, SOURCE),
            account=account_name(each.account),
            amount=_amount(each.amount, each.currency),
            cause=cause_name(each.cause.kind),
            cause_href=cause_path(each.cause.kind, each.cause.id),
            referrer=each.referrer or "",
            at=each.occurred_at,
        )
        for each in found
    ]


def account_name(account: str) -> str:
    """The account in words."""
    return translate(SOURCE, ACCOUNTS[account]) if account in ACCOUNTS else account


def cause_name(kind: str) -> str:
    """What an entry was posted for, in words."""
    return translate(SOURCE, CAUSES[kind]) if kind in CAUSES else kind


def cause_path(kind: str, shown_id: str) -> str:
    """Where the cause is shown: the friend's order, else all that was posted for it."""
    is_order = kind == CauseKind.redemption
    return f"/admin/orders/{shown_id}" if is_order else f"/admin/ledger?cause={shown_id}"


def total_lines(totals: LedgerTotals) -> list[list[str]]:
    """The accounts as rows of a table: name, added, taken, balance, entries."""
    return [
        [
            f"{account_name(each.account)}, {each.currency}",
            _amount(each.added, each.currency),
            _amount(each.taken, each.currency),
            _amount(each.balance, each.currency),
            f"{each.entries:,}",
        ]
        for each in totals.accounts
    ]


def unbalanced_lines(totals: LedgerTotals) -> list[tuple[str, str]]:
    """Transactions that do not add up, each with what it adds up to."""
    return [(each.transaction, _amount(each.amount, each.currency)) for each in totals.unbalanced]


def _amount(amount: str, currency: str) -> str:
    return exact_decimal(Decimal(amount), currency, SOURCE)
