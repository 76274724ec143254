"""Open a connection other than HTTP to a host that a customer of ours has named.

The same rule as in `app/base/http.py`: the address is checked for which the socket is opened.
"""

import asyncio
import socket

from app.base.http import open_local_socket, open_public_socket


async def connect(host: str, port: int, *, loopback: bool = False) -> socket.socket:
    """A connected socket that does not block; each address of the host is tried in turn.

    Only public addresses are connected to, and with `loopback` this machine's own too. Raises
    `RefusedAddress` where the host has no other address, `socket.gaierror` for an unknown name, and
    the last `OSError` where none is open. Has no time limit of its own.
    """
    loop = asyncio.get_running_loop()
    error: OSError = OSError("the host has no address")
    for info in await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM):
        try:
            opened = open_local_socket(info) if loopback else open_public_socket(info)
        except OSError as refused:
            error = refused
            continue
        try:
            opened.setblocking(False)  # noqa: FBT003  # its only form
            await loop.sock_connect(opened, info[4])
        except OSError as failed:
            opened.close()
            error = failed
        except BaseException:
            opened.close()
            raise
        else:
            return opened
    raise error
