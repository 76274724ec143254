"""The message templates that staff get: invitations, links that they asked for, and alarms."""

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
