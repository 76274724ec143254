"""Requests over real sockets that come half, slowly, or with too much in front."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import contextmanager, suppress
from typing import Self

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from app.base import http_protocol as protocol
from app.base.http_protocol import BoundedProtocol
from app.base.web.middleware import RequestMiddleware

WHOLE = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10000\r\n\r\n"


async def size_of_body(request: Request) -> PlainTextResponse:
    if request.query_params.get("slow"):
        await asyncio.sleep(1)
    return PlainTextResponse(str(len(await request.body())))


class Server(uvicorn.Server):
    @contextmanager
    def capture_signals(self):
        yield


@pytest.fixture
async def port(monkeypatch) -> AsyncIterator[int]:
    monkeypatch.setattr(protocol, "RECEIVE_SECONDS", 0.4)
    app = Starlette(routes=[Route("/", size_of_body, methods=["GET", "POST"])])
    app.add_middleware(RequestMiddleware)
    server = Server(uvicorn.Config(app, http=BoundedProtocol, port=0, log_config=None))
    running = asyncio.create_task(server.serve())
    async with asyncio.timeout(10):
        while not server.started:  # noqa: ASYNC110  # uvicorn offers nothing to wait for
            await asyncio.sleep(0.01)
    yield server.servers[0].sockets[0].getsockname()[1]
    server.should_exit = True
    await running


class Client:
    """One connection, and how long the server left it open."""

    def __init__(self, port: int) -> None:
        self.port = port

    async def __aenter__(self) -> Self:
        self.reader, self.writer = await asyncio.open_connection("127.0.0.1", self.port)
        self.began = asyncio.get_running_loop().time()
        return self

    async def __aexit__(self, *_: object) -> None:
        self.writer.close()

    async def send(self, *pieces: bytes, every: float = 0.0) -> None:
        for piece in pieces:
            self.writer.write(piece)
            await self.writer.drain()
            await asyncio.sleep(every)

    async def answer(self) -> bytes:
        async with asyncio.timeout(10):
            head = await self.reader.readuntil(b"\r\n\r\n")
            return head.split(b"\r\n", 1)[0]

    async def seconds_open(self) -> float:
        async with asyncio.timeout(10):
            with suppress(ConnectionResetError):
                await self.reader.read()
        return asyncio.get_running_loop().time() - self.began


@pytest.mark.parametrize(
    "sent", [b"", b"GET / HT", b"GET / HTTP/1.1\r\nHost: x\r\nA: b", POST, POST + b"half of it"]
)
async def test_half_a_request_is_closed_in_time(port, sent):
    async with Client(port) as client:
        await client.send(sent)
        assert 0.3 < await client.seconds_open() < 3


async def test_half_a_request_after_a_whole_one_is_closed_in_time(port):
    async with Client(port) as client:
        await client.send(WHOLE)
        assert await client.answer() == b"HTTP/1.1 200 OK"
        await client.send(b"GET / HTTP/1.1\r\n")
        assert await client.seconds_open() < 3


async def test_a_head_that_drips_is_closed_and_a_body_that_flows_is_not(port):
    async with Client(port) as client:
        sending = asyncio.create_task(client.send(*[b"A"] * 1000, every=0.05))
        assert await client.seconds_open() < 3
        sending.cancel()
    async with Client(port) as client:
        await client.send(POST, *[b"x" * 1000] * 10, every=0.08)
        assert await client.answer() == b"HTTP/1.1 200 OK"


async def test_a_body_that_drips_is_closed(port):
    async with Client(port) as client:
        sending = asyncio.create_task(client.send(POST, *[b"x"] * 1000, every=0.05))
        assert await client.seconds_open() < 3
        sending.cancel()


async def test_an_application_that_reads_slowly_closes_nothing(port):
    async with Client(port) as client:
        await client.send(
            b"POST /?slow=1 HTTP/1.1\r\nHost: x\r\nContent-Length: 900000\r\n\r\n", b"x" * 900_000
        )
        assert await client.answer() == b"HTTP/1.1 200 OK"


@pytest.mark.parametrize("size", [70_000, 300_000, 3_000_000])
@pytest.mark.parametrize("line", [b"A: %b\r\n\r\n", b"A: %b"])
async def test_a_head_over_64_kib_is_refused(port, size, line):
    async with Client(port) as client:
        pieces = WHOLE[:-2] + line % (b"x" * size)
        try:
            await client.send(*(pieces[place : place + 30_000] for place in range(0, len(pieces), 30_000)))
            answer = await client.reader.readline()
        except ConnectionError:
            answer = b""
        assert answer in (b"", b"HTTP/1.1 400 Bad Request\r\n")
        assert await client.seconds_open() < 3


async def test_a_head_below_64_kib_and_many_requests_on_a_connection_are_served(port):
    async with Client(port) as client:
        for _ in range(3):
            await client.send(WHOLE[:-2] + b"A: %b\r\n\r\n" % (b"x" * 60_000))
            assert await client.answer() == b"HTTP/1.1 200 OK"
            await client.reader.readexactly(1)
