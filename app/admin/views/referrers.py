"""Referrers as lines of the screen, and the choices of its filters."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from app.admin.referrers import ReferrerOrder
from app.base.i18n import N_, SOURCE, exact_decimal, skeleton_date, translate
from app.referrals.figure_models import ALL_TIME
from app.referrals.schemas import ReferrerRow
from app.referrals.share import share_url

ORDERS = {
    ReferrerOrder.revenue: N_("Most revenue"),
    ReferrerOrder.friends: N_("Most friends"),
    ReferrerOrder.profit: N_("Most profit"),
    ReferrerOrder.newest: N_("Newest"),
}
MONTHS = 12
"""How many months back can be chosen, the present one included."""


@dataclass(frozen=True, slots=True)
class ShownReferrer:
    """One referrer as a line of the list; texts are empty where there is nothing to say."""

    id: str
    name: str
    person: str
    """The page of the person; empty for a referrer who is no customer."""
    link: str
    visits: int
    friends: int
    orders: int
    revenue: str
    cost: str
    profit: str
    last_order_at: datetime | None
    revoked: bool


def referrer_rows(rows: Iterable[ReferrerRow], public_url: str) -> list[ShownReferrer]:
    """The lines of the list."""
    return [_shown(row, public_url) for row in rows]


def _shown(row: ReferrerRow, public_url: str) -> ShownReferrer:
    profit = None if row.profit is None else Decimal(row.profit)
    return ShownReferrer(
        id=row.id,
        name=row.name or row.email or row.phone or _nameless(row),
        person=f"/admin/customers/{row.customer}" if row.customer else "",
        link=share_url(public_url, row.slug),
        visits=row.visits,
        friends=row.friends,
        orders=row.orders,
        revenue=exact_decimal(Decimal(row.revenue), row.currency, SOURCE),
        cost=exact_decimal(Decimal(row.cost), row.currency, SOURCE),
        profit="" if profit is None else exact_decimal(profit, row.currency, SOURCE),
        last_order_at=row.last_order_at,
        revoked=row.revoked_at is not None,
    )


def _nameless(row: ReferrerRow) -> str:
    return translate(SOURCE, "A customer") if row.customer else translate(SOURCE, "No customer")


def order_choices(*, has_margin: bool) -> list[tuple[str, str]]:
    """What the list may begin with; profit only where it is known."""
    return [
        (each.value, translate(SOURCE, name))
        for each, name in ORDERS.items()
        if has_margin or each is not ReferrerOrder.profit
    ]


def span_choices(today: date, first: date) -> list[tuple[str, str]]:
    """All time, the last months, and the years since the brand's first."""
    choices = [(ALL_TIME, translate(SOURCE, "All time"))]
    year, month = today.year, today.month
    for _ in range(MONTHS):
        if (year, month) < (first.year, first.month):
            break
        choices.append((f"{year}-{month:02}", span_name(f"{year}-{month:02}")))
        year, month = (year, month - 1) if month > 1 else (year - 1, 12)
    return choices + [(str(each), str(each)) for each in range(today.year, first.year - 1, -1)]


def span_name(span: str) -> str:
    """`All time`, `2026` or `November 2026`."""
    if span == ALL_TIME:
        return translate(SOURCE, "All time")
    if "-" not in span:
        return span
    year, month = span.split("-")
    return skeleton_date(date(int(year), int(month), 1), "yMMMM", SOURCE)
