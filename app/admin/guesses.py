"""Limits on guesses at sign-in: of passwords and codes by person, of mailed links by address.

They are counted in the database, for all web processes together, and before they are looked at: so
of many at the same moment no more are tried than of one after the other. A right one is taken back,
so a genuine sign-in never counts.
"""

from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from app.base.context import AppContext
from app.base.tokens import Tokens

WINDOW = timedelta(minutes=10)


class Guess(StrEnum):
    """What is guessed, or asked for in another's name."""

    password = "password"
    code = "code"
    link = "link"


MOST = {Guess.password: 20, Guess.code: 10, Guess.link: 4}
"""How many are taken in `WINDOW`: passwords for one address, from whatever network, and as many in
a browser that is known to belong to the person; codes of one person, of which three of a million
are right; links mailed to one address."""

# What leaks out in one window is all that there can be, so older rows count nothing.
_LEVEL = """greatest(0, counted.level
    - greatest(0, extract(epoch FROM CAST(:now AS timestamptz) - counted.at)) * :most / :window)"""
_COUNT = text(f"""
    WITH over AS (
        DELETE FROM sign_in_guesses WHERE key IN (
            SELECT key FROM sign_in_guesses
            WHERE at < CAST(:now AS timestamptz) - make_interval(secs => :window) AND key <> :key
            LIMIT 10 FOR UPDATE SKIP LOCKED)
    )
    INSERT INTO sign_in_guesses AS counted (key, level, at) VALUES (:key, 1, CAST(:now AS timestamptz))
    ON CONFLICT (key) DO UPDATE SET level = {_LEVEL} + 1, at = greatest(counted.at, excluded.at)
    WHERE {_LEVEL} <= :most - 1
    RETURNING counted.key
""")
_TAKE_BACK = text("UPDATE sign_in_guesses SET level = greatest(0, level - 1) WHERE key = :key")


async def count_guess(context: AppContext, what: Guess, who: str, *, now: datetime) -> bool:
    """Count a guess before it is looked at; False, and not counted, where there were too many.

    `who` is the person, address or browser whose guesses count together. It is committed at once.
    """
    given = {
        "key": context.tokens.guess_key(what, who),
        "now": now,
        "most": float(MOST[what]),
        "window": WINDOW.total_seconds(),
    }
    async with context.sessions.begin() as session:
        return await session.scalar(_COUNT, given) is not None


async def take_guess_back(session: AsyncSession, tokens: Tokens, what: Guess, who: str) -> None:
    """Count a guess no more, since it was right."""
    await session.execute(_TAKE_BACK, {"key": tokens.guess_key(what, who)})
