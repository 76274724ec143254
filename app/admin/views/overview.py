"""The overview's numbers as its page shows them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import TypedDict
from zoneinfo import ZoneInfo

from app.admin.texts import interval_text, moment_text, percent_text, points_text
from app.admin.views.cards import Card, LeadCard, lead_card, overview_cards, return_text
from app.admin.views.chart import Chart, Point, line_chart
from app.base import money
from app.base.i18n import N_, SOURCE, exact_decimal, skeleton_date, translate
from app.base.ids import public_id
from app.base.masking import mask_email, mask_name, without_addresses
from app.brands.models import Brand
from app.insight.funnel import STAGES, CurrencyTotals, Funnel
from app.insight.nps import ENOUGH, Counts, interval, nps
from app.insight.overview import LatestResponse, Overview
from app.insight.scores import By, Group
from app.surveys.rules import Band, band_of

_STAGE_NAMES = {
    "orders": N_("Orders"),
    "surveyed": N_("Surveys sent"),
    "delivered": N_("Surveys delivered"),
    "answered": N_("Answered"),
    "promoters": N_("Promoters"),
    "offers_delivered": N_("Offers delivered"),
    "shared": N_("Referrers whose link or code was used"),
    "friend_visits": N_("Friends’ visits, a person once a day"),
    "redemptions": N_("Friends’ orders"),
    "approved": N_("Friends’ orders approved"),
}
_STAGE_PATHS = {
    "answered": "/admin/answers?state=all",
    "promoters": "/admin/answers?band=promoter",
    "shared": "/admin/referrers",
    "redemptions": "/admin/orders",
    "approved": "/admin/orders?status=approved",
}
_UNCONFIRMED_NAMES = {
    "delivered": N_("Surveys accepted for delivery"),
    "offers_delivered": N_("Offers sent"),
}
"""The names where no provider reports what was delivered: what it accepted counts."""
BAND_NAMES: Mapping[Band, str] = {
    Band.detractor: N_("Detractors, 0–6"),
    Band.passive: N_("Passives, 7–8"),
    Band.promoter: N_("Promoters, 9–10"),
}
LINE_TITLES: Mapping[By, tuple[str, str]] = {
    By.week: (N_("NPS by week"), N_("Week of")),
    By.month: (N_("NPS by month"), N_("Month")),
}
FEWEST = 5
"""Weeks and months of fewer answers have no point; the band begins at `nps.ENOUGH`."""
_BAR = 360
"""Units of the bar of groups."""
_GAP = 3
_LATEST = 6


@dataclass(frozen=True, slots=True)
class BandBar:
    """A band of scores with its place on a bar of `_BAR` units."""

    kind: str
    name: str
    count: int
    share: str
    start: float
    width: float


@dataclass(frozen=True, slots=True)
class StageRow:
    """A stage of the funnel; `width` is of 100, `of_before` is empty where there is no share."""

    name: str
    count: int
    width: float
    of_before: str
    path: str
    """The list of its rows, where there is one."""


@dataclass(frozen=True, slots=True)
class TotalsRow:
    """Revenue and cost in one currency; `returned` is empty where nothing was spent."""

    currency: str
    revenue: str
    discount: str
    leaked: str
    reward: str
    messages: str
    returned: str


@dataclass(frozen=True, slots=True)
class ResponseRow:
    """One of the latest responses; `at` is in the brand's zone."""

    at: datetime
    shown_at: str
    customer_id: str
    customer: str
    score: int
    band: str
    comment: str | None


class OverviewValues(TypedDict):
    """The numbers of `admin/overview.html`; `chart` is None where there are too few responses."""

    lead: LeadCard
    cards: list[Card]
    totals: list[TotalsRow]
    chart: Chart | None
    fewest: int
    enough: int
    nps_title: str
    period_title: str
    groups: list[list[str]]
    bands: list[BandBar]
    spoken_bands: str
    stages: list[StageRow]
    latest: list[ResponseRow]


def overview_values(
    found: Overview, brand: Brand, *, pii: bool = False, compared: bool = True
) -> OverviewValues:
    """The overview, times in the brand's zone; without `compared` no figure has a change.

    Unless `pii`, names and addresses are masked and comments have no addresses.
    """
    zone = ZoneInfo(brand.time_zone)
    nps_title, period_title = (translate(SOURCE, title) for title in LINE_TITLES[found.by])
    bands = _band_bars(found.counts)
    return {
        "lead": lead_card(found, compared=compared),
        "cards": overview_cards(found, brand.margin_percent, compared=compared),
        "totals": [_totals_row(totals, brand.margin_percent) for totals in found.funnel.totals],
        "chart": line_chart([score_point(group, found.by) for group in found.groups]),
        "fewest": FEWEST,
        "enough": ENOUGH,
        "nps_title": nps_title,
        "period_title": period_title,
        "groups": [score_row(group, found.by) for group in found.groups],
        "bands": bands,
        "spoken_bands": ", ".join(f"{band.name} {band.share}" for band in bands),
        "stages": _stage_rows(found.funnel),
        "latest": [_response_row(response, zone, pii=pii) for response in found.latest[:_LATEST]],
    }


def score_point(group: Group, by: By) -> Point:
    """The point of a week or month; without a value where it has fewer than `FEWEST` answers."""
    counts, name = group.counts, group_name(group, by, "MMMd")
    score, found = nps(counts), interval(counts)
    if score is None or counts.responses < FEWEST:
        return Point(name, None, "", "")
    shown = points_text(score)
    spoken = translate(
        SOURCE, "%(name)s: %(score)s, %(count)s answers", name=name, score=shown, count=counts.responses
    )
    if found is None or counts.responses < ENOUGH:
        return Point(name, score, shown, spoken)
    return Point(name, score, shown, f"{spoken}, {interval_text(counts, SOURCE)}", found.low, found.high)


def group_name(group: Group, by: By, skeleton: str) -> str:
    """`2 Mar` for the week of that Monday, `Mar 2026` for a month."""
    if group.key is None:
        return translate(SOURCE, "not known")
    day = date.fromisoformat(group.key if by is By.week else f"{group.key}-01")
    return skeleton_date(day, skeleton if by is By.week else "yMMM", SOURCE)


def score_row(group: Group, by: By) -> list[str]:
    """Its name, answers, score and interval."""
    name, counts = group_name(group, by, "yMMMd"), group.counts
    return [name, f"{counts.responses:,}", points_text(nps(counts)), interval_text(counts, SOURCE)]


def _response_row(response: LatestResponse, zone: ZoneInfo, *, pii: bool) -> ResponseRow:
    at = response.answered_at.astimezone(zone)
    return ResponseRow(
        at=at,
        shown_at=moment_text(at, SOURCE, "MMMd"),
        customer_id=public_id("cus", response.customer_id),
        customer=_customer_text(response, pii=pii) or translate(SOURCE, "A customer"),
        score=response.score,
        band=band_of(response.score),
        comment=response.comment if pii else without_addresses(response.comment or ""),
    )


def _customer_text(response: LatestResponse, *, pii: bool) -> str:
    """The customer's name, else an address; empty for neither."""
    name = " ".join(part for part in (response.first_name, response.last_name) if part)
    if pii:
        return name or response.email or response.phone or ""
    return mask_name(name) or mask_email(response.email) or ""


def _totals_row(totals: CurrencyTotals, margin_percent: int | None) -> TotalsRow:
    def amount(minor: int) -> str:
        return exact_decimal(money.to_decimal(minor, totals.currency), totals.currency, SOURCE)

    cost = totals.message_cost
    return TotalsRow(
        currency=totals.currency,
        revenue=amount(totals.revenue),
        discount=amount(totals.discount_cost),
        leaked=amount(totals.leaked_discount),
        reward=amount(totals.reward_cost),
        messages=translate(SOURCE, "not known") if cost is None else amount(cost),
        returned=return_text(totals, margin_percent),
    )


def _band_bars(counts: Counts) -> list[BandBar]:
    """The groups side by side with gaps between them, from 0 to `_BAR`."""
    bars: list[BandBar] = []
    start = 0.0
    numbers = (
        (Band.detractor, counts.detractors),
        (Band.passive, counts.passives),
        (Band.promoter, counts.promoters),
    )
    gaps = max(0, sum(1 for _, count in numbers if count) - 1)
    for band, count in numbers:
        share = count / counts.responses if counts.responses else 0.0
        width = round(share * (_BAR - gaps * _GAP), 1)
        name, shown = translate(SOURCE, BAND_NAMES[band]), percent_text(round(share, 2), SOURCE)
        bars.append(BandBar(band.value, name, count, shown, round(start, 1), width))
        start += width + (_GAP if count else 0)
    return bars


def _stage_rows(funnel: Funnel) -> list[StageRow]:
    counts: Sequence[int] = [getattr(funnel.stages, stage) for stage in STAGES]
    confirmed = {"delivered": funnel.surveys_confirmed, "offers_delivered": funnel.offers_confirmed}
    names = {
        stage: name if confirmed.get(stage, True) else _UNCONFIRMED_NAMES[stage]
        for stage, name in _STAGE_NAMES.items()
    }
    most = max(*counts, 1)
    return [
        StageRow(
            name=translate(SOURCE, names[stage]),
            count=count,
            width=round(100 * count / most, 2),
            # Visits and redemptions may outnumber the people before them: then there is no share.
            of_before=percent_text(count / before, SOURCE) if count <= before and before else "",
            path=_STAGE_PATHS.get(stage, ""),
        )
        for stage, count, before in zip(STAGES, counts, [0, *counts[:-1]], strict=True)
    ]
