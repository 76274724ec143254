"""The message templates that surveys send: the invitation, its reminder, a reply to an answer."""

from dataclasses import dataclass
from typing import Annotated

from app.base.frozen import quick
from app.brands.programme import Channel
from app.messaging.templates import (
    DATE,
    PERSON_NAME,
    SHORT_TEXT,
    LinkRow,
    ParamKind,
    ParamType,
    TemplateSpec,
    TokenLink,
    register,
)
from app.messaging.text_rules import TextBlock
from app.surveys.accepted import mark_sent
from app.surveys.replied import mark_answered
from app.surveys.work_rules import REPLY_LIMITS


@quick
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

_HELP = TextBlock(
    "help",
    Channel.email,
    (
        "Choose a number. You can add a few words on the page that opens, or change your mind.",
        "You can add a few words on the page that opens, or change your mind.",
    ),
)


def _blocks(subjects: tuple[str, ...], intros: tuple[str, ...], sms: str) -> tuple[TextBlock, ...]:
    """The question itself is in none: only the same one can be compared."""
    return (
        TextBlock("subject", Channel.email, subjects, limit=150),
        TextBlock("intro", Channel.email, intros),
        _HELP,
        TextBlock("sms", Channel.sms, (sms,), ("brand", "survey_link"), ("shop",)),
    )


SURVEY = register(
    TemplateSpec(
        "survey",
        SurveyParams,
        _SAMPLE,
        subject_prefix="sur",
        links=_LINKS,
        when_accepted=mark_sent,
        blocks=_blocks(
            ("One question about your order from %(shop)s", "One question from %(shop)s"),
            ("thank you for your order. One question:", "we have one question:"),
            "%(brand)s: how likely are you to recommend us to a friend, 0 (not at all) to 10 (extremely)? Answer here: %(survey_link)s",
        ),
    )
)
REMINDER = register(
    TemplateSpec(
        "reminder",
        SurveyParams,
        _SAMPLE,
        subject_prefix="sur",
        links=_LINKS,
        blocks=_blocks(
            ("Still one question about your order from %(shop)s", "Still one question from %(shop)s"),
            ("we would still like to know:",),
            "%(brand)s: a reminder: how likely are you to recommend us to a friend, 0 to 10? Answer here: %(survey_link)s",
        ),
    )
)


@dataclass(frozen=True, slots=True)
class ReplyParams:
    """Parameters of `reply`, which is about a response."""

    first_name: Annotated[str | None, PERSON_NAME]
    words: Annotated[str, ParamType(ParamKind.lines, REPLY_LIMITS[Channel.email])]
    """What somebody of the team wrote."""
    score: str
    answered_on: Annotated[str, DATE]
    """ISO date in the shop's zone."""
    comment: Annotated[str | None, ParamType(ParamKind.lines, 500)]
    """The beginning of what the customer wrote, so that they remember it."""


REPLY = register(
    TemplateSpec(
        "reply",
        ReplyParams,
        ReplyParams(
            first_name="Ana",
            words="Thank you for telling us, and sorry for the open bag.\nAnother one left us today.",
            score="3",
            answered_on="2026-03-03",
            comment="The bag arrived open.",
        ),
        subject_prefix="rsp",
        quiet_hours=frozenset({Channel.sms}),
        needs_consent=False,
        when_accepted=mark_answered,
        blocks=(
            TextBlock("subject", Channel.email, ("Your answer to %(brand)s",), limit=150),
            TextBlock("sms", Channel.sms, ("%(brand)s: %(words)s",), ("brand", "words"), ("shop",)),
        ),
    )
)
