"""Dependencies of routes: the application context, and one database session per request.

Each is `async`: the framework calls any other one in a thread, which costs more than a query.
"""

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import Depends, Request
from sqlalchemy.ext.asyncio import AsyncSession

from app.base.context import AppContext
from app.base.reading import Reading


def get_context(request: Request) -> AppContext:
    """Return the context of the process that serves the request."""
    return request.app.state.context  # type: ignore[no-any-return]  # starlette's state is untyped


async def _context(request: Request) -> AppContext:
    return get_context(request)


ContextDep = Annotated[AppContext, Depends(_context)]


async def open_session(context: ContextDep) -> AsyncIterator[AsyncSession]:
    """Yield the session of one transaction per request, committed before the response is sent."""
    async with context.sessions.begin() as session:
        yield session


SessionDep = Annotated[AsyncSession, Depends(open_session, scope="function")]
"""`scope="function"` makes the commit precede the response: by default FastAPI commits after it,
and a failing commit would still return 200."""


async def open_reading(context: ContextDep) -> AsyncIterator[Reading]:
    """Yield what executes prepared statements one by one, for a page that is only shown."""
    async with context.reading() as reading:
        yield reading


ReadingDep = Annotated[Reading, Depends(open_reading, scope="function")]
