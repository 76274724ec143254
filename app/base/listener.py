"""The port that a web process listens at, taken before anything else is started."""

import errno
import socket
from collections.abc import Iterator
from contextlib import contextmanager

from app.base.errors import AppError
from app.base.text import quoted

_PRIVILEGED = 1024


@contextmanager
def listening(host: str, port: int) -> Iterator[socket.socket]:
    """Take an address of this machine while the block lasts; yields the socket to listen with.

    Raises `AppError` (`port_taken`, `port_forbidden` or `bad_host`), also where another process
    that took the port at the same time was the first to listen.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except (socket.gaierror, UnicodeError):
        raise AppError(
            "bad_host", f"{quoted(host)} is no address of this machine; choose another one with --host."
        ) from None
    with socket.socket(family, kind, protocol) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(address)
        except OSError as error:
            raise _refusal(error, host, port) from None
        try:
            yield listener
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                raise _refusal(error, host, port) from None
            raise


def _refusal(error: OSError, host: str, port: int) -> AppError:
    if error.errno == errno.EADDRINUSE:
        return AppError("port_taken", f"Port {port} is taken; choose another one with --port.")
    if error.errno == errno.EACCES and port < _PRIVILEGED:
        return AppError(
            "port_forbidden", f"Only root may use port {port}; choose one from {_PRIVILEGED} on with --port."
        )
    return AppError("bad_host", f"Nothing can listen at {quoted(host)}, port {port} ({error.strerror}).")
