"""An application responds by the routes of pages itself, as the framework would."""

from collections.abc import AsyncIterator
from typing import Annotated

import pytest
from fastapi import FastAPI, Path, Request
from httpx2 import ASGITransport, AsyncClient
from starlette.responses import PlainTextResponse, Response

from app.base.errors import AppError
from app.base.web.direct import DirectApp
from app.base.web.middleware import BodyLimitMiddleware, RequestMiddleware, read_body
from app.base.web.page_route import make_page_router
from app.base.web.problems import install_problems

router = make_page_router()
Name = Annotated[str, Path()]


@router.get("/s/{name}")
async def show(request: Request, name: Name) -> Response:
    if name == "refused":
        raise AppError("bad_name", "Another name.", status=409)
    if name == "broken":
        raise ZeroDivisionError
    return PlainTextResponse(f"{name} {request.scope['route'].path}")


@router.get("/s/{name}/thanks")
async def thank(name: Name) -> Response:
    return PlainTextResponse(f"thanks, {name}")


@router.post("/s/{name}")
async def answer(request: Request, name: Name) -> Response:
    body = await read_body(request, limit=8, drop_up_to=64)
    return PlainTextResponse(f"{name}: {body.decode()}")


@router.get("/own")
async def look(request: Request) -> Response:
    return PlainTextResponse(f"{'fastapi_middleware_astack' in request.scope}")


def _made(kind: type[FastAPI]) -> FastAPI:
    app = kind(redirect_slashes=False)
    app.add_middleware(BodyLimitMiddleware, limit=16, drop_up_to=64, exempt="/hooks/")
    app.add_middleware(RequestMiddleware)
    install_problems(app)
    app.router.routes.extend(router.routes)

    @app.get("/s/{name}/other")
    async def other(name: str) -> Response:
        return PlainTextResponse(f"other {name}")

    return app


@pytest.fixture
async def clients() -> AsyncIterator[list[AsyncClient]]:
    """Of the application, and of one of the framework's own kind."""
    made = [
        AsyncClient(transport=ASGITransport(app=_made(kind)), base_url="http://test")
        for kind in (DirectApp, FastAPI)
    ]
    yield made
    for each in made:
        await each.aclose()


@pytest.mark.parametrize(
    ("method", "path", "content", "status", "text"),
    [
        ("GET", "/s/ana", b"", 200, "ana /s/{name}"),
        ("GET", "/s/a%2Fb", b"", 404, "not_found"),
        ("GET", "/s/ana/thanks", b"", 200, "thanks, ana"),
        ("GET", "/s/ana/other", b"", 200, "other ana"),
        ("GET", "/s/", b"", 404, "not_found"),
        ("GET", "/", b"", 404, "not_found"),
        ("PUT", "/s/ana", b"", 405, "method_not_allowed"),
        ("GET", "/s/refused", b"", 409, "bad_name"),
        ("GET", "/s/broken", b"", 500, "internal"),
        ("GET", "/s/a%00b", b"", 422, "invalid"),
        ("POST", "/s/ana", b"12345678", 200, "ana: 12345678"),
        ("POST", "/s/ana", b"123456789", 413, "too_large"),
        ("POST", "/s/ana", b"1" * 17, 413, "too_large"),
    ],
)
async def test_a_page_is_responded_to_as_by_the_framework(clients, method, path, content, status, text):
    # The text of a failure has the id of its request.
    headers = {"X-Request-Id": "of-this-test"}
    own, framework = [await each.request(method, path, content=content, headers=headers) for each in clients]
    assert (own.status_code, own.text, own.headers.get("allow")) == (
        framework.status_code,
        framework.text,
        framework.headers.get("allow"),
    )
    assert own.status_code == status
    assert text in own.text
    assert set(own.headers) == set(framework.headers)


async def test_a_page_below_the_prefix_of_a_proxy_is_found():
    transport = ASGITransport(app=_made(DirectApp), root_path="/nps")
    async with AsyncClient(transport=transport, base_url="http://test") as client:
        response = await client.get("/nps/s/ana")
    assert response.text == "ana /s/{name}"


async def test_a_page_passes_none_of_the_layers_of_the_framework(clients):
    assert [(await each.get("/own")).text for each in clients] == ["False", "True"]


async def test_the_routes_that_an_application_is_given_come_first(clients):
    app = _made(DirectApp)
    own = make_page_router()

    @own.get("/s/other/thanks")
    async def fixed() -> Response:
        return PlainTextResponse("fixed")

    @own.get("/s/{name}/thanks/{again}")
    async def again(name: Name, again: Name) -> Response:
        return PlainTextResponse(f"{name} {again}")

    app.respond_by(own.routes)
    async with AsyncClient(transport=ASGITransport(app=app), base_url="http://test") as client:
        paths = ("/s/other/thanks", "/s/ana/thanks", "/s/ana/thanks/b", "/s/ana/other", "/s/other/thanks/")
        found = [(await client.get(path)).text for path in paths]
    assert found[:4] == ["fixed", "thanks, ana", "ana b", "other ana"]
    assert "not_found" in found[4]
