"""Who calls the API: the key in the `Authorization` header, and whether its scopes are enough."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from app.admin.keys import find_key
from app.admin.rules import Scope, allows
from app.base.actor import Actor, ActorKind
from app.base.errors import AppError
from app.base.web.context import SessionDep

_BEARER = HTTPBearer(
    auto_error=False,
    scheme_name="API key",
    description="A key made with `tenfold key add`, as `Bearer tf_…`.",
)


@dataclass(frozen=True, slots=True)
class _Authenticated:
    actor: Actor
    scopes: frozenset[str]


async def _authenticate(
    session: SessionDep, given: Annotated[HTTPAuthorizationCredentials | None, Security(_BEARER)]
) -> _Authenticated:
    key = None if given is None else await find_key(session, given.credentials)
    if key is None:
        raise AppError(
            "unauthorized",
            "Send a valid API key as Authorization: Bearer tf_…; make one with: tenfold key add",
            status=401,
            headers={"WWW-Authenticate": "Bearer"},
        )
    scopes = frozenset(key.scopes)
    sees_people = allows(scopes, Scope.pii)
    return _Authenticated(Actor(ActorKind.api_key, key.brand_id, key.id, sees_people), scopes)


def require(scope: Scope) -> Callable[..., Awaitable[Actor]]:
    """A dependency that returns who calls.

    Raises AppError: 401 without a valid key, 403 where the key lacks the scope.
    """

    async def checked(key: Annotated[_Authenticated, Depends(_authenticate, scope="function")]) -> Actor:
        if not allows(key.scopes, scope):
            raise AppError(
                "missing_scope",
                f"This key lacks the scope {scope.value!r}; make one that has it.",
                status=403,
            )
        return key.actor

    checked.wants = scope  # type: ignore[attr-defined]  # read by the test that every route names its scope
    return checked


Reader = Annotated[Actor, Depends(require(Scope.read), scope="function")]
Writer = Annotated[Actor, Depends(require(Scope.write), scope="function")]
Checkout = Annotated[Actor, Depends(require(Scope.checkout), scope="function")]
Administrator = Annotated[Actor, Depends(require(Scope.admin), scope="function")]
