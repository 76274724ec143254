"""The cards at the top of the overview: one number each, with its context."""

from dataclasses import dataclass

from app.admin.texts import (
    amount_text,
    certainty_text,
    duration_text,
    percent_text,
    points_text,
    rounded_amount_text,
)
from app.base.i18n import N_, translate, translate_plural
from app.insight.funnel import Funnel
from app.insight.nps import interval, nps
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
        certainty_text(interval(found.counts), language),
        _nps_change(found, language),
    )
    rate_card = Card(
        translate(language, "Response rate"),
        percent_text(found.rate.value),
        _rate_detail(found.rate, language),
        _rate_change(found, language),
    )
    return [nps_card, rate_card, *_count_cards(found, language), _revenue_card(found.funnel, language)]


def _count_cards(found: Overview, language: str) -> list[Card]:
    stages, counts = found.funnel.stages, found.counts
    share = counts.promoters / counts.responses if counts.responses else None
    promoters = translate_plural(
        language,
        "%(share)s of %(answers)s answer",
        "%(share)s of %(answers)s answers",
        counts.responses,
        share=percent_text(share),
        answers=f"{counts.responses:,}",
    )
    approved = translate(language, "%(count)s approved", count=f"{stages.approved:,}")
    return [
        Card(translate(language, name), f"{value:,}", detail)
        for name, value, detail in (
            (N_("Promoters"), counts.promoters, promoters),
            (N_("Offers delivered"), stages.offers_delivered, _offer_detail(found.answer_to_offer, language)),
            (N_("Redemptions"), stages.redemptions, approved),
        )
    ]


def _revenue_card(funnel: Funnel, language: str) -> Card:
    first = funnel.totals[0]
    cost = amount_text(first.cost, first.currency)
    if len(funnel.totals) > 1:
        detail = translate(language, "cost %(amount)s and other currencies", amount=cost)
    else:
        detail = translate(language, "cost %(amount)s", amount=cost)
    revenue = rounded_amount_text(first.revenue, first.currency)
    return Card(translate(language, "Referred revenue"), revenue, detail)


def _change_mark(points: float) -> str:
    return "▲" if points > 0 else "▼" if points < 0 else "●"


def _nps_change(found: Overview, language: str) -> str:
    if found.changed is None:
        return ""
    points = found.changed.points
    text = translate(language, "%(points)s against the period before", points=f"{abs(points):.0f}")
    if found.changed.is_noise:
        text = translate(language, "%(change)s, within noise", change=text)
    return f"{_change_mark(points)} {text}"


def _rate_detail(rate: Rate, language: str) -> str:
    answered, delivered = f"{rate.answered:,}", f"{rate.delivered:,}"
    return translate(
        language, "%(answered)s of %(delivered)s delivered", answered=answered, delivered=delivered
    )


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
