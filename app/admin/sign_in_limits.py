"""Limits on guesses at sign-in: of passwords and codes by person, of mailed links by address.

Only failures count, so a genuine sign-in never does. Strangers cannot lock a person out: while too
many wrong passwords were entered for an address, a browser in which they signed in before still
takes theirs, and a mailed link opens the dashboard in any other.
"""

from dataclasses import dataclass, field

from fastapi import Request
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.admin.models import Staff
from app.base.failure_limit import FailureLimit
from app.base.tokens import Tokens

WRONG_PASSWORDS = 20
"""Wrong passwords allowed for one address in ten minutes, from whatever network; and as many in a
browser that is known to belong to the person."""
WRONG_CODES = 10
"""Wrong codes allowed for one person in ten minutes: three of a million are right."""
MAILED_LINKS = 4
"""Links mailed to one address in ten minutes."""
ASKED_LINKS = 40
"""Links asked for from one network in ten minutes."""


@dataclass(slots=True)
class SignInLimits:
    """The counters of one process."""

    passwords: FailureLimit = field(default_factory=lambda: FailureLimit(WRONG_PASSWORDS, in_all=1_000))
    codes: FailureLimit = field(default_factory=lambda: FailureLimit(WRONG_CODES, in_all=1_000))
    links: FailureLimit = field(default_factory=lambda: FailureLimit(MAILED_LINKS, in_all=2_000))
    askers: FailureLimit = field(default_factory=lambda: FailureLimit(ASKED_LINKS, in_all=2_000))

    def may_mail(self, address: str) -> bool:
        """Whether this address may get one more link; counts it."""
        if self.links.is_limited(address):
            return False
        self.links.record_failure(address)
        return True


def get_sign_in_limits(request: Request) -> SignInLimits:
    """The application's counters."""
    state = request.app.state
    if not hasattr(state, "sign_in_limits"):
        state.sign_in_limits = SignInLimits()
    return state.sign_in_limits  # type: ignore[no-any-return]  # starlette's state is untyped


async def guesser(session: AsyncSession, tokens: Tokens, address: str, browser: str) -> str:
    """Whose wrong passwords count together: those for an address, or those of a known browser.

    `browser` is the cookie that `app.admin.sign_in_pages` leaves where somebody has signed in.
    """
    subject = tokens.read_link("browser", browser) if browser else None
    if subject is None:
        return address
    own = select(Staff.email).where(Staff.brand_id == subject.brand_id, Staff.id == subject.row_id)
    return f"{browser} {address}" if await session.scalar(own) == address else address
