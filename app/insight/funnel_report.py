"""The funnel as the API shows it."""

from dataclasses import asdict
from decimal import Decimal

from app.base import money
from app.insight.funnel import STAGES, CurrencyTotals, Funnel
from app.insight.schemas import CurrencyFigures, FunnelReport, StageCount


def funnel_report(found: Funnel) -> FunnelReport:
    """The stages and the amounts of each currency.

    Amounts of several currencies are never added up: then the single fields are null and
    `by_currency` has them all.
    """
    figures = [currency_figures(totals) for totals in found.totals]
    single = figures[0].__dict__ if len(figures) == 1 else dict.fromkeys(CurrencyFigures.model_fields)
    stages = asdict(found.stages)
    return FunnelReport(
        **single,
        **stages,
        stages=[StageCount(stage=stage, count=stages[stage]) for stage in STAGES],
        by_currency=figures,
        as_of=found.as_of,
    )


def currency_figures(totals: CurrencyTotals) -> CurrencyFigures:
    """Revenue and cost in one currency, as decimal strings."""

    def amount(minor: int) -> str:
        return money.to_text(minor, totals.currency)

    roi = totals.roi
    return CurrencyFigures(
        currency=totals.currency,
        revenue=amount(totals.revenue),
        discount_cost=amount(totals.discount_cost),
        leaked_discount=amount(totals.leaked_discount),
        reward_cost=amount(totals.reward_cost),
        message_cost=None if totals.message_cost is None else amount(totals.message_cost),
        roi=None if roi is None else float(round(Decimal(roi), 4)),
    )
