"""The message templates that referrals send: a referrer's offer, and the reward they earned."""

from dataclasses import dataclass
from typing import Annotated

from app.brands.programme import Channel
from app.messaging.rules import Priority
from app.messaging.templates import (
    AMOUNT,
    CHOICE,
    DATE,
    PERSON_NAME,
    ParamLink,
    TemplateSpec,
    TokenLink,
    register,
)
from app.messaging.text_rules import TextBlock


@dataclass(frozen=True, slots=True)
class OfferParams:
    """Parameters of `offer`, which is about a code."""

    first_name: Annotated[str | None, PERSON_NAME]
    code: str | None
    """As shown: `ANA-7K4QX`; None where each friend gets a code of their own by the link."""
    slug: str
    """Of the share link."""
    discount: Annotated[str, AMOUNT]
    """The friend's discount: `10%` or `€10`."""
    reward: Annotated[str | None, AMOUNT]
    """What the referrer gets for a friend's order; None where there is no reward."""
    minimum: Annotated[str | None, AMOUNT]
    """The least total that a friend's order must have."""
    expires_on: Annotated[str, DATE]
    """ISO date, the last day in the brand's zone."""
    referrer_id: str
    """Of the referrer's own page."""


@dataclass(frozen=True, slots=True)
class RewardParams:
    """Parameters of `reward`, which is about a reward."""

    first_name: Annotated[str | None, PERSON_NAME]
    amount: Annotated[str, AMOUNT]
    """`€10`."""
    kind: Annotated[str, CHOICE]
    """A `RewardKind`: `code` or `credit`."""
    code: str | None
    """The referrer's own code, for a reward of kind `code`."""
    expires_on: Annotated[str | None, DATE]
    """ISO date, the last day on which it can be used."""
    referrer_id: str
    """Of the referrer's own page."""
    spent_in: Annotated[str | None, CHOICE] = None
    """`account`, where the shop has it in the person's account; None for other credit and codes."""


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
        blocks=(
            TextBlock(
                "subject",
                Channel.email,
                ("Your referral code for %(brand)s: %(code)s",),
                optional=("brand", "shop", "discount", "code"),
                limit=150,
            ),
            TextBlock(
                "link_subject",
                Channel.email,
                ("Your referral link for %(brand)s",),
                optional=("brand", "shop", "discount"),
                limit=150,
            ),
            TextBlock("intro", Channel.email, ("thank you for your answer.",)),
            TextBlock(
                "heading",
                Channel.email,
                ("A friend of yours gets %(discount)s off at %(brand)s",),
                ("discount",),
                limit=150,
            ),
            TextBlock(
                "pass_on",
                Channel.email,
                ("Pass on the code, or this link, which leads friends to the shop with it:",),
                optional=("brand", "shop", "discount", "code"),
            ),
            TextBlock(
                "link_pass_on",
                Channel.email,
                ("Pass on this link. It gives each friend a code of their own:",),
                optional=("brand", "shop", "discount"),
            ),
            TextBlock("button", Channel.email, ("Share it from your page",), limit=40),
            TextBlock(
                "sms",
                Channel.sms,
                (
                    "%(brand)s: thank you! Friends get %(discount)s off with your code %(code)s: %(share_link)s",
                ),
                ("brand", "discount", "code", "share_link"),
                ("shop",),
            ),
            TextBlock(
                "link_sms",
                Channel.sms,
                ("%(brand)s: thank you! Friends get %(discount)s off with your link: %(share_link)s",),
                ("brand", "discount", "share_link"),
                ("shop",),
            ),
        ),
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
        blocks=(
            TextBlock(
                "subject",
                Channel.email,
                ("A friend ordered: %(amount)s for you from %(brand)s",),
                optional=("brand", "shop", "amount"),
                limit=150,
            ),
            TextBlock("intro", Channel.email, ("a friend ordered on your recommendation.",)),
            TextBlock("heading", Channel.email, ("%(amount)s for you",), ("amount",), limit=150),
            TextBlock(
                "code_note",
                Channel.email,
                ("Thank you for recommending %(brand)s. This code takes it off your next order:",),
                optional=("brand", "shop", "amount"),
            ),
            TextBlock(
                "credit_note",
                Channel.email,
                ("Thank you for recommending %(brand)s. The amount is credited to you.",),
                optional=("brand", "shop", "amount"),
            ),
            TextBlock(
                "account_note",
                Channel.email,
                (
                    (
                        "It is taken off at the checkout of %(shop)s when you are signed in there with this"
                        " e-mail address."
                    ),
                ),
                optional=("brand", "shop", "amount"),
            ),
            TextBlock("button", Channel.email, ("Track your rewards",), limit=40),
            TextBlock(
                "sms",
                Channel.sms,
                ("%(brand)s: a friend ordered on your recommendation. %(amount)s for you, code %(code)s.",),
                ("brand", "amount", "code"),
                ("shop",),
            ),
            TextBlock(
                "credit_sms",
                Channel.sms,
                ("%(brand)s: a friend ordered on your recommendation. %(amount)s for you.",),
                ("brand", "amount"),
                ("shop",),
            ),
            TextBlock(
                "account_sms",
                Channel.sms,
                (
                    (
                        "%(brand)s: a friend ordered on your recommendation. %(amount)s for you, taken off at"
                        " the checkout when you are signed in."
                    ),
                ),
                ("brand", "amount"),
                ("shop",),
            ),
        ),
    )
)
