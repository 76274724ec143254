"""What can be sent: each template with the values it is filled with, the channels it has, and a sample.

Fillings hold neither links nor tokens: those are derived when a message is rendered, so that a leaked table opens nothing.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from functools import cache
from pathlib import Path
from typing import Any, Literal

from app.base.text import one_line
from app.brands.programme import Channel
from app.messaging.rules import Template, is_name

LANGUAGES = ("en",)
"""Languages that every template has; the first one serves everybody else."""

Part = Literal["subject.txt", "body.txt", "body.html"]
EMAIL_PARTS: tuple[Part, ...] = ("subject.txt", "body.txt", "body.html")


@dataclass(frozen=True, slots=True)
class SurveyParams:
    """Values of `survey` and `reminder`, whose subject is a survey."""

    first_name: str | None
    item_title: str | None
    """One thing of the order, to remind of it."""
    order_number: str
    ordered_on: str
    """ISO date in the shop's zone."""


@dataclass(frozen=True, slots=True)
class OfferParams:
    """Values of `offer`, whose subject is a code."""

    first_name: str | None
    code: str
    """As shown: `ANA-7K4QX`."""
    slug: str
    """Of the share link."""
    discount: str
    """What a friend gets off: `10 %` or `10.00 EUR`."""
    reward: str | None
    """What the referrer gets for a friend's order; None where there is only thanks."""
    minimum: str | None
    """The least a friend's order must come to."""
    expires_on: str
    """ISO date, the last day."""


@dataclass(frozen=True, slots=True)
class RewardParams:
    """Values of `reward`, whose subject is a reward."""

    first_name: str | None
    amount: str
    """`10.00 EUR`."""
    kind: str
    """A `RewardKind`: `code` or `credit`."""
    code: str | None
    """The referrer's own code, for a reward of kind `code`."""


TemplateParams = SurveyParams | OfferParams | RewardParams


@dataclass(frozen=True, slots=True)
class Kind:
    """One template of the catalogue."""

    template_params: type[TemplateParams]
    sample: TemplateParams
    channels: frozenset[Channel] = frozenset(Channel)


_SURVEY = SurveyParams(
    first_name="Ana", item_title="Linen shirt", order_number="1001", ordered_on="2026-03-03"
)
CATALOGUE: Mapping[Template, Kind] = {
    Template.survey: Kind(SurveyParams, _SURVEY),
    Template.reminder: Kind(SurveyParams, _SURVEY),
    Template.offer: Kind(
        OfferParams,
        OfferParams(
            first_name="Ana",
            code="ANA-7K4QX",
            slug="27k4qx9wm",
            discount="10 %",
            reward="10.00 EUR",
            minimum="50.00 EUR",
            expires_on="2026-09-01",
        ),
    ),
    Template.reward: Kind(
        RewardParams, RewardParams(first_name="Ana", amount="10.00 EUR", kind="code", code="K7QX4M9WPA")
    ),
}


_MOST = {"first_name": 40, "item_title": 80}
"""Characters; what is longer is cut, so that a letter's values stay far below the 10,000 bytes that SendGrid takes."""


def stored(template_params: TemplateParams) -> dict[str, str | None]:
    """The template_params as its row keeps it: every value one printable line, no empty ones, no name that is a web address."""
    values = {
        name: one_line(value, limit=_MOST.get(name, 120), ellipsis=True) if value else None
        for name, value in asdict(template_params).items()
    }
    if values["first_name"] and not is_name(values["first_name"]):
        values["first_name"] = None
    return {name: value or None for name, value in values.items()}


def read_params(template: Template, values: Mapping[str, Any]) -> TemplateParams | None:
    """The template_params of a row; None where a value is missing, as after an erasure. Values of former versions are passed over."""
    try:
        return CATALOGUE[template].template_params(*[values[name] for name in names_of(template)])
    except KeyError:
        return None


@cache
def names_of(template: Template) -> tuple[str, ...]:
    """The values that a template is filled with, in order."""
    return tuple(field.name for field in fields(CATALOGUE[template].template_params))


def language_of(locale: str) -> str:
    """The language that a locale such as `de-AT` is written to in."""
    language = locale.replace("_", "-").split("-")[0].lower()
    return language if language in LANGUAGES else LANGUAGES[0]


def email_source(template: Template, part: Part, language: str) -> str:
    """Path below `templates/emails`; languages besides the first one have a folder of their own in the template's."""
    folder = Path(template) if language == LANGUAGES[0] else Path(template) / language
    return str(folder / part)


def sms_source(template: Template, language: str) -> str:
    """Path below `templates/sms`."""
    folder = Path() if language == LANGUAGES[0] else Path(language)
    return str(folder / f"{template}.txt")
