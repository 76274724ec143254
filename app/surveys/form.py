"""Read the survey's form: a score, and perhaps a comment, made clean. Pure."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from app.base.text import one_line, several_lines

MAX_COMMENT = 5_000
"""Characters stored of a comment; the page's field takes no more."""
OPENED = "opened"
"""The field with the time at which the page was opened, in seconds since 1970."""
_SCORE = re.compile(r"[0-9]|10")
_YES = frozenset({"1", "on", "true", "yes"})


@dataclass(frozen=True, slots=True)
class SurveyForm:
    """What was sent. `score` is None where none of 0-10 was chosen."""

    score: int | None
    comment: str | None
    testimonial_consent: bool
    opened: str
    """When its page was opened, as the page said it."""


def read_form(fields: Mapping[str, str]) -> SurveyForm:
    """The fields as values; what is missing or unusable is None or no."""
    return SurveyForm(
        score=read_score(fields.get("score")),
        comment=several_lines(fields.get("comment") or "", limit=MAX_COMMENT) or None,
        opened=one_line(fields.get(OPENED) or "", limit=12),
        testimonial_consent=(fields.get("testimonial_consent") or "").strip().lower() in _YES,
    )


def read_score(text: str | None) -> int | None:
    """0-10 as written in plain digits, or None for everything else."""
    written = (text or "").strip()
    return int(written) if _SCORE.fullmatch(written) else None
