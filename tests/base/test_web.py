import asyncio
import json
from dataclasses import replace
from html import unescape
from pathlib import Path

import pytest
from fastapi import FastAPI, Request
from httpx2 import ASGITransport, AsyncClient
from pydantic import BaseModel, ConfigDict
from sqlalchemy import text
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine
from starlette.responses import HTMLResponse

from app.base.db import Limits, make_engine, make_sessions
from app.base.errors import AppError
from app.base.web.context import SessionDep
from app.base.web.middleware import BodyLimitMiddleware, RequestMiddleware, read_body
from app.base.web.problems import install_problems


class Body(BaseModel):
    number: int


class Raised(BaseModel):
    state: str


class Run(BaseModel):
    sql: str


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


@pytest.fixture
async def client(context):
    app = FastAPI()
    app.state.context = context
    app.add_middleware(BodyLimitMiddleware, limit=2000, drop_up_to=10_000, exempt="/raw")
    app.add_middleware(RequestMiddleware)
    install_problems(app)

    @app.post("/fails-at-commit")
    async def fails_at_commit(session: SessionDep) -> dict[str, bool]:
        await session.execute(text("CREATE TABLE parent (id int PRIMARY KEY)"))
        await session.execute(
            text("CREATE TABLE child (id int REFERENCES parent DEFERRABLE INITIALLY DEFERRED)")
        )
        await session.execute(text("INSERT INTO child VALUES (1)"))
        return {"done": True}

    @app.post("/mistake")
    async def mistake() -> None:
        raise AppError("no_such_thing", "There is no such thing; name another.", status=409)

    @app.post("/typed")
    async def typed(body: Body) -> Body:
        return body

    @app.post("/raw")
    async def raw(request: Request) -> int:
        return len(await read_body(request, limit=1000, drop_up_to=5000))

    @app.get("/asks")
    async def asks(session: SessionDep) -> None:
        await session.execute(text("SELECT 1"))

    @app.get("/stores")
    async def stores(session: SessionDep, escaped: str) -> None:
        given = escaped.encode().decode("unicode_escape")
        await session.execute(text("SELECT CAST(:given AS text)"), {"given": given})

    @app.post("/strict")
    async def strict(body: Strict) -> None:
        pass

    @app.post("/raises")
    async def raises(body: Raised, session: SessionDep) -> None:
        await session.execute(text(f"DO $$ BEGIN RAISE EXCEPTION 'x' USING ERRCODE = '{body.state}'; END $$"))

    @app.post("/runs")
    async def runs(body: Run, session: SessionDep) -> None:
        await session.execute(text(body.sql))

    @app.post("/sleeps")
    async def sleeps(session: SessionDep) -> None:
        await session.execute(text("SELECT 1"))
        await asyncio.sleep(1.5)
        await session.execute(text("SELECT 1"))

    for prefix in ("", "/admin"):
        app.add_api_route(f"{prefix}/page", mistake, methods=["POST"], include_in_schema=False)

    @app.get("/broken-page", response_class=HTMLResponse)
    @app.get("/admin/page", include_in_schema=False)
    async def broken() -> None:
        raise ZeroDivisionError

    @app.get("/looks-for-a-file")
    def looks_for_a_file() -> None:
        Path("no-such-file").read_bytes()

    async with AsyncClient(
        transport=ASGITransport(app=app, raise_app_exceptions=False), base_url="http://test"
    ) as client:
        yield client


async def test_a_failing_commit_never_returns_200(client, context):
    answer = await client.post("/fails-at-commit")
    assert answer.status_code == 500
    assert answer.headers["content-type"] == "application/problem+json"
    async with context.sessions() as session:
        assert await session.scalar(text("SELECT to_regclass('child')")) is None


@pytest.mark.parametrize("query", ["host=/nowhere-at-all", "host=127.0.0.1&port=1"])
async def test_an_unreachable_database_is_503_on_every_endpoint(client, context, query):
    engine = create_async_engine(f"postgresql+asyncpg://postgres@/postgres?{query}")
    away = replace(context, engine=engine, sessions=async_sessionmaker(engine))
    client._transport.app.state.context = away
    answer = await client.get("/asks")
    assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
    assert answer.headers["retry-after"]


STATES = [
    ("57P03", 503),  # the server starts up
    ("57P01", 503),  # the server shuts down
    ("57014", 503),  # statement_timeout
    ("53300", 503),  # too many connections
    ("53100", 503),  # disk full
    ("55P03", 503),  # lock_timeout
    ("40P01", 503),  # deadlock
    ("08006", 503),  # connection failure
    ("25006", 503),  # a standby
    ("58030", 503),  # the server's disk fails
    ("22012", 500),
]


@pytest.mark.parametrize(("state", "status"), STATES)
async def test_what_the_database_cannot_do_now_is_503_and_our_own_mistakes_are_500(client, state, status):
    answer = await client.post("/raises", json={"state": state})
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    assert bool(answer.headers.get("retry-after")) == (status == 503)


async def test_a_statement_a_lock_and_a_pool_that_take_too_long_are_503(client, context):
    engine = make_engine(context.database_url, pool_size=1, limits=Limits(1, 1, 1, pool=0.2))
    client._transport.app.state.context = replace(context, engine=engine, sessions=make_sessions(engine))
    async with context.sessions.begin() as session:
        await session.execute(text("CREATE TABLE locked (id int)"))
    async with context.sessions.begin() as session:
        await session.execute(text("LOCK TABLE locked"))
        answers = [
            await client.post("/runs", json={"sql": sql})
            for sql in ("SELECT pg_sleep(5)", "SELECT FROM locked")
        ]
    async with engine.connect():
        answers.append(await client.post("/runs", json={"sql": "SELECT 1"}))
    assert [(each.status_code, each.headers["retry-after"]) for each in answers] == [(503, "10")] * 3
    assert (await client.post("/runs", json={"sql": "SELECT 1"})).status_code == 200
    await engine.dispose()


async def test_a_process_that_sleeps_in_a_transaction_loses_it_and_gets_503(client, context):
    engine = make_engine(context.database_url, pool_size=1, limits=Limits(1, 1, 1, pool=0.2))
    client._transport.app.state.context = replace(context, engine=engine, sessions=make_sessions(engine))
    answer = await client.post("/sleeps")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "10")
    await engine.dispose()


async def test_a_missing_file_is_our_own_mistake(client):
    assert (await client.get("/looks-for-a-file")).status_code == 500


async def test_an_error_is_a_problem_with_a_stable_code(client):
    answer = await client.post("/mistake")
    assert (answer.status_code, answer.json()["code"]) == (409, "no_such_thing")


BROWSER = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
FORM = {**BROWSER, "Content-Type": "application/x-www-form-urlencoded"}


async def test_a_failure_is_a_page_in_a_browser_and_a_problem_for_a_program(client):
    german = {**BROWSER, "Accept-Language": "de"}
    for method, path, headers, status, shown in (
        ("GET", "/nowhere", BROWSER, 404, "There is no page at this address"),
        ("POST", "/nowhere", FORM, 404, "There is no page at this address"),
        ("GET", "/page", BROWSER, 405, "There is no page at this address"),
        ("POST", "/page", FORM, 409, "open the link from your message once more"),
        (
            "GET",
            "/admin/page",
            BROWSER,
            500,
            "Something broke on our side; it is logged with the request's id",
        ),
        ("POST", "/admin/page", FORM, 409, "There is no such thing; name another."),
        ("GET", "/broken-page", BROWSER, 500, "Wait a moment, then try again."),
        ("GET", "/broken-page", german, 500, "Der Fehler liegt bei uns"),
    ):
        opened = await client.request(method, path, headers=headers, content=b"")
        assert opened.status_code == status, path
        assert shown in " ".join(unescape(opened.text).split()), (path, opened.text)
        asked = await client.request(method, path, headers={"Accept": "*/*"}, content=b"")
        assert (asked.status_code, asked.headers["content-type"]) == (status, "application/problem+json")


async def test_what_is_for_programs_is_a_problem_in_a_browser_too(client):
    for path, headers in (("/mistake", FORM), ("/page", {**BROWSER, "Content-Type": "application/json"})):
        refused = await client.post(path, headers=headers, content=b"")
        assert (refused.status_code, refused.json()["code"]) == (409, "no_such_thing")


async def test_a_refused_body_is_not_echoed(client):
    answer = await client.post("/typed", json={"number": "top secret"})
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid")
    assert "top secret" not in answer.text


async def test_every_response_has_a_request_id_and_safe_headers(client):
    answer = await client.post("/mistake", headers={"x-request-id": "from-our-proxy"})
    assert answer.headers["x-request-id"] == "from-our-proxy"
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert answer.headers["referrer-policy"] == "no-referrer"
    hostile = await client.post("/mistake", headers={"x-request-id": "<script>"})
    assert "<" not in hostile.headers["x-request-id"]


@pytest.mark.parametrize(("size", "status"), [(0, 200), (1000, 200), (1001, 413), (4999, 413), (50_000, 413)])
async def test_a_body_is_read_up_to_its_limit(client, size, status):
    answer = await client.post("/raw", content=b"x" * size)
    assert answer.status_code == status
    if status == 200:
        assert answer.json() == size


async def test_a_body_without_an_endpoint_is_refused_before_it_is_read(client):
    answer = await client.post("/typed", content=b'{"number": 1, "x": "' + b"x" * 3000 + b'"}')
    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")

    async def growing():
        for _ in range(30):
            yield b" " * 100

    unsized = await client.post("/typed", content=growing())
    assert (unsized.status_code, unsized.json()["code"]) == (413, "too_large")
    assert unsized.headers["connection"] == "close"


@pytest.mark.parametrize("length", ["-1", "1e3", "9" * 5000, "x"])
async def test_a_length_that_is_none_is_refused(client, length):
    answer = await client.post("/typed", content=b"{}", headers={"content-length": length})
    assert answer.status_code == 413


@pytest.mark.parametrize("path", ["/asks?x=%00", "/%00", "/typed/%00?y=1"])
async def test_a_zero_byte_in_an_address_is_422(client, path):
    answer = await client.get(path)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid")


@pytest.mark.parametrize("text", ["a\0b", "half \ud800"])
async def test_text_that_the_database_cannot_hold_is_422_wherever_it_is_noticed(client, text):
    answer = await client.get("/stores", params={"escaped": text.encode("unicode_escape").decode()})
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid")


async def test_the_names_of_unknown_fields_are_cut_and_few_are_listed(client):
    answer = await client.post(
        "/strict",
        content=json.dumps({f"{place}x": 1 for place in range(99)}),
        headers={"content-type": "application/json"},
    )
    assert answer.status_code == 422
    assert len(answer.json()["errors"]) == 50
    answer = await client.post("/strict", json={"x" * 1500: 1})
    assert answer.status_code == 422
    assert "x" * 24 not in answer.text


async def test_nothing_is_cached_and_https_is_remembered_where_the_installation_has_it(client, context):
    plain = await client.post("/mistake")
    assert plain.headers["cache-control"] == "no-store"
    assert "strict-transport-security" not in plain.headers
    settings = context.settings.model_copy(update={"public_url": "https://nps.example"})
    client._transport.app.state.context = replace(context, settings=settings)
    for path in ("/asks", "/nowhere", "/mistake"):
        assert (await client.get(path)).headers["strict-transport-security"] == "max-age=31536000"
