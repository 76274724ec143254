"""Who may open a screen, and what is shown to who may not.

Every screen's route takes one of these dependencies. A page takes `ForViewer`, `ForSupport`,
`ForMarketer` or `ForAdmin`; whatever changes something takes the `…Writer` of the same role, the
one place where a form is checked to be ours.
"""

from collections.abc import Awaitable, Callable, Coroutine
from contextlib import AsyncExitStack
from functools import cached_property
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.responses import Response

from app.admin.auth import StaffDep, refuse_unconfirmed
from app.admin.csrf import require_own_form
from app.admin.dashboard.form import Form, read_form
from app.admin.dashboard.frame import Frame, load_frame
from app.admin.rules import Role, includes
from app.admin.sign_in_pages import sign_in_page
from app.admin.staff import load_administrators
from app.admin.texts import ROLE_NAMES
from app.base.errors import AppError
from app.base.i18n import SOURCE, translate
from app.base.web.context import ContextDep, SessionDep
from app.base.web.pages import page
from app.base.web.refusals import failure_page

_STACKS = ("fastapi_middleware_astack", "fastapi_inner_astack", "fastapi_function_astack")
"""Where the framework finds what closes the parts of a request."""


class SignInRequired(Exception):
    """Nobody is signed in."""


class RoleRequired(Exception):
    """Who is signed in may not do this; `administrators` may change that."""

    def __init__(self, needed: Role, own: Role, administrators: list[str]) -> None:
        super().__init__(needed)
        self.needed = needed
        self.own = own
        self.administrators = administrators


def frame_for(role: Role) -> Callable[..., Awaitable[Frame]]:
    """A dependency that returns the frame of a page, for this role and those above it.

    Raises SignInRequired and RoleRequired, which become pages.
    """

    async def checked(request: Request, context: ContextDep, session: SessionDep, staff: StaffDep) -> Frame:
        if staff is None:
            raise SignInRequired
        if not includes(staff.role, role):
            found = await load_administrators(session, staff.brand_id)
            raise RoleRequired(role, staff.role, found)
        return await load_frame(request, context, session, staff)

    checked.wants = role  # type: ignore[attr-defined]  # read by the test that every screen names its role
    return checked


def writer_for(role: Role) -> Callable[..., Awaitable[tuple[Frame, Form]]]:
    """A dependency of a form's route: the frame, and the fields of a form that is our own.

    Raises as `frame_for`, and AppError (403) for a form of another site or session.
    """
    opened = frame_for(role)

    async def checked(
        request: Request, frame: Annotated[Frame, Depends(opened, scope="function")]
    ) -> tuple[Frame, Form]:
        await require_own_form(request, frame.context, frame.staff)
        return frame, await read_form(request)

    checked.wants = role  # type: ignore[attr-defined]  # as above
    checked.writes = True  # type: ignore[attr-defined]  # as above
    return checked


ForViewer = Annotated[Frame, Depends(frame_for(Role.viewer), scope="function")]
ForSupport = Annotated[Frame, Depends(frame_for(Role.support), scope="function")]
ForMarketer = Annotated[Frame, Depends(frame_for(Role.marketer), scope="function")]
ForAdmin = Annotated[Frame, Depends(frame_for(Role.admin), scope="function")]
SupportWriter = Annotated[tuple[Frame, Form], Depends(writer_for(Role.support), scope="function")]
MarketerWriter = Annotated[tuple[Frame, Form], Depends(writer_for(Role.marketer), scope="function")]
AdminWriter = Annotated[tuple[Frame, Form], Depends(writer_for(Role.admin), scope="function")]


def confirmed_writer(page: str) -> Callable[..., Awaitable[tuple[Frame, Form]]]:
    """As `AdminWriter`, of somebody who has just shown who they are.

    Others are led to do so, and then to `page`, which may name parts of the route's path: `{id}`.
    """

    async def checked(request: Request, writer: AdminWriter) -> tuple[Frame, Form]:
        refuse_unconfirmed(writer[0].staff, page.format(**request.path_params))
        return writer

    checked.wants = Role.admin  # type: ignore[attr-defined]  # as above
    checked.writes = True  # type: ignore[attr-defined]  # as above
    return checked


class ScreenRoute(APIRoute):
    """A route of a screen: whatever is refused becomes a page."""

    served_paths: frozenset[str] = frozenset()
    """The paths of all screens; none for a screen outside of `app.admin.dashboard.screens`."""

    @cached_property
    def respond(self) -> Callable[[Request], Awaitable[Response]]:
        """What makes a request's response where the application responds by itself."""
        handle = self.get_route_handler()

        async def respond(request: Request) -> Response:
            # All that is opened for a screen is closed, and its transaction committed, before the
            # response is sent, so one stack does for the three of the framework.
            async with AsyncExitStack() as stack:
                request.scope.update(dict.fromkeys(_STACKS, stack))
                return await handle(request)

        return respond

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return FastAPI's own handler, its refusals as pages."""
        handle = super().get_route_handler()

        async def shown(request: Request) -> Response:
            try:
                return await handle(request)
            except SignInRequired:
                return sign_in_page(back_to=_path_of(request))
            except RoleRequired as refused:
                return _forbidden_page(refused)
            except RequestValidationError:
                return failure_page(request, 404, translate(SOURCE, "Nothing is here under that address."))
            except AppError as error:
                return failure_page(request, error.status, error.detail, headers=error.headers)

        return shown


def screen_router(prefix: str = "/admin") -> APIRouter:
    """A router for the routes of one screen."""
    return APIRouter(prefix=prefix, include_in_schema=False, route_class=ScreenRoute)


def _path_of(request: Request) -> str:
    """The page to return to; none after a form, whose fields are gone."""
    if request.method != "GET":
        return ""
    query = request.url.query
    return f"{request.url.path}?{query}" if query else request.url.path


def _forbidden_page(refused: RoleRequired) -> Response:
    values = {
        "needed": translate(SOURCE, ROLE_NAMES[refused.needed]),
        "own": translate(SOURCE, ROLE_NAMES[refused.own]),
        "administrators": refused.administrators,
    }
    return page("admin/forbidden.html", values, status=403)
