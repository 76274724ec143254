"""HTTP connections that cannot be held open by half a request, or filled by its headers."""

import asyncio

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

RECEIVE_SECONDS = 10.0
"""A request's head must have come by then, and its body too, for which each `BYTES_A_SECOND` that
came give one second more."""
BYTES_A_SECOND = 1000
HEAD_LIMIT = 64 * 1024
MESSAGE_LIMIT = 32 * 1024 * 1024
"""The largest body that an endpoint reads, to drop it, is 8 MiB."""


class BoundedProtocol(HttpToolsProtocol):
    """Closes a connection whose request is not whole in time, or whose head or body is too large.

    A request that comes in one piece, as nearly all do, sets no timer.
    """

    _timer: asyncio.TimerHandle | None = None
    _whole = False
    """Whether the request is; not on a new connection, which must send one."""
    _in_head = True
    _received = 0
    """Bytes of the request, without the piece in which it began: that may end an earlier one."""
    _piece = 0
    _size = 0
    """Bytes of the piece that is parsed now."""
    _begins = False
    """Whether the request began in that piece."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn
        """Expect a request."""
        super().connection_made(transport)
        self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the timer."""
        self._stop()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse a piece, then check time and sizes."""
        self._received += self._piece
        self._piece = self._size = len(data)
        self._begins = False
        super().data_received(data)
        if self._whole or self.transport.is_closing():
            self._stop()
        elif self._in_head and self._received > HEAD_LIMIT:
            self.send_400_response("The head of the request is too large.")
        elif self._received > MESSAGE_LIMIT:
            self.transport.close()
        elif self._timer is None:
            self._wait()

    def on_message_begin(self) -> None:
        """A request begins in this piece."""
        self._whole, self._in_head, self._received, self._piece = False, True, 0, 0
        self._begins = True
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Refuse a head that is too large."""
        self._in_head = False
        # One that is part of a small piece need not be measured.
        is_small = self._begins and self._size <= HEAD_LIMIT
        if (
            not is_small
            and sum(len(name) + len(value) for name, value in self.headers) + len(self.url) > HEAD_LIMIT
        ):
            raise httptools.HttpParserError
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """The request is whole."""
        self._whole = True
        super().on_message_complete()

    def _wait(self) -> None:
        self._since = self.loop.time()
        self._timer = self.loop.call_later(RECEIVE_SECONDS, self._check)

    def _stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _check(self) -> None:
        """Close, unless data came fast enough, or it is the application that does not read on."""
        until = self._since + RECEIVE_SECONDS + (0 if self._in_head else self._received / BYTES_A_SECOND)
        if self.flow.read_paused:
            self._wait()
        elif self.loop.time() < until:
            self._timer = self.loop.call_at(until, self._check)
        else:
            self.transport.close()
