"""Writes with an `Idempotency-Key` happen once: a repeated one gets the first one's response again."""

import hashlib
from collections.abc import Awaitable, Callable
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
"""Stands for the status while the write is under way; never visible outside its transaction."""


@dataclass(frozen=True, slots=True)
class WriteResult:
    """What a write returns. A returned result, a refusal too, is committed and stored; a raised one is not."""

    body: BaseModel
    status: int = 200
    only_set: bool = False
    """Leaves out the fields that were never set."""

    def as_json(self) -> dict[str, Any]:
        """The body as JSON values."""
        return self.body.model_dump(mode="json", by_alias=True, exclude_unset=self.only_set)


def _response(body: dict[str, Any], status: int) -> JSONResponse:
    kind = "application/problem+json" if status >= 400 else "application/json"
    return JSONResponse(body, status, media_type=kind)


@dataclass(frozen=True, slots=True)
class IdempotentWrite:
    """One write request with its session, which both the write and its stored response go through."""

    session: AsyncSession
    key: str | None
    request_hash: bytes

    async def run(self, caller: Actor, act: Callable[[], Awaitable[WriteResult]]) -> JSONResponse:
        """Do it, or return the stored response. The same key with another request is an `AppError`.

        Of two at the same time the second waits for the first. A write that failed is not stored:
        nothing of it was kept.
        """
        if self.key is None:
            result = await act()
            return _response(result.as_json(), result.status)
        row = {"brand_id": caller.brand_id, "api_key_id": caller.id, "key": self.key}
        claimed = await self.session.execute(
            insert(IdempotencyKey)
            .values(**row, request_hash=self.request_hash, status=_UNFINISHED, answer={})
            .on_conflict_do_nothing()
            .returning(IdempotencyKey.key)
        )
        if claimed.first() is None:
            return await self._again(caller)
        result = await act()
        body = result.as_json()
        await self.session.execute(
            update(IdempotencyKey)
            .where(*(getattr(IdempotencyKey, name) == value for name, value in row.items()))
            .values(status=result.status, answer=body)
        )
        return _response(body, result.status)

    async def _again(self, caller: Actor) -> JSONResponse:
        found = await self.session.scalar(
            select(IdempotencyKey).where(
                IdempotencyKey.brand_id == caller.brand_id,
                IdempotencyKey.api_key_id == caller.id,
                IdempotencyKey.key == self.key,
            )
        )
        if found is None or found.request_hash != self.request_hash:
            raise AppError(
                "idempotency_key_reused",
                "This Idempotency-Key was used for another request; take a fresh one.",
            )
        if not found.answer:
            raise AppError(
                "erased",
                "This write was made once; its response named a person who was erased since.",
                status=410,
            )
        return _response(found.answer, found.status)


async def _once(
    request: Request,
    session: SessionDep,
    idempotency_key: Annotated[
        str | None, Header(max_length=255, min_length=1, description="Repeat a write safely.")
    ] = None,
) -> IdempotentWrite:
    content = b"\0".join(
        [request.method.encode(), request.url.path.encode(), request.url.query.encode(), await request.body()]
    )
    return IdempotentWrite(session, idempotency_key, hashlib.sha256(content).digest())


IdempotentWriteDep = Annotated[IdempotentWrite, Depends(_once, scope="function")]
