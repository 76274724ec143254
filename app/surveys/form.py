"""Read the survey's form: a score, and perhaps a comment, made clean. Pure."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from app.base.text import several_lines

MAX_COMMENT = 5_000
"""Characters stored of a comment; the page's field takes no more."""
_SCORE = re.compile(r"[0-9]|10")
_YES = frozenset({"1", "on", "true", "yes"})


@dataclass(frozen=True, slots=True)
class SurveyForm:
    """What was sent. `score` is None where none of 0-10 was chosen."""

    score: int | None
    comment: str | None
    testimonial_consent: bool


def read_form(fields: Mapping[str, str]) -> SurveyForm:
    """The fields as values; what is missing or unusable is None or no."""
    return SurveyForm(
        score=read_score(fields.get("score")),
        comment=several_lines(fields.get("comment") or "", limit=MAX_COMMENT) or None,
        testimonial_consent=(fields.get("testimonial_consent") or "").strip().lower() in _YES,
    )


def read_score(text: str | None) -> int | None:
    """0-10 as written in plain digits, or None for everything else."""
    written = (text or "").strip()
    return int(written) if _SCORE.fullmatch(written) else None
