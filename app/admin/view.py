"""The overview's numbers as its page shows them."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from babel.dates import format_skeleton

from app.admin.chart import FEWEST, line_chart
from app.base import money
from app.base.i18n import N_, SOURCE, regional_locale, translate, translate_plural
from app.base.masking import without_addresses
from app.brands.models import Brand
from app.insight.funnel import STAGES, Account
from app.insight.nps import Interval, interval, nps
from app.insight.overview import Overview
from app.insight.scores import By, Group, Rate
from app.surveys.rules import Band, band_of

_LABELS = {
    "orders": N_("Orders"),
    "surveyed": N_("Surveyed"),
    "delivered": N_("Surveys delivered"),
    "answered": N_("Answered"),
    "promoters": N_("Promoters"),
    "offers_delivered": N_("Offers delivered"),
    "shared": N_("Shared"),
    "friend_visits": N_("Friends’ visits"),
    "redemptions": N_("Redemptions"),
    "approved": N_("Approved"),
}
BAND_TITLES: Mapping[Band, str] = {
    Band.detractor: N_("Detractor"),
    Band.passive: N_("Passive"),
    Band.promoter: N_("Promoter"),
}
_BAND_GROUPS: Mapping[Band, str] = {
    Band.detractor: N_("Detractors"),
    Band.passive: N_("Passives"),
    Band.promoter: N_("Promoters"),
}
_CHART_TITLES: Mapping[By, tuple[str, str]] = {
    By.week: (N_("NPS by week"), N_("Week")),
    By.month: (N_("NPS by month"), N_("Month")),
}


def overview_values(
    found: Overview, brand: Brand, *, pii: bool = False, language: str = SOURCE
) -> dict[str, Any]:
    """The values of `admin/overview.html` without people's names.

    Comments without addresses unless `pii`.

    Each row of `latest` has its database row as `person`, for the caller to show as it may.
    """
    zone = ZoneInfo(brand.time_zone)
    nps_title, period_title = (translate(language, title) for title in _CHART_TITLES[found.by])
    return {
        "cards": _cards(found, language),
        "accounts": [_account(account, language) for account in found.funnel.accounts],
        "chart": line_chart(found.line),
        "fewest": FEWEST,
        "nps_title": nps_title,
        "period_title": period_title,
        "groups": [_group(group, language) for group in found.line],
        "bands": _bands(found, language),
        "stages": _stages(found, language),
        "latest": [
            {
                "at": row.answered_at.astimezone(zone),
                "shown_at": moment_text(row.answered_at.astimezone(zone), language, "MMMd"),
                "score": row.score,
                "band": band_of(row.score),
                "group": translate(language, BAND_TITLES[band_of(row.score)]),
                "comment": row.comment if pii else without_addresses(row.comment or ""),
                "person": row,
            }
            for row in found.latest
        ],
    }


def moment_text(at: datetime, language: str, skeleton: str = "yMMMd") -> str:
    """`3 Mar 2026, 14:05`: a date by a CLDR skeleton and the time, in the words of the language."""
    return f"{format_skeleton(skeleton, at, locale=regional_locale(language))}, {at:%H:%M}"


def _cards(found: Overview, language: str) -> list[dict[str, str]]:
    return [
        {
            "name": translate(language, "NPS"),
            "value": _points(nps(found.counts)),
            "aside": _interval_text(interval(found.counts), language),
            "more": _nps_change(found, language),
        },
        {
            "name": translate(language, "Response rate"),
            "value": _percent(found.rate.value),
            "aside": _rate_aside(found.rate, language),
            "more": _rate_change(found, language),
        },
        *_count_cards(found, language),
        _revenue_card(found, language),
    ]


def _count_cards(found: Overview, language: str) -> list[dict[str, str]]:
    stages, counts = found.funnel.stages, found.counts
    share = counts.promoters / counts.responses if counts.responses else None
    promoters = translate_plural(
        language,
        "%(share)s of %(answers)s answer",
        "%(share)s of %(answers)s answers",
        counts.responses,
        share=_percent(share),
        answers=f"{counts.responses:,}",
    )
    approved = translate(language, "%(count)s approved", count=f"{stages.approved:,}")
    return [
        {"name": translate(language, name), "value": f"{value:,}", "aside": aside, "more": ""}
        for name, value, aside in (
            (N_("Promoters"), counts.promoters, promoters),
            (N_("Offers delivered"), stages.offers_delivered, _offer_aside(found.answer_to_offer, language)),
            (N_("Redemptions"), stages.redemptions, approved),
        )
    ]


def _revenue_card(found: Overview, language: str) -> dict[str, str]:
    account = found.funnel.accounts[0]
    cost = _amount(account.cost, account.currency)
    if len(found.funnel.accounts) > 1:
        aside = translate(language, "cost %(amount)s and other currencies", amount=cost)
    else:
        aside = translate(language, "cost %(amount)s", amount=cost)
    return {
        "name": translate(language, "Referred revenue"),
        "value": _round_amount(account.revenue, account.currency),
        "aside": aside,
        "more": "",
    }


def _points(value: float | None) -> str:
    # A real minus sign, as wide as the digits.
    return "–" if value is None else f"{value:.0f}".replace("-0", "0").replace("-", "\N{MINUS SIGN}")


def _interval_text(found: Interval | None, language: str) -> str:
    if found is None:
        return translate(language, "no answers yet")
    low, high = _points(found.low), _points(found.high)
    return translate(language, "%(low)s to %(high)s with 95 %% certainty", low=low, high=high)


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:.1f} %"


def _mark(points: float) -> str:
    return "▲" if points > 0 else "▼" if points < 0 else "●"


def _nps_change(found: Overview, language: str) -> str:
    if found.changed is None:
        return ""
    points = found.changed.points
    text = translate(language, "%(points)s against the period before", points=f"{abs(points):.0f}")
    if found.changed.is_noise:
        text = translate(language, "%(change)s, within noise", change=text)
    return f"{_mark(points)} {text}"


def _rate_aside(rate: Rate, language: str) -> str:
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
    return f"{_mark(points)} {text}"


def _offer_aside(seconds: float | None, language: str) -> str:
    if seconds is None:
        return translate(language, "nothing to time yet")
    if seconds < 120:
        duration = translate(language, "%(count)s s", count=f"{seconds:.1f}")
    elif seconds < 7200:
        duration = translate(language, "%(count)s min", count=f"{seconds / 60:.0f}")
    else:
        duration = translate(language, "%(count)s h", count=f"{seconds / 3600:.0f}")
    return translate(language, "95 %% within %(duration)s of the answer", duration=duration)


def _amount(minor: int, currency: str) -> str:
    places = money.exponent(currency)
    return f"{money.to_decimal(minor, currency):,.{places}f} {currency}"


def _round_amount(minor: int, currency: str) -> str:
    """Whole units where there are many: the card is narrow, and the table below has it exactly."""
    whole = money.to_decimal(minor, currency)
    return f"{whole:,.0f} {currency}" if whole >= 1000 else _amount(minor, currency)


def _account(account: Account, language: str) -> dict[str, str]:
    return {
        "currency": account.currency,
        "revenue": _amount(account.revenue, account.currency),
        "discount": _amount(account.discount_cost, account.currency),
        "leaked": _amount(account.leaked_discount, account.currency),
        "reward": _amount(account.reward_cost, account.currency),
        "messages": translate(language, "not known")
        if account.message_cost is None
        else _amount(account.message_cost, account.currency),
        "roi": "–" if account.roi is None else f"{100 * account.roi:,.0f} %",
    }


def _group(group: Group, language: str) -> dict[str, Any]:
    found = interval(group.counts)
    spread = "–"
    if found is not None:
        spread = translate(language, "%(low)s to %(high)s", low=_points(found.low), high=_points(found.high))
    return {
        "key": group.key,
        "responses": group.counts.responses,
        "nps": _points(nps(group.counts)),
        "interval": spread,
    }


def _bands(found: Overview, language: str) -> list[dict[str, Any]]:
    """The three bands with their place on a bar of 100."""
    counts, total = found.counts, found.counts.responses
    bands, start = [], 0.0
    for band, count in (
        (Band.detractor, counts.detractors),
        (Band.passive, counts.passives),
        (Band.promoter, counts.promoters),
    ):
        share = 100 * count / total if total else 0.0
        bands.append(
            {
                "name": band.value,
                "label": translate(language, _BAND_GROUPS[band]),
                "count": count,
                "share": f"{share:.0f} %",
                "start": round(start, 2),
                "width": round(share, 2),
            }
        )
        start += share
    return bands


def _stages(found: Overview, language: str) -> list[dict[str, Any]]:
    counts = [getattr(found.funnel.stages, stage) for stage in STAGES]
    most = max(*counts, 1)
    return [
        {
            "name": translate(language, _LABELS[stage]),
            "count": count,
            "width": round(100 * count / most, 2),
            # Visits and redemptions may be more than the people before them; then there is no
            # share.
            "of_before": _percent(count / before) if count <= before and before else "",
        }
        for stage, count, before in zip(STAGES, counts, [0, *counts[:-1]], strict=True)
    ]
