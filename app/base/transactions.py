"""Transactions of sessions: begun with the first statement, ended in one piece.

The engine's own begin each before it is needed, and end in two tasks with a switch of stacks for
every step: a third more of a worker's processor time than the transaction's statements take.
"""

import asyncio

from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker
from sqlalchemy.orm import Session


class SessionMaker(async_sessionmaker[AsyncSession]):
    """A session factory; objects stay readable after the commit."""

    def begin(self) -> "_Transaction":  # type: ignore[override]  # used as a context manager alone
        """A session whose transaction is committed, or after an error rolled back, with the block.

        Where nothing was executed, nothing is begun. A task that is cancelled meanwhile ends it
        first.
        """
        return _Transaction(self())


class _Transaction:
    __slots__ = ("_session",)

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def __aenter__(self) -> AsyncSession:
        return self._session

    async def __aexit__(self, kind: type[BaseException] | None, *_error: object) -> None:
        ending = asyncio.ensure_future(self._session.run_sync(_end if kind is None else _undo))
        cancelled: asyncio.CancelledError | None = None
        while not ending.done():
            try:
                await asyncio.wait([ending])
            except asyncio.CancelledError as error:
                cancelled = error
        ending.result()
        if cancelled is not None:
            raise cancelled


def _end(session: Session) -> None:
    try:
        session.commit()
    finally:
        session.close()


def _undo(session: Session) -> None:
    try:
        session.rollback()
    finally:
        session.close()
