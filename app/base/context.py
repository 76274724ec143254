"""The application context of a process: what every package needs to work, without the web."""

from dataclasses import dataclass, field
from functools import cached_property

from sqlalchemy.ext.asyncio import AsyncEngine

from app.base.config import Settings
from app.base.db import Sessions, make_reading_sessions
from app.base.journal import Journal
from app.base.precedence import Precedence
from app.base.reading import Reading
from app.base.tokens import Tokens


@dataclass(frozen=True)
class AppContext:
    """Settings, database and token keys of a process; built once, in `app.wiring`."""

    settings: Settings
    engine: AsyncEngine
    sessions: Sessions
    tokens: Tokens
    database_url: str
    hook_sessions: Sessions | None = None
    """Of a pool that stores deliveries of shops and does nothing else; None: the same as
    `sessions`."""

    provider_sessions: Sessions | None = None
    """Of a pool that stores what providers report; None: the same as `hook_sessions`."""
    precedence: Precedence = field(default_factory=Precedence)
    """By which this process's bulk work lets urgent work go first; threads share one."""

    @property
    def sessions_for_shops(self) -> Sessions:
        """For deliveries of shops."""
        return self.hook_sessions or self.sessions

    @property
    def sessions_for_providers(self) -> Sessions:
        """For reports of providers."""
        return self.provider_sessions or self.sessions_for_shops

    @cached_property
    def reading_sessions(self) -> Sessions:
        """For what reads a little: each statement is a transaction of its own."""
        return make_reading_sessions(self.engine)

    def reading(self) -> Reading:
        """For a page that is only shown: as `reading_sessions`, for prepared statements alone."""
        return Reading(self.engine)

    @cached_property
    def journal(self) -> Journal:
        """The journal of this machine, as this process writes it."""
        return Journal(self.settings.journal_path)
