"""A client that posts prepared requests and takes little of the processor, which it shares."""

import asyncio
import re
import time
from collections.abc import Iterator, Mapping, Sequence

_LENGTH = re.compile(rb"content-length: (\d+)", re.IGNORECASE)


def request_bytes(path: str, headers: Mapping[str, str], body: bytes) -> bytes:
    """A whole POST."""
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    head = f"POST {path} HTTP/1.1\r\nhost: 127.0.0.1\r\n{lines}content-length: {len(body)}\r\n\r\n"
    return head.encode() + body


class _Connection(asyncio.Protocol):
    """Sends the next request once the response to the last one is whole."""

    def __init__(self, left: Iterator[bytes], done: asyncio.Future[None]) -> None:
        self._left = left
        self._done = done
        self._buffer = b""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # of TCP
        self._transport = transport
        self._send_next()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, ending, body = self._buffer.partition(b"\r\n\r\n")
        length = _LENGTH.search(head)
        if not ending or (length is not None and len(body) < int(length[1])):
            return
        self._buffer = b""
        if head[9:12] in (b"200", b"204"):
            self._send_next()
        else:
            self._fail(f"the server responded {head[:200]!r} {body[:500]!r}")

    def connection_lost(self, exc: Exception | None) -> None:
        self._fail(f"the connection was lost: {exc}")

    def _send_next(self) -> None:
        request = next(self._left, None)
        if request is not None:
            self._transport.write(request)
        elif not self._done.done():
            self._done.set_result(None)
            self._transport.close()

    def _fail(self, why: str) -> None:
        if not self._done.done():
            self._done.set_exception(RuntimeError(why))


async def post_all(port: int, requests: Sequence[bytes], connections: int) -> tuple[float, float]:
    """Post all of them, so many at a time; returns the seconds, and those of this processor.

    Raises `RuntimeError` for a response other than 200 and 204.
    """
    loop = asyncio.get_running_loop()
    left = iter(requests)
    began, used = time.perf_counter(), time.process_time()
    done: list[asyncio.Future[None]] = [loop.create_future() for _ in range(connections)]
    for each in done:
        await loop.create_connection(lambda each=each: _Connection(left, each), "127.0.0.1", port)  # type: ignore[misc]
    await asyncio.gather(*done)
    return time.perf_counter() - began, time.process_time() - used
