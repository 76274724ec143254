"""Every component with samples, for axe, for pictures and to copy from; in development alone."""

from datetime import UTC, datetime

from starlette.responses import Response

from app.admin.dashboard.access import ForViewer, screen_router
from app.admin.views.cards import Scale
from app.admin.views.chart import Point, line_chart
from app.admin.views.overview import BandBar
from app.admin.views.person import Happening
from app.base.config import Environment
from app.base.errors import NotFound
from app.insight.schemas import TimelineEntry

router = screen_router()

_AT = datetime(2026, 11, 1, 6, 0, tzinfo=UTC)
_WEEKS = (44, 41, 47, 52, 46, 55, 58, 50, 53, 60, 49, 57, 61)


@router.get("/gallery")
async def show_gallery(frame: ForViewer) -> Response:
    """The samples; 404 in production."""
    if frame.context.settings.env is Environment.production:
        raise NotFound
    return frame.page("admin/gallery.html", "gallery", _samples())


def _samples() -> dict[str, object]:
    return {
        **_figures(),
        "entries": _entries(),
        "steps": _steps(),
        "codes": [
            ("ANA-D38A2", "Ana Sommer", "3 of 10", "€95.70", "good", "In use"),
            ("TOM-8QX21", "Tom Berger", "1 of 10", "€0.00", "wait", "Waiting"),
            ("INES-BSDM4", "Ines Carvalho", "10 of 10", "€512.90", "no", "Used up"),
        ],
    }


def _figures() -> dict[str, object]:
    weeks = [
        Point(f"{7 + week} Sep", score, f"{score}", f"Week {week + 1}: {score}", score - 14, score + 13)
        for week, score in enumerate(_WEEKS)
    ]
    return {
        "chart": line_chart(weeks, width=1000),
        "scale": Scale(212.8, 203, 18.2, "52 on the scale from −100 to 100; between 45 and 58"),
        "bars": [
            BandBar("detractor", "Detractors, 0–6", 42, "10%", 0, 35),
            BandBar("passive", "Passives, 7–8", 115, "28%", 38, 99),
            BandBar("promoter", "Promoters, 9–10", 255, "62%", 140, 220),
        ],
    }


def _entries() -> list[Happening]:
    delivered = TimelineEntry(at=_AT, kind="message_delivered", text="The e-mail was delivered.")
    return [
        Happening("key", _AT, "€10 credited", "For the order #1120, kept for 30 days.", steps=[delivered]),
        Happening("not", _AT, "No survey about order #1160", "Asked 84 days ago; the rule is 90."),
        Happening("", _AT, "Order #1004 delivered", quote="Peach and jasmine, really."),
    ]


def _steps() -> list[dict[str, object]]:
    rows = (
        ("Connect your shop", True, "", "", ""),
        ("Send yourself a survey", False, "", "#", "Send it"),
        ("See the first answer", False, "Some days after the first order.", "", ""),
    )
    return [dict(zip(("name", "is_done", "detail", "href", "word"), row, strict=True)) for row in rows]
