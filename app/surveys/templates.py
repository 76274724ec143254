"""The message templates that surveys send: the invitation and its reminder."""

from dataclasses import dataclass
from typing import Annotated

from app.messaging.templates import (
    DATE,
    PERSON_NAME,
    SHORT_TEXT,
    LinkRow,
    TemplateSpec,
    TokenLink,
    register,
)


@dataclass(frozen=True, slots=True)
class SurveyParams:
    """Parameters of `survey` and `reminder`, which are about a survey."""

    first_name: Annotated[str | None, PERSON_NAME]
    item_title: Annotated[str | None, SHORT_TEXT]
    """One item of the order, so that the reader remembers it."""
    order_number: str | None
    """None for a survey that is not about an order."""
    ordered_on: Annotated[str | None, DATE]
    """ISO date in the shop's zone; None without an order."""


_SAMPLE = SurveyParams(
    first_name="Ana", item_title="Linen shirt", order_number="1001", ordered_on="2026-03-03"
)
_LINKS = {"survey_link": TokenLink("/s/", "survey", LinkRow.subject)}

SURVEY = register(TemplateSpec("survey", SurveyParams, _SAMPLE, subject_prefix="sur", links=_LINKS))
REMINDER = register(TemplateSpec("reminder", SurveyParams, _SAMPLE, subject_prefix="sur", links=_LINKS))
