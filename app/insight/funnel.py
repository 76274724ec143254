"""The whole path from an order to an approved redemption, and what it brought and cost.

The orders placed in a period are followed as far as they came, whenever that was, so no stage mixes two clocks and the numbers of
an old period only grow. Test orders and imported history are left out. The stages:

- `orders`: placed in the period; `surveyed`: a provider accepted their survey, or that about another
  occasion in the period;
- `delivered`: it arrived (by the provider's word or because it was answered; on a channel without receipts: was accepted);
- `answered`; `promoters`: answers of 9 or 10;
- `offers_delivered`: people whom such an answer made a referrer and whose offer arrived (as above);
- `shared`: of these, whose link was opened or code was used by a friend: the sharing itself happens on their own phone, unseen;
- `friend_visits`: openings of their links; `redemptions`: friends' orders whose code counted; `approved`: of these, rewarded.

Without a period, referrers who came by no answer (imported advocates) are counted too.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from decimal import Decimal
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncSession

from app.base import money
from app.brands.find import load_shops
from app.insight.periods import Period, binds, within
from app.insight.schemas import AccountFigures, FunnelReport, StageCount

STAGES = (
    "orders",
    "surveyed",
    "delivered",
    "answered",
    "promoters",
    "offers_delivered",
    "shared",
    "friend_visits",
    "redemptions",
    "approved",
)


@dataclass(frozen=True, slots=True)
class Stages:
    """How many came how far; each field is a stage of the path."""

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


@dataclass(frozen=True, slots=True)
class Account:
    """What referred orders brought and cost in one currency, in minor units.

    `revenue` is what is left of the friends' orders after refunds, of redemptions that still count. Costs are the ledger's.
    """

    currency: str
    revenue: int = 0
    discount_cost: int = 0
    leaked_discount: int = 0
    reward_cost: int = 0
    message_cost: int | None = None
    """What providers charged; None while no provider tells us."""

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
    """The path's stages and its accounts, one a currency; there is always one, the currency with the most revenue first."""

    stages: Stages
    accounts: list[Account]


_ARRIVED = "coalesce(bool_or(m.status IN ('delivered', 'complained')), false)"
_ACCEPTED = "coalesce(bool_or(m.sent_at IS NOT NULL), false)"
_RECEIPTS = "coalesce(bool_or(m.status IN ('delivered', 'bounced', 'complained')), false)"
"""Of one subject's messages: arrived by the provider's word, handed over, and whether the provider gives its word at all."""


def _cohort(period: Period) -> str:
    return f"""
        cohort AS (
            SELECT o.brand_id, 'order' AS cause_kind, o.id AS cause_id FROM orders o
            WHERE o.brand_id = :brand AND NOT o.test AND NOT o.history AND {within("o.placed_at", period)}
            UNION ALL
            SELECT s.brand_id, s.cause_kind, s.cause_id FROM surveys s
            WHERE s.brand_id = :brand AND s.cause_kind <> 'order' AND {within("s.triggered_at", period)}
        )
    """


def _chosen(period: Period) -> str:
    """The referrers whom the cohort's answers made; without a period all referrers."""
    made = "JOIN surveys s ON s.brand_id = f.brand_id AND s.id = f.survey_id JOIN cohort ON cohort.cause_kind = s.cause_kind AND cohort.cause_id = s.cause_id"
    return f"chosen AS (SELECT f.id, f.customer_id FROM referrers f {'' if period == Period() else made} WHERE f.brand_id = :brand)"


async def funnel(session: AsyncSession, brand_id: int, period: Period) -> Funnel:
    """Follow the orders placed in the period; a few queries, however many orders there are."""
    values = binds(brand_id, period)
    orders = await session.scalar(
        text(f"WITH {_cohort(period)} SELECT count(*) FROM cohort WHERE cause_kind = 'order'"), values
    )
    asked = (await session.execute(text(_asked(period)), values)).all()
    offered = (await session.execute(text(_offered(period)), values)).all()
    referred = (await session.execute(text(_referred(period)), values)).one()
    stages = Stages(
        orders=orders or 0,
        surveyed=sum(row.surveyed for row in asked),
        delivered=sum(row.arrived if row.receipts else row.accepted for row in asked),
        answered=sum(row.answered for row in asked),
        promoters=sum(row.promoters for row in asked),
        offers_delivered=_people_reached(offered),
        **referred._mapping,  # noqa: SLF001  # SQLAlchemy's public name for it
    )
    rows = await session.execute(text(_money(period)), values)
    accounts = [Account(**row) for row in rows.mappings()]
    if not accounts:
        shops = await load_shops(session, brand_id)
        accounts = [Account(next((shop.currency for shop in shops.values()), "EUR"))]
    return Funnel(stages, accounts)


def _people_reached(offered: Sequence[Row[Any]]) -> int:
    """Who got the offer on either channel; rows count people by the channels they were written to and what came of it."""
    receipts = {
        channel
        for row in offered
        for channel, reported in (("email", row.email_reported), ("sms", row.sms_reported))
        if reported
    }

    def reached(row: Row[Any]) -> bool:
        email = row.email_arrived if "email" in receipts else row.email_accepted
        sms = row.sms_arrived if "sms" in receipts else row.sms_accepted
        return bool(email or sms)

    return sum(row.people for row in offered if reached(row))


def _asked(period: Period) -> str:
    """By channel. A survey that was answered arrived, so its messages need no look."""
    return f"""
        WITH {_cohort(period)}, asked AS (
            SELECT s.id, s.channel, r.score FROM cohort
            JOIN surveys s ON s.brand_id = cohort.brand_id AND s.cause_kind = cohort.cause_kind
                AND s.cause_id = cohort.cause_id AND s.sent_at IS NOT NULL
            LEFT JOIN responses r ON r.brand_id = s.brand_id AND r.survey_id = s.id
        ), reported AS (
            SELECT asked.channel, asked.score, {_ARRIVED} AS arrived, {_ACCEPTED} AS accepted, {_RECEIPTS} AS receipts
            FROM asked LEFT JOIN messages m ON m.brand_id = :brand AND m.template IN ('survey', 'reminder') AND m.subject_id = asked.id
            GROUP BY asked.id, asked.channel, asked.score
        )
        SELECT channel, count(*) AS surveyed, count(*) FILTER (WHERE arrived OR score IS NOT NULL) AS arrived,
            count(*) FILTER (WHERE accepted OR score IS NOT NULL) AS accepted, bool_or(receipts) AS receipts,
            count(score) AS answered, count(*) FILTER (WHERE score >= 9) AS promoters
        FROM reported GROUP BY channel
    """


def _offered(period: Period) -> str:
    email, sms = "FILTER (WHERE m.channel = 'email')", "FILTER (WHERE m.channel = 'sms')"
    arrived, accepted = "bool_or(m.status IN ('delivered', 'complained'))", "bool_or(m.sent_at IS NOT NULL)"
    reported = "bool_or(m.status IN ('delivered', 'bounced', 'complained'))"
    return f"""
        WITH {_cohort(period)}, {_chosen(period)}, offered AS (
            SELECT {arrived} {email} AS email_arrived, {accepted} {email} AS email_accepted, {reported} {email} AS email_reported,
                {arrived} {sms} AS sms_arrived, {accepted} {sms} AS sms_accepted, {reported} {sms} AS sms_reported
            FROM chosen JOIN messages m ON m.brand_id = :brand AND m.customer_id = chosen.customer_id AND m.template = 'offer'
            GROUP BY m.customer_id
        )
        SELECT email_arrived, email_accepted, email_reported, sms_arrived, sms_accepted, sms_reported, count(*) AS people
        FROM offered GROUP BY 1, 2, 3, 4, 5, 6
    """


def _referred(period: Period) -> str:
    return f"""
        WITH {_cohort(period)}, {_chosen(period)},
        visited AS (
            SELECT v.referrer_id, count(*) AS visits FROM chosen
            JOIN visits v ON v.brand_id = :brand AND v.referrer_id = chosen.id GROUP BY v.referrer_id
        ),
        used AS (
            SELECT d.referrer_id, count(*) FILTER (WHERE d.status <> 'refused') AS redemptions,
                count(*) FILTER (WHERE d.status = 'approved') AS approved
            FROM chosen JOIN redemptions d ON d.brand_id = :brand AND d.referrer_id = chosen.id
            JOIN orders o ON o.brand_id = d.brand_id AND o.id = d.order_id AND NOT o.test GROUP BY d.referrer_id
        )
        SELECT (SELECT count(*) FROM visited FULL JOIN used USING (referrer_id)) AS shared,
            (SELECT coalesce(sum(visits), 0)::bigint FROM visited) AS friend_visits,
            (SELECT coalesce(sum(redemptions), 0)::bigint FROM used) AS redemptions,
            (SELECT coalesce(sum(approved), 0)::bigint FROM used) AS approved
    """


def _money(period: Period) -> str:
    return f"""
        WITH {_cohort(period)}, {_chosen(period)},
        friends AS (
            SELECT d.id, d.status, o.currency,
                CASE WHEN o.cancelled_at IS NULL THEN greatest(0, o.total - o.refunded) ELSE 0 END AS remaining
            FROM chosen JOIN redemptions d ON d.brand_id = :brand AND d.referrer_id = chosen.id
            JOIN orders o ON o.brand_id = d.brand_id AND o.id = d.order_id AND NOT o.test
        ),
        lines AS (
            SELECT currency, remaining AS revenue, 0 AS discount_cost, 0 AS leaked_discount, 0 AS reward_cost
            FROM friends WHERE status IN ('pending', 'in_review', 'approved')
            UNION ALL
            SELECT l.currency, 0, CASE l.account WHEN 'discount_cost' THEN l.amount ELSE 0 END,
                CASE l.account WHEN 'leaked_discount' THEN l.amount ELSE 0 END, CASE l.account WHEN 'reward_cost' THEN l.amount ELSE 0 END
            FROM friends JOIN ledger_entries l ON l.brand_id = :brand AND l.cause_kind = 'redemption' AND l.cause_id = friends.id
        )
        SELECT currency, sum(revenue)::bigint AS revenue, sum(discount_cost)::bigint AS discount_cost,
            sum(leaked_discount)::bigint AS leaked_discount, sum(reward_cost)::bigint AS reward_cost
        FROM lines GROUP BY currency ORDER BY 2 DESC, 1
    """


def funnel_report(found: Funnel) -> FunnelReport:
    """The funnel as the API shows it.

    Amounts of several currencies are never added up: then the single fields are null and
    `by_currency` has them all.
    """
    figures = [_account_figures(account) for account in found.accounts]
    single = figures[0].__dict__ if len(figures) == 1 else dict.fromkeys(AccountFigures.model_fields)
    stages = asdict(found.stages)
    return FunnelReport(
        **single,
        **stages,
        stages=[StageCount(stage=stage, count=stages[stage]) for stage in STAGES],
        by_currency=figures,
    )


def _account_figures(account: Account) -> AccountFigures:
    def amount(minor: int) -> str:
        return money.to_text(minor, account.currency)

    roi = account.roi
    return AccountFigures(
        currency=account.currency,
        revenue=amount(account.revenue),
        discount_cost=amount(account.discount_cost),
        leaked_discount=amount(account.leaked_discount),
        reward_cost=amount(account.reward_cost),
        message_cost=None if account.message_cost is None else amount(account.message_cost),
        roi=None if roi is None else float(round(Decimal(roi), 4)),
    )
