"""Whose guesses at sign-in count together, and how many links one network may ask for.

Strangers cannot lock a person out: while too many wrong passwords were entered for an address, a
browser in which they signed in before still takes theirs, and a mailed link opens the dashboard in
any other. How many guesses there may be: `app.admin.guesses`.
"""

from fastapi import Request
from sqlalchemy import select

from app.admin.models import Staff
from app.base.context import AppContext
from app.base.failure_limit import FailureLimit

ASKED_LINKS = 40
"""Links asked for from one network in ten minutes, by each web process."""


def get_askers(request: Request) -> FailureLimit:
    """The application's counter of links that each network asks for."""
    state = request.app.state
    if not hasattr(state, "askers"):
        state.askers = FailureLimit(ASKED_LINKS, in_all=2_000)
    return state.askers  # type: ignore[no-any-return]  # starlette's state is untyped


async def guesser(context: AppContext, address: str, browser: str) -> str:
    """Whose wrong passwords count together: those for an address, or those of a known browser.

    `browser` is the cookie that `app.admin.sign_in_pages` leaves where somebody has signed in.
    """
    subject = context.tokens.read_link("browser", browser) if browser else None
    if subject is None:
        return address
    own = select(Staff.email).where(Staff.brand_id == subject.brand_id, Staff.id == subject.row_id)
    async with context.reading_sessions() as session:
        return f"{browser} {address}" if await session.scalar(own) == address else address
