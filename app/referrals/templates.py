"""The message templates that referrals send: a referrer's offer, and the reward they earned."""

from dataclasses import dataclass
from typing import Annotated

from app.brands.programme import Channel
from app.messaging.rules import Priority
from app.messaging.templates import (
    CHOICE,
    DATE,
    PERSON_NAME,
    ParamLink,
    TemplateSpec,
    TokenLink,
    register,
)


@dataclass(frozen=True, slots=True)
class OfferParams:
    """Parameters of `offer`, which is about a code."""

    first_name: Annotated[str | None, PERSON_NAME]
    code: str | None
    """As shown: `ANA-7K4QX`; None where each friend gets a code of their own by the link."""
    slug: str
    """Of the share link."""
    discount: str
    """The friend's discount: `10%` or `€10`."""
    reward: str | None
    """What the referrer gets for a friend's order; None where there is no reward."""
    minimum: str | None
    """The least total that a friend's order must have."""
    expires_on: Annotated[str, DATE]
    """ISO date, the last day in the brand's zone."""
    referrer_id: str
    """Of the referrer's own page."""


@dataclass(frozen=True, slots=True)
class RewardParams:
    """Parameters of `reward`, which is about a reward."""

    first_name: Annotated[str | None, PERSON_NAME]
    amount: str
    """`€10`."""
    kind: Annotated[str, CHOICE]
    """A `RewardKind`: `code` or `credit`."""
    code: str | None
    """The referrer's own code, for a reward of kind `code`."""
    expires_on: Annotated[str | None, DATE]
    """ISO date, the last day on which it can be used."""
    referrer_id: str
    """Of the referrer's own page."""


_REFERRER = "01890a5d-ac96-774b-bcce-b302099a8057"
_PAGE = {"page_link": TokenLink("/p/", "referrer", "referrer_id")}

OFFER = register(
    TemplateSpec(
        "offer",
        OfferParams,
        OfferParams(
            first_name="Ana",
            code="ANA-7K4QX",
            slug="27k4qx9wm",
            discount="10%",
            reward="€10",
            minimum="€50",
            expires_on="2026-09-01",
            referrer_id=_REFERRER,
        ),
        subject_prefix="cod",
        links={**_PAGE, "share_link": ParamLink("/r/", "slug")},
        priority=Priority.urgent,
        quiet_hours=frozenset({Channel.sms}),
    )
)
REWARD = register(
    TemplateSpec(
        "reward",
        RewardParams,
        RewardParams(
            first_name="Ana",
            amount="€10",
            kind="code",
            code="K7QX4M9WPA",
            expires_on="2027-09-01",
            referrer_id=_REFERRER,
        ),
        subject_prefix="rwd",
        links=_PAGE,
        quiet_hours=frozenset({Channel.sms}),
    )
)
