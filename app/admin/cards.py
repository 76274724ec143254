"""The cards at the top of the overview: one number each, with its context.

They count what happened in the period; the funnel below them follows the period's orders.
"""

from dataclasses import dataclass

from app.admin.texts import certainty_text, duration_text, percent_text, points_text, rounded_amount_text
from app.base.i18n import N_, shown_amount, translate, translate_plural
from app.insight.activity import Activity
from app.insight.nps import ENOUGH, nps
from app.insight.overview import Overview
from app.insight.scores import Rate


@dataclass(frozen=True, slots=True)
class Card:
    """A number, what it is made of, and its change since the period before (empty for none)."""

    name: str
    value: str
    detail: str
    change: str = ""


def overview_cards(found: Overview, language: str) -> list[Card]:
    """The cards in their order."""
    nps_card = Card(
        translate(language, "NPS"),
        points_text(nps(found.counts)),
        certainty_text(found.counts, language),
        _nps_change(found, language),
    )
    rate_card = Card(
        translate(language, "Response rate"),
        percent_text(found.rate.value, language),
        _rate_detail(found.rate, language),
        _rate_change(found, language),
    )
    return [nps_card, rate_card, *_count_cards(found, language), _revenue_card(found, language)]


def _count_cards(found: Overview, language: str) -> list[Card]:
    now, then, counts = found.activity, found.activity_before, found.counts
    share = counts.promoters / counts.responses if counts.responses else None
    promoters = translate_plural(
        language,
        "%(share)s of %(answers)s answer",
        "%(share)s of %(answers)s answers",
        counts.responses,
        share=percent_text(share, language),
        answers=f"{counts.responses:,}",
    )
    approved = translate(language, "%(count)s approved", count=f"{now.approved:,}")
    offers = N_("Offers delivered") if now.offers_confirmed else N_("Offers handed to a provider")
    promoters_before = None if then is None else found.counts_before.promoters
    return [
        Card(translate(language, name), f"{value:,}", detail, _count_change(value, before, language))
        for name, value, detail, before in (
            (N_("Promoters"), counts.promoters, promoters, promoters_before),
            (
                offers,
                now.offers,
                _offer_detail(found.answer_to_offer, language),
                None if then is None else then.offers,
            ),
            (N_("Friends’ orders"), now.redemptions, approved, None if then is None else then.redemptions),
        )
    ]


def _revenue_card(found: Overview, language: str) -> Card:
    totals = found.activity.totals
    first = totals[0]
    cost = shown_amount(first.cost, first.currency, language)
    if len(totals) > 1:
        detail = translate(language, "cost %(amount)s and other currencies", amount=cost)
    else:
        detail = translate(language, "cost %(amount)s", amount=cost)
    revenue = rounded_amount_text(first.revenue, first.currency, language)
    before = _revenue_before(found.activity_before, first.currency)
    name, change = translate(language, "Referred revenue"), ""
    if before is not None:
        amount = rounded_amount_text(abs(first.revenue - before), first.currency, language)
        text = translate(language, "%(points)s against the period before", points=amount)
        change = f"{_change_mark(first.revenue - before)} {text}"
    return Card(name, revenue, detail, change)


def _revenue_before(then: Activity | None, currency: str) -> int | None:
    """The revenue of the period before in a currency; None where there is no such period."""
    if then is None:
        return None
    return next((totals.revenue for totals in then.totals if totals.currency == currency), 0)


def _count_change(value: int, before: int | None, language: str) -> str:
    if before is None:
        return ""
    text = translate(language, "%(points)s against the period before", points=f"{abs(value - before):,}")
    return f"{_change_mark(value - before)} {text}"


def _change_mark(points: float) -> str:
    return "▲" if points > 0 else "▼" if points < 0 else "●"


def _nps_change(found: Overview, language: str) -> str:
    if found.changed is None:
        return ""
    points = found.changed.points
    text = translate(language, "%(points)s against the period before", points=f"{abs(points):.0f}")
    if min(found.counts.responses, found.counts_before.responses) < ENOUGH:
        text = translate(language, "%(change)s, too few to compare", change=text)
    elif found.changed.is_noise:
        text = translate(language, "%(change)s, within noise", change=text)
    return f"{_change_mark(points)} {text}"


def _rate_detail(rate: Rate, language: str) -> str:
    answered, delivered = f"{rate.answered:,}", f"{rate.delivered:,}"
    text = (
        N_("%(answered)s of %(delivered)s delivered")
        if rate.confirmed
        else N_("%(answered)s of %(delivered)s handed to a provider")
    )
    return translate(language, text, answered=answered, delivered=delivered)


def _rate_change(found: Overview, language: str) -> str:
    now, then = found.rate.value, found.rate_before.value if found.rate_before else None
    if now is None or then is None:
        return ""
    points = 100 * (now - then)
    text = translate(language, "%(points)s points against the period before", points=f"{abs(points):.1f}")
    return f"{_change_mark(points)} {text}"


def _offer_detail(seconds: float | None, language: str) -> str:
    if seconds is None:
        return translate(language, "nothing to time yet")
    duration = duration_text(seconds, language)
    return translate(language, "95 %% within %(duration)s of the answer", duration=duration)
