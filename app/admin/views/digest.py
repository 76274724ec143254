"""The figures of a week as lines of a mail, in English as the dashboard is."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from app.admin.texts import certainty_text, points_text
from app.admin.views.cards import Card, lead_card, overview_cards
from app.base.i18n import SOURCE, long_date, skeleton_date, translate, translate_plural
from app.insight.nps import Counts, nps
from app.insight.overview import Overview


@dataclass(frozen=True, slots=True)
class WeekFigures:
    """A line for each figure; None for what somebody limited to some shops does not see."""

    score: str
    certainty: str
    change: str | None = None
    rate: str | None = None
    promoters: str | None = None
    offers: str | None = None
    orders: str | None = None
    revenue: str | None = None
    cost: str | None = None


def week_text(first: date, last: date) -> str:
    """`23 November to 29 November 2026`."""
    begun = skeleton_date(first, "MMMMd", SOURCE)
    return translate(SOURCE, "%(first)s to %(last)s", first=begun, last=long_date(last, SOURCE))


def week_figures(found: Overview, margin_percent: int | None) -> WeekFigures:
    """The lines of the whole brand, each with its change since the week before."""
    lead = lead_card(found)
    rate, promoters, offers, orders, revenue, cost = (
        _line(card) for card in overview_cards(found, margin_percent)
    )
    change = ", ".join(part for part in (lead.change, lead.note) if part)
    return WeekFigures(
        score=f"{lead.name}: {lead.value}",
        certainty=lead.detail,
        change=change and translate(SOURCE, "Beside the week before: %(change)s", change=change),
        rate=rate,
        promoters=promoters,
        offers=offers,
        orders=orders,
        revenue=revenue,
        cost=cost,
    )


def shops_figures(counts: Sequence[Counts]) -> WeekFigures:
    """The score of some shops together."""
    whole = Counts(
        sum(each.promoters for each in counts),
        sum(each.passives for each in counts),
        sum(each.detractors for each in counts),
    )
    name = translate_plural(
        SOURCE,
        "NPS of your shops, from one answer",
        "NPS of your shops, from %(num)s answers",
        whole.responses,
    )
    return WeekFigures(f"{name}: {points_text(nps(whole))}", certainty_text(whole, SOURCE))


def waiting_text(responses: int, orders: int, alarms: int) -> str:
    """What needs somebody, in a sentence each; that nothing does, where nothing does."""
    lines = []
    if responses:
        lines.append(
            translate_plural(
                SOURCE,
                "One unhappy customer waits for a reply.",
                "%(num)s unhappy customers wait for a reply.",
                responses,
            )
        )
    if orders:
        lines.append(
            translate_plural(
                SOURCE,
                "One friend’s order waits for a decision.",
                "%(num)s friends’ orders wait for a decision.",
                orders,
            )
        )
    if alarms:
        lines.append(
            translate_plural(SOURCE, "One alarm is unsolved.", "%(num)s alarms are unsolved.", alarms)
        )
    return " ".join(lines) or translate(SOURCE, "Nothing waits for anybody.")


def _line(card: Card) -> str:
    """`Friends’ orders: 12 (8 approved); 3 more, could be chance`."""
    text = f"{card.name}: {card.value} ({card.detail})"
    return f"{text}; {card.change}" if card.change else text
