"""The message templates that staff get: an invitation, and the link that they asked for."""

from dataclasses import dataclass
from typing import Annotated

from app.brands.programme import Channel
from app.messaging.rules import Priority
from app.messaging.templates import DATE, LinkRow, TemplateSpec, TokenLink, register


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
