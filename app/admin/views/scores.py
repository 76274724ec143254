"""The score in time and by group, and what offers brought, as the screen shows them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypedDict

from app.admin.texts import (
    UNKNOWN,
    certainty_text,
    country_text,
    duration_text,
    interval_text,
    language_text,
    percent_text,
    points_text,
    too_few_text,
)
from app.admin.views.cards import Scale, lead_name, scale_of
from app.admin.views.chart import Chart, line_chart
from app.admin.views.overview import BAND_NAMES, FEWEST, LINE_TITLES, group_name, score_point, score_row
from app.base import money
from app.base.i18n import N_, SOURCE, exact_decimal, translate
from app.insight.band_revenue import BandRevenue
from app.insight.lift import Lift
from app.insight.nps import ENOUGH, Counts, change, nps, wilson
from app.insight.offer_times import OfferTimes
from app.insight.period_scores import PeriodScores
from app.insight.schemas import NpsReport, Score, ScoreGroup
from app.insight.scores import By, Group
from app.insight.shares import Share, are_enough, difference
from app.surveys.rules import Band

_NAMES: Mapping[str, tuple[str, str]] = {
    "product": (N_("Product"), N_("Product, by its number or name")),
    "country": (N_("Country"), N_("Country of the order")),
    "channel": (N_("Channel"), N_("Channel of the answer")),
    "locale": (N_("Language"), N_("Language of the survey")),
    "shop": (N_("Shop"), N_("Shop")),
    "buyer": (N_("First or repeat"), N_("Whether they had ordered before")),
    "month": (N_("Month"), N_("Month of the answer")),
    "cohort": (N_("Cohort"), N_("Month of the order")),
}
GROUPINGS: Mapping[By, tuple[str, str]] = {By(word): _NAMES[word] for word in _NAMES if word in set(By)}
"""What the table may be by: the name of the choice, and of the column."""
MOST = 50
"""Groups shown."""
_KEYS = {
    "email": N_("e-mail"),
    "sms": N_("text message"),
    "first": N_("First order"),
    "repeat": N_("Had ordered before"),
}
_PLACES: Mapping[str, Callable[[str], str]] = {"country": country_text, "locale": language_text}
_WORDED = ("channel", "buyer")
"""Groupings whose keys are words of ours; a product may be called `email`."""
_CHART_WIDTH = 860
"""Nearly as broad as the page, so that its letters are hardly enlarged."""


@dataclass(frozen=True, slots=True)
class GroupRow:
    """A group of the table."""

    name: str
    responses: int
    score: str
    certainty: str
    promoters: int
    passives: int
    detractors: int


@dataclass(frozen=True, slots=True)
class BandRow:
    """Friends' orders of the referrers of one band; `kind` is empty for no answer."""

    kind: str
    name: str
    referrers: int
    orders: int
    revenue: str


@dataclass(frozen=True, slots=True)
class LiftText:
    """The comparison in words; `detail` is empty where there is nothing to compare."""

    title: str
    detail: str
    offered: str
    held_out: str


class ScoresValues(TypedDict):
    """The numbers of `admin/scores.html`; `chart` is None where there are too few answers."""

    name: str
    score: str
    scale: Scale | None
    certainty: str
    changed: str
    rate: str
    rate_detail: str
    chart: Chart | None
    line_title: str
    line_column: str
    line: list[list[str]]
    group_column: str
    groups: list[GroupRow]
    left_out: int
    offer_time: str
    offer_detail: str
    lift: LiftText
    bands: list[BandRow]
    fewest: int
    enough: int
    is_empty: bool


def scores_values(found: PeriodScores, by: By) -> ScoresValues:
    """The figures in words."""
    report, counts = found.report, counts_of(found.report)
    title, column = (translate(SOURCE, text) for text in LINE_TITLES[found.in_time])
    groups = report.groups or []
    offer_time, offer_detail = _time_texts(found.times)
    return {
        "name": lead_name(counts),
        "score": points_text(nps(counts)),
        "scale": scale_of(counts),
        "certainty": certainty_text(counts, SOURCE),
        "changed": change_sentence(found.earlier, counts),
        "rate": percent_text(report.response_rate, SOURCE),
        "rate_detail": _rate_detail(report),
        "chart": line_chart([score_point(group, found.in_time) for group in found.line], width=_CHART_WIDTH),
        "line_title": title,
        "line_column": column,
        "line": [score_row(group, found.in_time) for group in found.line],
        "group_column": translate(SOURCE, GROUPINGS[by][1]),
        "groups": [_group_row(group, by) for group in groups[:MOST]],
        "left_out": max(0, len(groups) - MOST),
        "offer_time": offer_time,
        "offer_detail": offer_detail,
        "lift": lift_text(found.lift),
        "bands": [_band_row(each) for each in found.bands],
        "fewest": FEWEST,
        "enough": ENOUGH,
        "is_empty": not counts.responses,
    }


def counts_of(score: Score) -> Counts:
    """The counts of a score."""
    return Counts(score.promoters, score.passives, score.detractors)


def change_sentence(earlier: Counts | None, now: Counts) -> str:
    """Whether the score changed since the period before, in plain words; empty for none before."""
    found = None if earlier is None else change(earlier, now)
    if earlier is None or found is None:
        return ""
    if min(earlier.responses, now.responses) < ENOUGH:
        return translate(
            SOURCE,
            "Too few answers to compare with the time before: %(now)s now, %(before)s then.",
            now=f"{now.responses:,}",
            before=f"{earlier.responses:,}",
        )
    points = f"{found.points:+.0f}".replace("-", "\N{MINUS SIGN}")
    text = (
        N_("%(points)s points compared with the time before: chance alone can explain it.")
        if found.is_noise
        else N_("%(points)s points compared with the time before: more than chance explains.")
    )
    return translate(SOURCE, text, points=points)


def lift_text(found: Lift) -> LiftText:
    """Whether those with an offer order again more often than those held out."""
    offered, held_out = _share_text(found.offered), _share_text(found.held_out)
    if not found.held_out.whole:
        title = translate(
            SOURCE, "Nobody was held out. Set a holdout in the terms to see what offers bring beyond chance."
        )
        return LiftText(title, "", offered, held_out)
    if not are_enough(found.offered, found.held_out):
        fewer = min(found.offered.whole, found.held_out.whole)
        return LiftText(too_few_text(fewer, SOURCE).capitalize(), "", offered, held_out)
    both = difference(found.offered, found.held_out)
    assert both is not None  # noqa: S101  # both groups have people
    middle = (found.offered.value or 0.0) - (found.held_out.value or 0.0)
    low, high = _points(both.low), _points(both.high)
    text = (
        N_("%(points)s points, which chance alone can explain")
        if both.low <= 0 <= both.high
        else N_("%(points)s points, which chance does not explain")
    )
    return LiftText(
        translate(SOURCE, text, points=_points(middle)),
        translate(SOURCE, "between %(low)s and %(high)s points with 95%% certainty", low=low, high=high),
        offered,
        held_out,
    )


def _share_text(share: Share) -> str:
    """`12.5% (5 of 40)`."""
    return translate(
        SOURCE,
        "%(rate)s (%(part)s of %(whole)s)",
        rate=percent_text(share.value, SOURCE),
        part=f"{share.part:,}",
        whole=f"{share.whole:,}",
    )


def _points(fraction: float) -> str:
    return f"{100 * fraction:+.1f}".replace("-", "\N{MINUS SIGN}")


def _rate_detail(report: NpsReport) -> str:
    found = wilson(report.answered, report.delivered)
    if found is None:
        return translate(SOURCE, "no survey arrived yet")
    return translate(
        SOURCE,
        "%(answered)s of %(delivered)s; %(low)s to %(high)s with 95%% certainty",
        answered=f"{report.answered:,}",
        delivered=f"{report.delivered:,}",
        low=percent_text(found.low, SOURCE),
        high=percent_text(found.high, SOURCE),
    )


def _group_row(group: ScoreGroup, by: By) -> GroupRow:
    counts = counts_of(group)
    return GroupRow(
        _key_text(group.key, by),
        counts.responses,
        points_text(nps(counts)),
        interval_text(counts, SOURCE),
        counts.promoters,
        counts.passives,
        counts.detractors,
    )


def _key_text(key: str | None, by: By) -> str:
    """The name of a group: `Mar 2026` for a month, else what the shop calls it."""
    if key is None or by in LINE_TITLES:
        return group_name(Group(key, Counts()), by, "yMMMd")
    if by.value == "cohort":
        return group_name(Group(key, Counts()), By.month, "yMMMd")
    if by.value in _PLACES:
        return _PLACES[by.value](key)
    return translate(SOURCE, _KEYS[key]) if key in _KEYS and by.value in _WORDED else key


def _time_texts(found: OfferTimes) -> tuple[str, str]:
    """Within which time 95 % had their offer; and half of them, and 99 %."""
    if found.p50 is None or found.p95 is None or found.p99 is None:
        return UNKNOWN, translate(SOURCE, "no offer was sent yet")
    half, most, all_but_one = (duration_text(each, SOURCE) for each in (found.p50, found.p95, found.p99))
    detail = translate(
        SOURCE,
        "of the answer; half of them within about %(half)s, 99%% within about %(slowest)s",
        half=half,
        slowest=all_but_one,
    )
    return most, detail


def _band_row(found: BandRevenue) -> BandRow:
    name = (
        translate(SOURCE, BAND_NAMES[Band(found.band)])
        if found.band
        else translate(SOURCE, "Had not answered")
    )
    revenue = exact_decimal(money.to_decimal(found.revenue, found.currency), found.currency, SOURCE)
    return BandRow(found.band or "", name, found.referrers, found.orders, revenue)
