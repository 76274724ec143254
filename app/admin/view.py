"""The overview's numbers as its page shows them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypedDict
from zoneinfo import ZoneInfo

from app.admin.cards import Card, overview_cards
from app.admin.chart import FEWEST, Chart, line_chart
from app.admin.texts import UNKNOWN, interval_text, moment_text, percent_text, points_text
from app.base import money
from app.base.i18n import N_, SOURCE, shown_amount, translate
from app.base.ids import public_id
from app.base.masking import mask_email, mask_name, without_addresses
from app.brands.models import Brand
from app.insight.funnel import STAGES, CurrencyTotals, Funnel
from app.insight.nps import ENOUGH, Counts, nps
from app.insight.overview import LatestResponse, Overview
from app.insight.scores import By, Group
from app.surveys.rules import Band, band_of

_STAGE_NAMES = {
    "orders": N_("Orders"),
    "surveyed": N_("Surveyed"),
    "delivered": N_("Surveys delivered"),
    "answered": N_("Answered"),
    "promoters": N_("Promoters"),
    "offers_delivered": N_("Offers delivered"),
    "shared": N_("Referrers whose link or code was used"),
    "friend_visits": N_("Friends’ visits, a person once a day"),
    "redemptions": N_("Friends’ orders"),
    "approved": N_("Friends’ orders approved"),
}
_UNCONFIRMED_NAMES = {
    "delivered": N_("Surveys handed to a provider"),
    "offers_delivered": N_("Offers handed to a provider"),
}
"""The names where no provider reports what was delivered."""
_BAND_NAMES: Mapping[Band, str] = {
    Band.detractor: N_("Detractor"),
    Band.passive: N_("Passive"),
    Band.promoter: N_("Promoter"),
}
_BAND_PLURALS: Mapping[Band, str] = {
    Band.detractor: N_("Detractors"),
    Band.passive: N_("Passives"),
    Band.promoter: N_("Promoters"),
}
_CHART_TITLES: Mapping[By, tuple[str, str]] = {
    By.week: (N_("NPS by week"), N_("Week")),
    By.month: (N_("NPS by month"), N_("Month")),
}


@dataclass(frozen=True, slots=True)
class GroupRow:
    """The score of a week or a month."""

    key: str | None
    responses: int
    nps: str
    interval: str


@dataclass(frozen=True, slots=True)
class BandBar:
    """A band of scores with its place on a bar of 100."""

    name: str
    label: str
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


@dataclass(frozen=True, slots=True)
class TotalsRow:
    """Revenue and cost in one currency."""

    currency: str
    revenue: str
    discount: str
    leaked: str
    reward: str
    messages: str
    return_name: str
    """What the last figure is: the return with a margin, else the revenue per unit spent."""
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
    group: str
    comment: str | None


class OverviewValues(TypedDict):
    """The values of `admin/overview.html`; `chart` is None where there are too few responses."""

    cards: list[Card]
    totals: list[TotalsRow]
    chart: Chart | None
    fewest: int
    enough: int
    nps_title: str
    period_title: str
    groups: list[GroupRow]
    bands: list[BandBar]
    stages: list[StageRow]
    latest: list[ResponseRow]


def overview_values(
    found: Overview, brand: Brand, *, pii: bool = False, language: str = SOURCE
) -> OverviewValues:
    """The overview in a language, times in the brand's zone.

    Unless `pii`, names and addresses are masked and comments have no addresses.
    """
    zone = ZoneInfo(brand.time_zone)
    nps_title, period_title = (translate(language, title) for title in _CHART_TITLES[found.by])
    return {
        "cards": overview_cards(found, language),
        "totals": [_totals_row(totals, brand.margin_percent, language) for totals in found.funnel.totals],
        "chart": line_chart(found.groups),
        "fewest": FEWEST,
        "enough": ENOUGH,
        "nps_title": nps_title,
        "period_title": period_title,
        "groups": [_group_row(group, language) for group in found.groups],
        "bands": _band_bars(found.counts, language),
        "stages": _stage_rows(found.funnel, language),
        "latest": [_response_row(response, zone, language, pii=pii) for response in found.latest],
    }


def _response_row(response: LatestResponse, zone: ZoneInfo, language: str, *, pii: bool) -> ResponseRow:
    at, band = response.answered_at.astimezone(zone), band_of(response.score)
    return ResponseRow(
        at=at,
        shown_at=moment_text(at, language, "MMMd"),
        customer_id=public_id("cus", response.customer_id),
        customer=_customer_text(response, pii=pii) or translate(language, "A customer"),
        score=response.score,
        band=band,
        group=translate(language, _BAND_NAMES[band]),
        comment=response.comment if pii else without_addresses(response.comment or ""),
    )


def _customer_text(response: LatestResponse, *, pii: bool) -> str:
    """The customer's name, else an address; empty for neither."""
    name = " ".join(part for part in (response.first_name, response.last_name) if part)
    if pii:
        return name or response.email or response.phone or ""
    return mask_name(name) or mask_email(response.email) or ""


def _totals_row(totals: CurrencyTotals, margin_percent: int | None, language: str) -> TotalsRow:
    def amount(minor: int) -> str:
        return shown_amount(minor, totals.currency, language)

    return_name, returned = _return_of(totals, margin_percent, language)
    return TotalsRow(
        currency=totals.currency,
        revenue=amount(totals.revenue),
        discount=amount(totals.discount_cost),
        leaked=amount(totals.leaked_discount),
        reward=amount(totals.reward_cost),
        messages=translate(language, "not known")
        if totals.message_cost is None
        else amount(totals.message_cost),
        return_name=return_name,
        returned=returned,
    )


def _return_of(totals: CurrencyTotals, margin_percent: int | None, language: str) -> tuple[str, str]:
    """The name and the text of what came back for what was spent.

    Revenue is no return: only with the brand's margin is it known what is left of it.
    """
    spent = totals.cost
    if margin_percent is not None:
        name = translate(
            language, "Return on what was spent, at a margin of %(percent)s %%", percent=margin_percent
        )
        if not spent:
            return name, UNKNOWN
        return name, percent_text((totals.revenue * margin_percent / 100 - spent) / spent, language)
    one = shown_amount(10 ** money.exponent(totals.currency), totals.currency, language)
    name = translate(language, "Referred revenue per %(one)s spent", one=one)
    if not spent:
        return name, UNKNOWN
    return name, shown_amount(
        totals.revenue * 10 ** money.exponent(totals.currency) // spent, totals.currency, language
    )


def _group_row(group: Group, language: str) -> GroupRow:
    return GroupRow(
        key=group.key,
        responses=group.counts.responses,
        nps=points_text(nps(group.counts)),
        interval=interval_text(group.counts, language),
    )


def _band_bars(counts: Counts, language: str) -> list[BandBar]:
    bars, start = [], 0.0
    for band, count in (
        (Band.detractor, counts.detractors),
        (Band.passive, counts.passives),
        (Band.promoter, counts.promoters),
    ):
        share = 100 * count / counts.responses if counts.responses else 0.0
        bars.append(
            BandBar(
                name=band.value,
                label=translate(language, _BAND_PLURALS[band]),
                count=count,
                share=percent_text(round(share) / 100, language),
                start=round(start, 2),
                width=round(share, 2),
            )
        )
        start += share
    return bars


def _stage_rows(funnel: Funnel, language: str) -> list[StageRow]:
    counts: Sequence[int] = [getattr(funnel.stages, stage) for stage in STAGES]
    confirmed = {"delivered": funnel.surveys_confirmed, "offers_delivered": funnel.offers_confirmed}
    names = {
        stage: name if confirmed.get(stage, True) else _UNCONFIRMED_NAMES[stage]
        for stage, name in _STAGE_NAMES.items()
    }
    most = max(*counts, 1)
    return [
        StageRow(
            name=translate(language, names[stage]),
            count=count,
            width=round(100 * count / most, 2),
            # Visits and redemptions may outnumber the people before them: then there is no share.
            of_before=percent_text(count / before, language) if count <= before and before else "",
        )
        for stage, count, before in zip(STAGES, counts, [0, *counts[:-1]], strict=True)
    ]
