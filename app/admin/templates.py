"""The message templates that staff get: invitations, links that they asked for, alarms, figures."""

from dataclasses import dataclass
from typing import Annotated

from app.brands.programme import Channel
from app.messaging.rules import Priority
from app.messaging.templates import (
    CHOICE,
    DATE,
    LinkRow,
    ParamLink,
    ParamType,
    TemplateSpec,
    TokenLink,
    register,
)


@dataclass(frozen=True, slots=True)
class InvitationParams:
    """Parameters of `staff_invitation`, which is about a link."""

    inviter: str | None
    """The address of who invites; None for the operator, by command or key."""
    expires_on: Annotated[str, DATE]
    """ISO date of the last day on which the link works, in the brand's zone."""


@dataclass(frozen=True, slots=True)
class SignInParams:
    """Parameters of `staff_link`, which is about a link."""

    device: str
    """The browser in which it was asked for, such as `Firefox, Windows`."""


_SENTENCES = ParamType(max_length=600)


@dataclass(frozen=True, slots=True)
class AlarmParams:
    """Parameters of `alarm`, which is about a notice; texts are in English, as the dashboard is."""

    event: Annotated[str, CHOICE]
    """`raised` or `solved`."""
    topic: str
    """In a few words."""
    title: Annotated[str, _SENTENCES]
    """What is wrong, in a sentence."""
    remedy: Annotated[str | None, _SENTENCES]
    """What mends it, in a sentence or two."""
    page: str | None
    """The dashboard's page to act on, after `/admin`; None for the overview."""


@dataclass(frozen=True, slots=True)
class DigestParams:
    """Parameters of `digest`, which is about a staff member; lines in English."""

    week: str
    score: str
    certainty: str
    change: str | None
    rate: Annotated[str | None, _SENTENCES]
    promoters: Annotated[str | None, _SENTENCES]
    offers: Annotated[str | None, _SENTENCES]
    orders: Annotated[str | None, _SENTENCES]
    revenue: Annotated[str | None, _SENTENCES]
    cost: Annotated[str | None, _SENTENCES]
    waiting: Annotated[str, _SENTENCES]
    """What needs somebody."""
    page: str | None = None
    """Of the dashboard, after `/admin`; None for the overview."""


_LINK = TokenLink("/admin/login/", "login", LinkRow.subject)

INVITATION = register(
    TemplateSpec(
        "staff_invitation",
        InvitationParams,
        InvitationParams(inviter="mia@example.com", expires_on="2026-09-01"),
        subject_prefix="lnk",
        links={"accept_link": _LINK},
        channels=frozenset({Channel.email}),
        priority=Priority.urgent,
        quiet_hours=frozenset(),
        to_staff=True,
    )
)
SIGN_IN_LINK = register(
    TemplateSpec(
        "staff_link",
        SignInParams,
        SignInParams(device="Firefox, Windows"),
        subject_prefix="lnk",
        links={"sign_in_link": _LINK},
        channels=frozenset({Channel.email}),
        priority=Priority.urgent,
        quiet_hours=frozenset(),
        to_staff=True,
    )
)
ALARM = register(
    TemplateSpec(
        "alarm",
        AlarmParams,
        AlarmParams(
            event="raised",
            topic="few codes are ready",
            title="Only 7 codes are ready in Fern, so offers wait.",
            remedy="Check the shop’s connection: new codes are not being put into the shop.",
            page="/settings/shops",
        ),
        subject_prefix="aln",
        links={"page_link": ParamLink("/admin", "page")},
        channels=frozenset({Channel.email}),
        priority=Priority.urgent,
        quiet_hours=frozenset(),
        to_staff=True,
    )
)
DIGEST = register(
    TemplateSpec(
        "digest",
        DigestParams,
        DigestParams(
            week="23 November to 29 November 2026",
            score="NPS, from 51 answers: 51",
            certainty="29 to 67 with 95% certainty",
            change="Beside the week before: 4 more, could be chance",
            rate="Response rate: 12.8% (51 of 400 delivered); 1.2 points more, could be chance",
            promoters="Promoters: 32 (62.7% of the answers); 4 more, could be chance",
            offers="Offers delivered: 30 (95% within 2.1 s of the answer); 3 more, could be chance",
            orders="Friends’ orders: 12 (8 approved); 2 more, could be chance",
            revenue="Referred revenue: €960 (after refunds); €160 more",
            cost="What it cost: €176 (€96 discounts, €80 rewards)",
            waiting="2 unhappy customers wait for a reply.",
        ),
        subject_prefix="stf",
        links={"overview_link": ParamLink("/admin", "page")},
        channels=frozenset({Channel.email}),
        quiet_hours=frozenset(),
        to_staff=True,
    )
)
