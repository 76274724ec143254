"""Who calls the API: the key in the `Authorization` header, and whether its scopes suffice."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated
from uuid import UUID

from fastapi import Depends, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from app.admin.keys import find_key
from app.admin.rules import Scope, allows
from app.base.errors import AppError
from app.base.web.context import SessionDep

_BEARER = HTTPBearer(
    auto_error=False,
    scheme_name="API key",
    description="A key made with `tenfold key add`, as `Bearer tf_…`.",
)


@dataclass(frozen=True, slots=True)
class Caller:
    """The key a request came with; `brand_id` is the only brand it can speak of."""

    brand_id: int
    key_id: UUID
    scopes: frozenset[str]

    @property
    def sees_people(self) -> bool:
        """Whether personal fields are shown, not masked."""
        return allows(self.scopes, Scope.pii)


async def _caller(
    session: SessionDep, given: Annotated[HTTPAuthorizationCredentials | None, Security(_BEARER)]
) -> Caller:
    key = None if given is None else await find_key(session, given.credentials)
    if key is None:
        raise AppError(
            "unauthorized",
            "Send a valid API key as Authorization: Bearer tf_…; make one with: tenfold key add",
            status=401,
            headers={"WWW-Authenticate": "Bearer"},
        )
    return Caller(key.brand_id, key.id, frozenset(key.scopes))


def require(scope: Scope) -> Callable[..., Awaitable[Caller]]:
    """A dependency that answers the caller: 401 without a valid key, 403 where the key lacks the scope."""

    async def checked(caller: Annotated[Caller, Depends(_caller, scope="function")]) -> Caller:
        if not allows(caller.scopes, scope):
            raise AppError(
                "missing_scope",
                f"This key lacks the scope {scope.value!r}; make one that has it.",
                status=403,
            )
        return caller

    checked.wants = scope  # type: ignore[attr-defined]  # read by the test that every route names its scope
    return checked


Reader = Annotated[Caller, Depends(require(Scope.read), scope="function")]
Writer = Annotated[Caller, Depends(require(Scope.write), scope="function")]
Checkout = Annotated[Caller, Depends(require(Scope.checkout), scope="function")]
