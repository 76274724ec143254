"""Writes with an `Idempotency-Key` happen once; a repeated request gets the first response."""

import hashlib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends, Header, Request
from pydantic import BaseModel
from sqlalchemy import select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.responses import JSONResponse

from app.admin.models import IdempotencyKey
from app.base.actor import Actor
from app.base.errors import AppError
from app.base.web.context import SessionDep

_UNFINISHED = 0
"""The status while the write is under way; never visible outside its transaction."""


@dataclass(frozen=True, slots=True)
class WriteResult:
    """What a write returns.

    A returned result, a refusal too, is committed and stored; a raised error is not.
    """

    body: BaseModel
    status: int = 200
    only_set: bool = False
    """Leaves out the fields that were never set."""
    headers: Mapping[str, str] | None = None
    """Not stored: the response to a repeated request lacks them."""
    shown_once: tuple[str, ...] = ()
    """Fields that are secret: never stored, so null in the response to a repeated request."""

    def as_json(self) -> dict[str, Any]:
        """The body as JSON values."""
        return self.body.model_dump(mode="json", by_alias=True, exclude_unset=self.only_set)


def _response(body: dict[str, Any], status: int, headers: Mapping[str, str] | None = None) -> JSONResponse:
    kind = "application/problem+json" if status >= 400 else "application/json"
    return JSONResponse(body, status, headers, media_type=kind)


@dataclass(frozen=True, slots=True)
class IdempotentWrite:
    """One write request, and the session that writes both the change and the stored response."""

    session: AsyncSession
    key: str | None
    request_hash: bytes

    async def run(self, caller: Actor, act: Callable[[], Awaitable[WriteResult]]) -> JSONResponse:
        """Call `act` and return its response, or return the stored response.

        Of two requests with the same key at the same time the second waits for the first. A write
        that raises stores nothing. Raises AppError (`idempotency_key_reused`) where the key was
        used for another request.
        """
        if self.key is None:
            result = await act()
            return _response(result.as_json(), result.status, result.headers)
        row = {"brand_id": caller.brand_id, "key": self.key}
        claimed = await self.session.execute(
            insert(IdempotencyKey)
            .values(
                **row,
                request_hash=self.request_hash,
                sees_people=caller.sees_people,
                status=_UNFINISHED,
                body={},
            )
            .on_conflict_do_nothing()
            .returning(IdempotencyKey.key)
        )
        if claimed.first() is None:
            return await self._stored_response(self.session, caller)
        result = await act()
        body = result.as_json()
        await self.session.execute(
            update(IdempotencyKey)
            .where(*(getattr(IdempotencyKey, name) == value for name, value in row.items()))
            .values(status=result.status, body={**body, **dict.fromkeys(result.shown_once)})
        )
        return _response(body, result.status, result.headers)

    async def find_stored(self, session: AsyncSession, caller: Actor) -> JSONResponse | None:
        """The stored response of a write that was made; None where it was not made yet.

        For a write that calls the outside world before its transaction: a repeated request must not
        call it again. Raises AppError as `run`.
        """
        made = select(IdempotencyKey.key).where(
            IdempotencyKey.brand_id == caller.brand_id, IdempotencyKey.key == self.key
        )
        if self.key is None or await session.scalar(made) is None:
            return None
        return await self._stored_response(session, caller)

    async def _stored_response(self, session: AsyncSession, caller: Actor) -> JSONResponse:
        found = await session.scalar(
            select(IdempotencyKey).where(
                IdempotencyKey.brand_id == caller.brand_id,
                IdempotencyKey.key == self.key,
            )
        )
        shows_more = found is not None and found.sees_people and not caller.sees_people
        if found is None or found.request_hash != self.request_hash or shows_more:
            raise AppError(
                "idempotency_key_reused",
                "This Idempotency-Key was used for another request; use a new one.",
            )
        if not found.body:
            raise AppError(
                "erased",
                "This write was made once; its response named a person who was erased since.",
                status=410,
            )
        return _response(found.body, found.status)


KeyHeader = Annotated[str | None, Header(max_length=255, min_length=1, description="Repeat a write safely.")]
"""The `Idempotency-Key` of a request."""


def hash_of(request: Request, content: bytes) -> bytes:
    """What tells a request from another one with the same key; `content` stands for its body."""
    url = request.url
    parts = [request.method.encode(), url.path.encode(), url.query.encode(), content]
    return hashlib.sha256(b"\0".join(parts)).digest()


async def _idempotent_write(
    request: Request, session: SessionDep, idempotency_key: KeyHeader = None
) -> IdempotentWrite:
    return IdempotentWrite(session, idempotency_key, hash_of(request, await request.body()))


IdempotentWriteDep = Annotated[IdempotentWrite, Depends(_idempotent_write, scope="function")]
