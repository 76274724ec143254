"""The figures at the top of the overview: one number each, with its change and its context.

They count what happened in the period; the funnel below them follows the period's orders. A change
is named in words, and has a direction only where it is more than chance brings about.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from app.admin.texts import certainty_text, duration_text, percent_text, points_text, rounded_amount_text
from app.base import money
from app.base.i18n import N_, SOURCE, shown_amount, translate
from app.insight.activity import Activity
from app.insight.changes import count_p, rate_p
from app.insight.funnel import CurrencyTotals
from app.insight.nps import ENOUGH, LEVEL, Counts, interval, nps
from app.insight.overview import Overview
from app.insight.scores import Rate

SCALE = 280
"""Units of the drawing of the score's scale."""


@dataclass(frozen=True, slots=True)
class Card:
    """A number, its change since the period before, and what it is made of.

    `direction` is up, down, or empty where chance explains the change. `path` is the list of its
    rows.
    """

    name: str
    value: str
    change: str
    detail: str
    direction: str = ""
    path: str = ""


@dataclass(frozen=True, slots=True)
class Scale:
    """A score between -100 and 100 with its interval, in units of `SCALE`; no width: too few."""

    place: float
    start: float
    width: float
    spoken: str


@dataclass(frozen=True, slots=True)
class LeadCard:
    """The score: the largest number of the page."""

    name: str
    value: str
    change: str
    note: str
    detail: str
    scale: Scale | None


def lead_card(found: Overview, *, compared: bool = True) -> LeadCard:
    """The score with its interval, on the whole scale."""
    counts = found.counts
    change, note = _score_change(found) if compared else ("", "")
    return LeadCard(
        lead_name(counts),
        points_text(nps(counts)),
        change,
        note,
        certainty_text(counts, SOURCE),
        scale_of(counts),
    )


def lead_name(counts: Counts) -> str:
    """`NPS, from 1,204 answers`."""
    if counts.responses == 1:
        return translate(SOURCE, "NPS, from one answer")
    return translate(SOURCE, "NPS, from %(count)s answers", count=f"{counts.responses:,}")


def overview_cards(found: Overview, margin_percent: int | None, *, compared: bool = True) -> list[Card]:
    """The six figures in their order; without `compared` none has a change."""
    then = found.activity_before if compared else None
    before = found.counts_before.promoters if then is not None else None
    return [
        _rate_card(found.rate, found.rate_before if compared else None),
        _promoters_card(found.counts, before),
        _offers_card(found, then),
        _orders_card(found.activity, then),
        _revenue_card(found.activity, then),
        _cost_card(found.activity.totals, margin_percent),
    ]


def _score_change(found: Overview) -> tuple[str, str]:
    """The change of the score, and whether chance explains it."""
    if found.changed is None:
        return "", ""
    points = round(found.changed.points)
    text = _more_or_less(points, f"{abs(points)}", N_("%(amount)s more"), N_("%(amount)s less"))
    if min(found.counts.responses, found.counts_before.responses) < ENOUGH:
        return text, translate(SOURCE, "too few to compare")
    return text, translate(
        SOURCE, "could be chance" if found.changed.is_noise else "more than chance explains"
    )


def scale_of(counts: Counts) -> Scale | None:
    """The score on the whole scale; None without a response."""
    score, found = nps(counts), interval(counts)
    if score is None or found is None:
        return None

    def place(value: float) -> float:
        return round((value + 100) * SCALE / 200, 1)

    spoken = translate(SOURCE, "%(score)s on the scale from −100 to 100", score=points_text(score))
    if counts.responses < ENOUGH:
        return Scale(place(score), 0, 0, spoken)
    spoken += f"; {certainty_text(counts, SOURCE)}"
    return Scale(place(score), place(found.low), round(place(found.high) - place(found.low), 1), spoken)


def _rate_card(rate: Rate, before: Rate | None) -> Card:
    text = (
        N_("%(answered)s of %(delivered)s delivered")
        if rate.confirmed
        else N_("%(answered)s of %(delivered)s sent")
    )
    detail = translate(SOURCE, text, answered=f"{rate.answered:,}", delivered=f"{rate.delivered:,}")
    now, then = rate.value, before.value if before else None
    change, direction = "", ""
    if now is not None and then is not None and before is not None:
        points = 100 * (now - then)
        change = _more_or_less(
            round(points, 1), f"{abs(points):.1f}", N_("%(amount)s points more"), N_("%(amount)s points less")
        )
        p = rate_p(before.answered, before.delivered, rate.answered, rate.delivered)
        change, direction = _weighed(change, points, p)
    name = translate(SOURCE, "Response rate")
    return Card(name, percent_text(now, SOURCE), change, detail, direction, "/admin/answers?state=all")


def _promoters_card(counts: Counts, before: int | None) -> Card:
    share = counts.promoters / counts.responses if counts.responses else None
    detail = translate(SOURCE, "no answers yet")
    if share is not None:
        detail = translate(SOURCE, "%(share)s of the answers", share=percent_text(share, SOURCE))
    return _count_card(N_("Promoters"), counts.promoters, before, detail, "/admin/answers?band=promoter")


def _offers_card(found: Overview, then: Activity | None) -> Card:
    name = N_("Offers delivered") if found.activity.offers_confirmed else N_("Offers sent")
    seconds = found.answer_to_offer
    detail = translate(SOURCE, "nothing to time yet")
    if seconds is not None:
        duration = duration_text(seconds, SOURCE)
        detail = translate(SOURCE, "95%% within %(duration)s of the answer", duration=duration)
    return _count_card(name, found.activity.offers, then.offers if then else None, detail, "/admin/codes")


def _orders_card(now: Activity, then: Activity | None) -> Card:
    detail = translate(SOURCE, "%(count)s approved", count=f"{now.approved:,}")
    before = then.redemptions if then else None
    return _count_card(N_("Friends’ orders"), now.redemptions, before, detail, "/admin/orders")


def _count_card(name: str, value: int, before: int | None, detail: str, path: str) -> Card:
    change, direction = "", ""
    if before is not None:
        change = _more_or_less(
            value - before,
            f"{abs(value - before):,}",
            N_("%(amount)s more"),
            N_("%(amount)s fewer"),
            before=before,
        )
        if before:
            change, direction = _weighed(change, value - before, count_p(before, value))
    return Card(translate(SOURCE, name), f"{value:,}", change, detail, direction, path)


def _revenue_card(now: Activity, then: Activity | None) -> Card:
    first = now.totals[0]
    change = ""
    if then is not None:
        before = next((each.revenue for each in then.totals if each.currency == first.currency), 0)
        amount = rounded_amount_text(abs(first.revenue - before), first.currency, SOURCE)
        change = _more_or_less(
            first.revenue - before, amount, N_("%(amount)s more"), N_("%(amount)s less"), before=before
        )
    detail = N_("after refunds")
    if len(now.totals) > 1:
        detail = N_("after refunds; other currencies below")
    revenue = rounded_amount_text(first.revenue, first.currency, SOURCE)
    name = translate(SOURCE, "Referred revenue")
    return Card(name, revenue, change, translate(SOURCE, detail), "", "/admin/orders")


def _cost_card(totals: Sequence[CurrencyTotals], margin_percent: int | None) -> Card:
    first = totals[0]
    discounts = first.discount_cost + first.leaked_discount
    detail = translate(
        SOURCE,
        "%(discounts)s discounts, %(rewards)s rewards",
        discounts=shown_amount(discounts, first.currency, SOURCE),
        rewards=shown_amount(first.reward_cost, first.currency, SOURCE),
    )
    cost = rounded_amount_text(first.cost, first.currency, SOURCE)
    returned = return_text(first, margin_percent)
    return Card(translate(SOURCE, "What it cost"), cost, returned, detail, "", "/admin/rewards")


def return_text(totals: CurrencyTotals, margin_percent: int | None) -> str:
    """What came back for what was spent; with a margin the return, else revenue. Empty for no cost.

    Revenue is no return: only with the brand's margin is it known what is left of it.
    """
    spent = totals.cost
    if not spent:
        return ""
    if margin_percent is not None:
        left = percent_text((totals.revenue * margin_percent / 100 - spent) / spent, SOURCE)
        return translate(
            SOURCE, "%(left)s return at a margin of %(percent)s%%", left=left, percent=margin_percent
        )
    unit = 10 ** money.exponent(totals.currency)
    return translate(
        SOURCE,
        "%(amount)s revenue for each %(one)s",
        amount=shown_amount(totals.revenue * unit // spent, totals.currency, SOURCE),
        one=shown_amount(unit, totals.currency, SOURCE),
    )


def _more_or_less(change: float, amount: str, more: str, less: str, *, before: float = 1) -> str:
    """The change in words; a number that was nothing before is not compared."""
    if before == 0 and change:
        return translate(SOURCE, "none before")
    if change == 0:
        return translate(SOURCE, "as before")
    return translate(SOURCE, more if change > 0 else less, amount=amount)


def _weighed(text: str, change: float, p: float) -> tuple[str, str]:
    """A change with its direction; where chance explains it, it says so and has none."""
    if change == 0:
        return text, ""
    if p >= 1 - LEVEL:
        return translate(SOURCE, "%(change)s, could be chance", change=text), ""
    return text, "up" if change > 0 else "down"
