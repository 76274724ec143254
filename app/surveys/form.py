"""Read the survey's form: a score, and perhaps a comment, made clean. Pure."""

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass

MAX_COMMENT = 5_000
"""Characters kept of a comment; the page's field takes no more."""
_SCORE = re.compile(r"[0-9]|10")
_YES = frozenset({"1", "on", "true", "yes"})
_STEERING = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""Marks that turn the direction of text around and could disguise it to who reads it later."""
_BLANK_LINES = re.compile(r"\n{3,}")


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
        comment=clean_comment(fields.get("comment") or ""),
        testimonial_consent=(fields.get("testimonial_consent") or "").strip().lower() in _YES,
    )


def read_score(text: str | None) -> int | None:
    """0-10 as written in plain digits, or None for everything else."""
    said = (text or "").strip()
    return int(said) if _SCORE.fullmatch(said) else None


def clean_comment(text: str) -> str | None:
    """The comment without control characters, at most `MAX_COMMENT` characters; None where nothing is left."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n").replace("\t", " ")
    kept = "".join(
        letter
        for letter in lines
        if letter == "\n" or (unicodedata.category(letter) not in ("Cc", "Cs") and letter not in _STEERING)
    )
    return _BLANK_LINES.sub("\n\n", kept).strip()[:MAX_COMMENT].rstrip() or None
