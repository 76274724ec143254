"""Who makes a request: an API key and its scopes, a member of staff by cookie, or this machine."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated
from urllib.parse import urlencode

from fastapi import Depends, Request, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from app.admin.find_sessions import NOTED_EVERY, find_signed_in, note_seen
from app.admin.known_keys import KnownKeys
from app.admin.rules import Scope, allows, is_confirmed, needs_second_factor
from app.admin.staff import SignedIn
from app.base import clock
from app.base.actor import Actor, ActorKind
from app.base.config import Environment, Settings
from app.base.errors import AppError
from app.base.web.context import ContextDep, get_context

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


def has_scope(request: Request, scope: Scope) -> bool:
    """Whether the key that calls has this scope, or one that includes it."""
    return allows(request.state.authenticated.scopes, scope)


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


ACCOUNT = "/admin/account"
"""A person's own settings: password, second factor, sessions."""
_WITHOUT_SECOND_FACTOR = (ACCOUNT, "/admin/login", "/admin/logout", "/admin/brands")
"""What an administrator may open who must set up an authenticator first."""


async def _signed_in(request: Request, context: ContextDep) -> SignedIn | None:
    """Who has signed in with this browser; None for nobody.

    Raises AppError (303) for an administrator who must set up a second factor before they open this
    page. The session is read before the request's own transaction, so that none waits for it.
    """
    cookie = request.cookies.get(cookie_name(context.settings.public_url))
    if not cookie:
        return None
    now = clock.now()
    async with context.reading() as session:
        person = await find_signed_in(session, context.tokens, cookie, now=now)
        if person is not None and now - person.times.last_seen_at >= NOTED_EVERY:
            await note_seen(session, person, now=now)
    if person is not None and not request.url.path.startswith(_WITHOUT_SECOND_FACTOR):
        refuse_without_second_factor(person, context.settings)
    return person


def refuse_without_second_factor(person: SignedIn, settings: Settings) -> None:
    """Raise AppError (303) where this person must set up a second factor first."""
    needed = needs_second_factor(person.role, production=settings.env is Environment.production)
    if needed and not person.has_second_factor:
        raise AppError(
            "second_factor_required",
            "Administrators set up an authenticator first.",
            status=303,
            headers={"Location": f"{ACCOUNT}/authenticator"},
        )


def require_confirmed(page: str) -> Callable[..., Awaitable[SignedIn]]:
    """A dependency that returns a person who has just shown who they are.

    Raises AppError (303), which leads others to a page to do so and then to `page`; and who is not
    signed in to the page for that.
    """

    async def checked(staff: StaffDep) -> SignedIn:
        if staff is None:
            raise AppError("unauthorized", "Sign in first.", status=303, headers={"Location": "/admin"})
        refuse_unconfirmed(staff, page)
        return staff

    return checked


def refuse_unconfirmed(person: SignedIn, page: str) -> None:
    """Raise AppError (303) where the person must show once more who they are, and then `page`."""
    if not is_confirmed(person.times, now=clock.now()):
        address = f"{ACCOUNT}/confirm?{urlencode({'next': page})}"
        raise AppError("unconfirmed", "Confirm that it is you.", status=303, headers={"Location": address})


StaffDep = Annotated[SignedIn | None, Depends(_signed_in, scope="function")]
