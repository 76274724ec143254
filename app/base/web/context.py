"""Dependencies of routes: the application context, and one database session per request."""

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import Depends, Request
from sqlalchemy.ext.asyncio import AsyncSession

from app.base.context import AppContext


def get_context(request: Request) -> AppContext:
    """Return the context of the process that serves the request."""
    return request.app.state.context  # type: ignore[no-any-return]  # starlette's state is untyped


ContextDep = Annotated[AppContext, Depends(get_context)]


async def open_session(context: ContextDep) -> AsyncIterator[AsyncSession]:
    """Yield the session of one transaction per request, committed before the response is sent."""
    async with context.sessions.begin() as session:
        yield session


SessionDep = Annotated[AsyncSession, Depends(open_session, scope="function")]
"""`scope="function"` makes the commit precede the response: by default FastAPI commits after it,
and a failing commit would still return 200."""
