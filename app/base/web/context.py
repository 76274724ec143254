"""The application context of a process, and one database session per request."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession

from app.base.config import Settings
from app.base.db import Sessions
from app.base.tokens import Tokens


@dataclass(frozen=True)
class AppContext:
    """What every package needs to work, built once per process."""

    settings: Settings
    engine: AsyncEngine
    sessions: Sessions
    tokens: Tokens
    database_url: str


def get_context(request: Request) -> AppContext:
    """The process's context, as a dependency."""
    return request.app.state.context  # type: ignore[no-any-return]  # starlette's state is untyped


ContextDep = Annotated[AppContext, Depends(get_context)]


async def open_session(context: ContextDep) -> AsyncIterator[AsyncSession]:
    """One transaction a request, committed before the reply leaves."""
    async with context.sessions.begin() as session:
        yield session


SessionDep = Annotated[AsyncSession, Depends(open_session, scope="function")]
"""`scope="function"` is what makes the commit come before the reply: by default FastAPI commits
after it, and a failing commit would still have answered 200."""
