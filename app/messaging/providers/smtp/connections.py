"""Connections to the mail server, reused from mail to mail."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from enum import Enum

import aiosmtplib

from app.base import clock
from app.base.mail_server import MailServer
from app.base.tcp import connect

CONNECT_SECONDS = 10.0
COMMAND_SECONDS = 4.0
IDLE_SECONDS = 20.0
"""An idle connection is not used again after that: servers close theirs after 30 s and more."""
MAILS_EACH = 100
"""Mails over one connection; servers limit them, often to 100."""


class Reach(Enum):
    """To which addresses connections are opened."""

    everywhere = "everywhere"
    """For the server that the installation's settings name."""
    public = "public"
    """For one that a brand has named: not to our own network."""
    public_and_local = "public_and_local"
    """This machine's own addresses too, in development."""


class Connections:
    """At most `most` connections at a time."""

    def __init__(
        self, server: MailServer, *, most: int, name: str, tls: ssl.SSLContext | None, reach: Reach
    ) -> None:
        self._server = server
        self._reach = reach
        self._cleanup: asyncio.TimerHandle | None = None
        self._name = name
        self._tls = tls
        self._slots = asyncio.Semaphore(most)
        self._idle: list[OpenConnection] = []

    @asynccontextmanager
    async def slot(self) -> AsyncIterator[None]:
        """Wait until one more connection may be used, and hold its place."""
        async with self._slots:
            yield

    def idle(self) -> "OpenConnection | None":
        """A connection that was used before and is probably still open."""
        while self._idle:
            one = self._idle.pop()
            if one.is_usable():
                return one
            one.smtp.close()
        return None

    async def open(self) -> "OpenConnection":
        """A new connection, encrypted and signed in.

        Raises `aiosmtplib.SMTPException` or `OSError`, a `RefusedAddress` where `reach` forbids it.
        """
        async with asyncio.timeout(CONNECT_SECONDS):
            opened = None
            if self._reach is not Reach.everywhere:
                loopback = self._reach is Reach.public_and_local
                opened = await connect(self._server.host, self._server.port, loopback=loopback)
            smtp = self._client(opened)
            await smtp.connect()
        return OpenConnection(smtp)

    def _client(self, opened: socket.socket | None) -> aiosmtplib.SMTP:
        """A client that connects to the server, or takes the connection that is open already."""
        server = self._server
        return aiosmtplib.SMTP(
            hostname=server.host,
            port=server.port if opened is None else None,
            sock=opened,
            username=server.user,
            password=server.password,
            # Otherwise it asks the name service for this machine's own name, and waits.
            local_hostname=self._name,
            timeout=COMMAND_SECONDS,
            use_tls=server.encrypted_at_once,
            start_tls=_upgrade(server),
            tls_context=self._tls,
        )

    def give_back(self, one: "OpenConnection") -> None:
        """Keep a connection for the next mail, if it can be used again."""
        one.mails += 1
        one.used_at = clock.monotonic()
        if not one.is_usable():
            one.smtp.close()
            return
        self._idle.append(one)
        if self._cleanup is None:
            self._cleanup = asyncio.get_running_loop().call_later(IDLE_SECONDS, self._close_unusable)

    def _close_unusable(self) -> None:
        """Close what has been idle for too long, as an account that sends nothing for days does."""
        self._cleanup = None
        kept = [one for one in self._idle if one.is_usable()]
        for one in self._idle:
            if one not in kept:
                one.smtp.close()
        self._idle = kept
        if kept:
            self._cleanup = asyncio.get_running_loop().call_later(IDLE_SECONDS, self._close_unusable)

    async def close(self) -> None:
        """Say goodbye on the idle connections and close them."""
        if self._cleanup is not None:
            self._cleanup.cancel()
        while self._idle:
            with suppress(aiosmtplib.SMTPException, OSError, TimeoutError):
                await self._idle.pop().smtp.quit(timeout=1.0)


class OpenConnection:
    """An open connection and how it was used."""

    def __init__(self, smtp: aiosmtplib.SMTP) -> None:
        self.smtp = smtp
        self.mails = 0
        self.used_at = clock.monotonic()

    def is_usable(self) -> bool:
        """Whether another mail may go over it, as far as can be known without asking."""
        return (
            self.smtp.is_connected
            and self.mails < MAILS_EACH
            and clock.monotonic() - self.used_at < IDLE_SECONDS
        )


def _upgrade(server: MailServer) -> bool | None:
    """Whether the connection is upgraded to TLS; None: where the server offers it."""
    if server.encrypted_at_once:
        return False
    return None if server.is_local else True
