"""The outgoing client over real sockets: limits, redirects, refused addresses, and what a failure
proves."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import pytest

from app.base import http
from app.base.errors import Outcome, OutsideError


class Server:
    """A server on loopback that counts the connections made to it."""

    def __init__(self, response: bytes, *, drop: bool = False, silent: bool = False) -> None:
        self.response, self.drop, self.silent = response, drop, silent
        self.connections = 0
        self.requests: list[bytes] = []
        self.port = 0

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while line := await reader.readuntil(b"\r\n\r\n"):
                self.requests.append(line.split(b" ", 2)[1])
                if self.silent:
                    await asyncio.sleep(30)
                if self.drop:
                    break
                writer.write(self.response)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass
        finally:
            writer.close()


OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


@asynccontextmanager
async def serving(server: Server, host: str = "127.0.0.1") -> AsyncIterator[Server]:
    listener = await asyncio.start_server(server.handle, host, 0)
    server.port = listener.sockets[0].getsockname()[1]
    yield server
    listener.close()


async def fails(session: aiohttp.ClientSession, url: str, method: str = "POST") -> OutsideError:
    try:
        async with session.request(method, url) as response:
            await response.read()
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        return http.of_exception(error)
    raise AssertionError("the call succeeded")


@pytest.mark.parametrize(
    "address",
    ["8.8.8.8", "1.1.1.1", "93.184.216.34", "2606:4700:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"],
)
def test_public_addresses_are_recognized(address):
    assert http.is_public_address(address)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "127.255.255.254",
        "0.0.0.0",
        "10.0.0.1",
        "172.16.0.1",
        "192.168.1.1",
        "100.64.0.1",
        "100.100.100.200",
        "169.254.169.254",
        "168.63.129.16",
        "192.0.0.192",
        "192.0.2.1",
        "198.18.0.1",
        "224.0.0.1",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::127.0.0.1",
        "::ffff:127.0.0.1",
        "::ffff:169.254.169.254",
        "::ffff:10.0.0.1",
        "64:ff9b::7f00:1",
        "fe80::1",
        "fe80::1%lo",
        "fec0::1",
        "fc00::1",
        "fd00:ec2::254",
        "ff02::1",
        "2001::1",
        "2001:db8::1",
        "2002:7f00:1::1",
        "3fff::1",
    ],
)
def test_addresses_that_are_not_public_are_recognized(address):
    assert not http.is_public_address(address)


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "localhost", "127.1", "2130706433", "0x7f000001", "0.0.0.0", "[::ffff:127.0.0.1]", "[::1]"],
)
async def test_an_untrusted_session_never_connects_to_this_machine(host):
    async with (
        serving(Server(OK), host="::1" if host == "[::1]" else "0.0.0.0") as server,
        http.open_session(connections=2, total_seconds=5) as session,
    ):
        error = await fails(session, f"http://{host}:{server.port}/hook")
        assert error.outcome is Outcome.refused
        assert "127" not in error.reason
        await asyncio.sleep(0.05)
        assert server.connections == 0


async def test_an_address_that_is_refused_is_refused_for_good():
    async with http.open_session(connections=2, total_seconds=5) as session:
        for host in ("127.0.0.1", "169.254.169.254", "10.1.2.3"):
            error = await fails(session, f"http://{host}/latest/meta-data/")
            assert (error.outcome, error.permanent, error.reason) == (
                Outcome.refused,
                True,
                "the address is not a public one",
            )


async def test_a_name_that_resolves_to_this_machine_is_refused(monkeypatch):
    """The check is made after resolution, whatever the name server says at that moment."""
    loop = asyncio.get_running_loop()

    async def resolve(host, port, **_options):
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]

    async with (
        serving(Server(OK)) as server,
        http.open_session(connections=2, total_seconds=5) as session,
    ):
        monkeypatch.setattr(loop, "getaddrinfo", resolve)
        error = await fails(session, f"http://harmless.example:{server.port}/")
        assert (error.outcome, error.permanent) == (Outcome.refused, True)
        assert server.connections == 0


async def test_a_trusted_session_may_call_this_machine():
    async with (
        serving(Server(OK)) as server,
        http.open_session(connections=2, total_seconds=5, trusted=True) as session,
        session.post(f"http://127.0.0.1:{server.port}/send") as response,
    ):
        assert await response.text() == "ok"


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_redirects_are_not_followed(status):
    async with serving(Server(OK)) as second:
        location = f"http://127.0.0.1:{second.port}/elsewhere"
        redirect = f"HTTP/1.1 {status} Moved\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n"
        async with (
            serving(Server(redirect.encode())) as first,
            http.open_session(connections=2, total_seconds=5, trusted=True) as session,
        ):
            error = await fails(session, f"http://127.0.0.1:{first.port}/")
            assert (error.outcome, error.permanent) == (Outcome.refused, True)
            assert "redirect" in error.reason
            assert (len(first.requests), second.connections) == (1, 0)


async def test_a_silent_server_times_out_and_the_outcome_is_unknown():
    async with (
        serving(Server(OK, silent=True)) as server,
        http.open_session(connections=2, total_seconds=0.3, trusted=True) as session,
    ):
        began = asyncio.get_running_loop().time()
        error = await fails(session, f"http://127.0.0.1:{server.port}/")
        assert asyncio.get_running_loop().time() - began < 5
        assert (error.outcome, error.permanent) == (Outcome.unknown, False)


async def test_a_connection_that_breaks_after_sending_has_an_unknown_outcome():
    async with (
        serving(Server(OK, drop=True)) as server,
        http.open_session(connections=2, total_seconds=5, trusted=True) as session,
    ):
        error = await fails(session, f"http://127.0.0.1:{server.port}/")
        assert error.outcome is Outcome.unknown
        assert len(server.requests) == 1


async def test_no_connection_is_a_refusal_that_may_be_tried_again():
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        async with http.open_session(connections=2, total_seconds=5, trusted=True) as session:
            error = await fails(session, f"http://127.0.0.1:{port}/")
    assert (error.outcome, error.permanent) == (Outcome.refused, False)


async def test_a_body_is_read_up_to_the_limit():
    endless = b"HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n" + b"x" * 100_000
    async with (
        serving(Server(endless)) as server,
        http.open_session(connections=2, total_seconds=5, trusted=True) as session,
        session.get(f"http://127.0.0.1:{server.port}/") as response,
    ):
        assert await http.read_limited(response, limit=1000) == b"x" * 1000


async def test_cookies_are_not_stored():
    with_cookie = b"HTTP/1.1 200 OK\r\nSet-Cookie: id=1\r\nContent-Length: 2\r\n\r\nok"
    async with (
        serving(Server(with_cookie)) as server,
        http.open_session(connections=2, total_seconds=5, trusted=True) as session,
    ):
        async with session.get(f"http://127.0.0.1:{server.port}/") as response:
            await response.read()
        assert len(session.cookie_jar) == 0


@pytest.mark.parametrize(
    ("retry_after", "reset", "seconds"),
    [
        ("7", None, 7),
        ("0", None, 1),
        ("999999", None, 3600),
        (None, "1060", 60),
        (None, "1", 1),
        ("Wed, 21 Oct 2026 07:28:00 GMT", None, 30),
        (None, None, 30),
        ("-5", "abc", 30),
    ],
)
def test_the_wait_after_a_429_is_bounded(retry_after, reset, seconds):
    assert http.retry_wait(retry_after, reset, now=1000.0) == seconds
