"""The overview's numbers as its page shows them."""

from typing import Any
from zoneinfo import ZoneInfo

from app.admin.chart import FEWEST, line_chart
from app.base import money
from app.brands.models import Brand
from app.insight.funnel import STAGES, Account
from app.insight.nps import Interval, interval, nps
from app.insight.overview import Overview
from app.insight.scores import Group, Rate
from app.insight.sentences import without_addresses
from app.surveys.rules import band_of

_LABELS = {
    "orders": "Orders",
    "surveyed": "Surveyed",
    "delivered": "Surveys delivered",
    "answered": "Answered",
    "promoters": "Promoters",
    "offers_delivered": "Offers delivered",
    "shared": "Shared",
    "friend_visits": "Friends’ visits",
    "redemptions": "Redemptions",
    "approved": "Approved",
}


def overview_values(found: Overview, brand: Brand, *, pii: bool = False) -> dict[str, Any]:
    """What `admin/overview.html` is filled with, without the names of people; comments are without addresses unless `pii`."""
    zone = ZoneInfo(brand.time_zone)
    return {
        "cards": _cards(found),
        "accounts": [_account(account) for account in found.funnel.accounts],
        "chart": line_chart(found.line),
        "fewest": FEWEST,
        "by": found.by.value,
        "groups": [_group(group) for group in found.line],
        "bands": _bands(found),
        "stages": _stages(found),
        "latest": [
            {
                "at": row.answered_at.astimezone(zone),
                "score": row.score,
                "band": band_of(row.score),
                "comment": row.comment if pii else without_addresses(row.comment or ""),
                "person": row,
            }
            for row in found.latest
        ],
    }


def _cards(found: Overview) -> list[dict[str, str]]:
    stages = found.funnel.stages
    account = found.funnel.accounts[0]
    several = " and other currencies" if len(found.funnel.accounts) > 1 else ""
    share = found.counts.promoters / found.counts.responses if found.counts.responses else None
    return [
        {
            "name": "NPS",
            "value": _points(nps(found.counts)),
            "aside": _spread(interval(found.counts)),
            "more": _moved(found),
        },
        {
            "name": "Response rate",
            "value": _percent(found.rate.value),
            "aside": _rate_aside(found.rate),
            "more": _rate_moved(found),
        },
        {
            "name": "Promoters",
            "value": f"{found.counts.promoters:,}",
            "aside": f"{_percent(share)} of {found.counts.responses:,} answers",
            "more": "",
        },
        {
            "name": "Offers delivered",
            "value": f"{stages.offers_delivered:,}",
            "aside": _offer_aside(found.answer_to_offer),
            "more": "",
        },
        {
            "name": "Redemptions",
            "value": f"{stages.redemptions:,}",
            "aside": f"{stages.approved:,} approved",
            "more": "",
        },
        {
            "name": "Referred revenue",
            "value": _round_amount(account.revenue, account.currency),
            "aside": f"cost {_amount(account.cost, account.currency)}{several}",
            "more": "",
        },
    ]


def _points(value: float | None) -> str:
    # A real minus sign, as wide as the digits.
    return "–" if value is None else f"{value:.0f}".replace("-0", "0").replace("-", "\N{MINUS SIGN}")


def _spread(found: Interval | None) -> str:
    return (
        "no answers yet"
        if found is None
        else f"{_points(found.low)} to {_points(found.high)} with 95 % certainty"
    )


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:.1f} %"


def _moved(found: Overview) -> str:
    if found.changed is None:
        return ""
    points = found.changed.points
    mark = "▲" if points > 0 else "▼" if points < 0 else "●"
    noise = ", within noise" if found.changed.is_noise else ""
    return f"{mark} {abs(points):.0f} against the period before{noise}"


def _rate_aside(rate: Rate) -> str:
    return f"{rate.answered:,} of {rate.delivered:,} delivered"


def _rate_moved(found: Overview) -> str:
    now, then = found.rate.value, found.rate_before.value if found.rate_before else None
    if now is None or then is None:
        return ""
    points = 100 * (now - then)
    return f"{'▲' if points > 0 else '▼' if points < 0 else '●'} {abs(points):.1f} points against the period before"


def _offer_aside(seconds: float | None) -> str:
    if seconds is None:
        return "nothing to time yet"
    said = (
        f"{seconds:.1f} s"
        if seconds < 120
        else f"{seconds / 60:.0f} min"
        if seconds < 7200
        else f"{seconds / 3600:.0f} h"
    )
    return f"95 % within {said} of the answer"


def _amount(minor: int, currency: str) -> str:
    places = money.exponent(currency)
    return f"{money.to_decimal(minor, currency):,.{places}f} {currency}"


def _round_amount(minor: int, currency: str) -> str:
    """Whole units where there are many: the card is narrow, and the table below has it exactly."""
    whole = money.to_decimal(minor, currency)
    return f"{whole:,.0f} {currency}" if whole >= 1000 else _amount(minor, currency)


def _account(account: Account) -> dict[str, str]:
    return {
        "currency": account.currency,
        "revenue": _amount(account.revenue, account.currency),
        "discount": _amount(account.discount_cost, account.currency),
        "leaked": _amount(account.leaked_discount, account.currency),
        "reward": _amount(account.reward_cost, account.currency),
        "messages": "not known"
        if account.message_cost is None
        else _amount(account.message_cost, account.currency),
        "roi": "–" if account.roi is None else f"{100 * account.roi:,.0f} %",
    }


def _group(group: Group) -> dict[str, Any]:
    return {
        "key": group.key,
        "responses": group.counts.responses,
        "nps": _points(nps(group.counts)),
        "interval": _spread(interval(group.counts)).removesuffix(" with 95 % certainty"),
    }


def _bands(found: Overview) -> list[dict[str, Any]]:
    """The three bands with their place on a bar of 100."""
    counts, whole = found.counts, found.counts.responses
    bands, start = [], 0.0
    for name, count in (
        ("detractor", counts.detractors),
        ("passive", counts.passives),
        ("promoter", counts.promoters),
    ):
        share = 100 * count / whole if whole else 0.0
        bands.append(
            {
                "name": name,
                "count": count,
                "share": f"{share:.0f} %",
                "start": round(start, 2),
                "width": round(share, 2),
            }
        )
        start += share
    return bands


def _stages(found: Overview) -> list[dict[str, Any]]:
    counts = [getattr(found.funnel.stages, stage) for stage in STAGES]
    most = max(*counts, 1)
    return [
        {
            "name": _LABELS[stage],
            "count": count,
            "width": round(100 * count / most, 2),
            # Visits and redemptions may be more than the people before them; then a share says nothing.
            "of_before": _percent(count / before) if count <= before and before else "",
        }
        for stage, count, before in zip(STAGES, counts, [0, *counts[:-1]], strict=True)
    ]
