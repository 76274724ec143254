"""Connections to the mail server, reused from mail to mail."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import aiosmtplib

from app.base import clock
from app.base.mail_server import MailServer

CONNECT_SECONDS = 10.0
COMMAND_SECONDS = 4.0
IDLE_SECONDS = 20.0
"""An idle connection is not used again after that: servers close theirs after 30 s and more."""
MAILS_EACH = 100
"""Mails over one connection; servers limit them, often to 100."""


class Connections:
    """At most `most` connections at a time."""

    def __init__(self, server: MailServer, *, most: int, name: str, tls: ssl.SSLContext | None) -> None:
        self._server = server
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

        Raises `aiosmtplib.SMTPException` or `OSError`.
        """
        server = self._server
        smtp = aiosmtplib.SMTP(
            hostname=server.host,
            port=server.port,
            username=server.user,
            password=server.password,
            # Otherwise it asks the name service for this machine's own name, and waits.
            local_hostname=self._name,
            timeout=COMMAND_SECONDS,
            use_tls=server.encrypted_at_once,
            start_tls=_upgrade(server),
            tls_context=self._tls,
        )
        async with asyncio.timeout(CONNECT_SECONDS):
            await smtp.connect()
        return OpenConnection(smtp)

    def give_back(self, one: "OpenConnection") -> None:
        """Keep a connection for the next mail, if it can be used again."""
        one.mails += 1
        one.used_at = clock.monotonic()
        if one.is_usable():
            self._idle.append(one)
        else:
            one.smtp.close()

    async def close(self) -> None:
        """Say goodbye on the idle connections and close them."""
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
