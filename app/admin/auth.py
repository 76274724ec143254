"""Who makes a request: an API key and its scopes, a member of staff by cookie, or this machine."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Annotated
from urllib.parse import urlsplit

from fastapi import Depends, Request, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from app.admin.known_keys import KnownKeys
from app.admin.rules import Scope, allows
from app.admin.staff import SignedIn, find_signed_in
from app.base import clock
from app.base.actor import Actor, ActorKind
from app.base.errors import AppError
from app.base.web.context import ContextDep, SessionDep, get_context

_BEARER = HTTPBearer(
    auto_error=False,
    scheme_name="API key",
    description="A key made with `tenfold key add`, as `Bearer tf_…`.",
)


@dataclass(frozen=True, slots=True)
class _Authenticated:
    actor: Actor
    scopes: frozenset[str]


def get_known_keys(request: Request) -> KnownKeys:
    """The process's keys, created with its first request of the API."""
    state = request.app.state
    if not hasattr(state, "known_keys"):
        state.known_keys = KnownKeys(get_context(request).sessions)
    return state.known_keys  # type: ignore[no-any-return]  # starlette's state is untyped


async def authenticate(request: Request) -> None:
    """Remember whose key the request carries. Raises `AppError` (401) without a valid one.

    `ApiRoute` calls it before the body is read; FastAPI's dependencies run after that.
    """
    scheme, _, shown = request.headers.get("authorization", "").partition(" ")
    known = get_known_keys(request)
    key = await known.find(shown.strip(), now=clock.now()) if scheme.lower() == "bearer" else None
    if key is None:
        raise AppError(
            "unauthorized",
            "Send a valid API key as Authorization: Bearer tf_…; make one with: tenfold key add",
            status=401,
            headers={"WWW-Authenticate": "Bearer"},
        )
    actor = Actor(ActorKind.api_key, key.brand_id, key.id, allows(key.scopes, Scope.pii))
    request.state.authenticated = _Authenticated(actor, key.scopes)


async def _authenticated(
    request: Request,
    _documented: Annotated[HTTPAuthorizationCredentials | None, Security(_BEARER)],
) -> _Authenticated:
    return request.state.authenticated  # type: ignore[no-any-return]  # starlette's state is untyped


def _check(key: _Authenticated, scope: Scope) -> None:
    if not allows(key.scopes, scope):
        raise AppError(
            "missing_scope",
            f"This key lacks the scope {scope.value!r}; make one that has it.",
            status=403,
        )


def check_scope(request: Request, scope: Scope) -> None:
    """For a field that needs more than its route. Raises AppError (403) without the scope."""
    _check(request.state.authenticated, scope)


def require(scope: Scope) -> Callable[..., Awaitable[Actor]]:
    """A dependency that returns who calls.

    Raises AppError: 401 without a valid key, 403 where the key lacks the scope.
    """

    async def checked(key: Annotated[_Authenticated, Depends(_authenticated)]) -> Actor:
        _check(key, scope)
        return key.actor

    checked.wants = scope  # type: ignore[attr-defined]  # read by the test that every route names its scope
    return checked


Reader = Annotated[Actor, Depends(require(Scope.read), scope="function")]
Writer = Annotated[Actor, Depends(require(Scope.write), scope="function")]
Checkout = Annotated[Actor, Depends(require(Scope.checkout), scope="function")]
Administrator = Annotated[Actor, Depends(require(Scope.admin), scope="function")]


def cookie_name(public_url: str) -> str:
    """The name of the session's cookie.

    With the prefix, which needs https, browsers take it from this very host alone.
    """
    return "__Host-tenfold_session" if public_url.startswith("https://") else "tenfold_session"


async def _signed_in(request: Request, context: ContextDep, session: SessionDep) -> SignedIn | None:
    cookie = request.cookies.get(cookie_name(context.settings.public_url), "")
    return await find_signed_in(session, context.tokens, cookie, now=clock.now())


StaffDep = Annotated[SignedIn | None, Depends(_signed_in, scope="function")]


def is_local(request: Request) -> bool:
    """Whether the caller is a program on this machine that was given a loopback address.

    Neither alone will do: a proxy on this machine forwards strangers' requests, and a page of a
    stranger can lead its own name to this machine.
    """
    if request.client is None or any(name in request.headers for name in _FORWARDED):
        return False
    try:
        host = urlsplit(f"//{request.headers.get('host', '')}").hostname or ""
        return ip_address(request.client.host).is_loopback and (
            host == "localhost" or ip_address(host).is_loopback
        )
    except ValueError:
        return False


_FORWARDED = ("forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip", "via")
"""Headers by which a proxy shows itself."""
