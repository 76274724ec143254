"""A web server whose `serve()` returns when it is stopped."""

import asyncio
import signal
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn


class Listener(uvicorn.Server):
    """Ends `serve()` on SIGINT and SIGTERM without passing the signal on.

    uvicorn's own server sends itself the signal again at its end, which would end the process
    before the worker has finished its batch and before the embedded database is stopped.
    """

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Handle both signals while the server serves."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self.handle_exit, number, None)
        yield
