"""The choice of a period on a screen of figures: the spans, and two dates."""

import re

from app.admin.dashboard.frame import Frame
from app.admin.views.period import SPANS, Chosen
from app.base.i18n import SOURCE, translate


def span_choices(frame: Frame, chosen: Chosen) -> list[dict[str, object]]:
    """The spans as links of this page, for the macro `segment`."""
    return [
        {
            "href": frame.here(days=span.days, **{"from": None, "to": None}),
            "name": translate(SOURCE, span.name),
            "is_current": span.days == chosen.days,
            "key": span.key,
        }
        for span in SPANS
    ]


def entered_day(text: str | None) -> str:
    """A date as a field takes it; empty for anything else."""
    return text if text and re.fullmatch(r"\d{4}-\d{2}-\d{2}", text) else ""
