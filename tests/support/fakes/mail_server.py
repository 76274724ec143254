"""A real mail server (aiosmtpd) in the test's loop, whose replies can be scripted."""

import asyncio
import ssl
import warnings
from collections import deque
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from enum import StrEnum
from typing import Any, Self

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

USER, PASSWORD = "shop@mail.example", "pass/word:with@signs"


class MailFault(StrEnum):
    """How the next mail goes wrong; the `…_after` ones have been taken."""

    lost_at_sender = "connection lost at MAIL"
    lost_at_recipient = "connection lost at RCPT"
    lost_at_reset = "connection lost at RSET"
    refused_reset = "RSET refused"
    lost_after = "connection lost after the mail was taken"
    hang_after = "no reply after the mail was taken"


@dataclass
class Replies:
    """What the next commands are answered; `None` accepts."""

    sender: deque[str | None] = field(default_factory=deque)
    recipient: deque[str | None] = field(default_factory=deque)
    content: deque[str | None] = field(default_factory=deque)
    faults: deque[MailFault | None] = field(default_factory=deque)


class _Protocol(SMTP):
    """Notes the connections that are opened."""

    def __init__(self, handler: "FakeMailServer", **options: Any) -> None:
        super().__init__(handler, **options)
        self._fake = handler

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if self.transport is None:
            self._fake.opened += 1
            self._fake.none_open.clear()
            self._fake.open += 1
        super().connection_made(transport)

    def connection_lost(self, error: Exception | None) -> None:
        self._fake.open -= 1
        if not self._fake.open:
            self._fake.none_open.set()
        super().connection_lost(error)


class FakeMailServer:
    """Use as `async with`; `port` is where it listens and `taken` what it took, in order."""

    def __init__(
        self,
        *,
        tls: ssl.SSLContext | None = None,
        upgrade: ssl.SSLContext | None = None,
        signs_in: bool = False,
        seconds: float = 0.0,
    ) -> None:
        self.taken: list[tuple[str, bytes]] = []
        self.replies = Replies()
        self.opened = self.open = 0
        self.none_open = asyncio.Event()
        self.got_mail = asyncio.Event()
        self.port = 0
        self.seconds = seconds
        self._closing = asyncio.Event()
        self._tls = tls
        self._options: dict[str, Any] = {"hostname": "mail.example", "ident": "fake"}
        if upgrade is not None:
            self._options |= {"tls_context": upgrade, "require_starttls": True}
        if signs_in:
            self._options |= {
                "authenticator": self._authenticate,
                "auth_required": True,
                "auth_require_tls": upgrade is not None,
            }

    def _authenticate(
        self, _server: SMTP, _session: Session, _envelope: Envelope, _mechanism: str, data: object
    ) -> AuthResult:
        right = isinstance(data, LoginPassword) and data == LoginPassword(USER.encode(), PASSWORD.encode())
        return AuthResult(success=right, handled=right)

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self._protocol, "127.0.0.1", self.port, ssl=self._tls)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    def _protocol(self) -> SMTP:
        with warnings.catch_warnings():
            # It does not see that every connection is encrypted.
            warnings.filterwarnings("ignore", "Requiring AUTH while not requiring TLS")
            return _Protocol(self, **self._options)

    async def __aexit__(self, *_error: object) -> None:
        self._closing.set()
        self._server.close()
        await asyncio.sleep(0)

    @property
    def mails(self) -> list[EmailMessage]:
        """What was taken, parsed as a mailbox does."""
        parsed = [message_from_bytes(raw, policy=policy.default) for _, raw in self.taken]
        return [mail for mail in parsed if isinstance(mail, EmailMessage)]

    async def handle_MAIL(  # noqa: N802  # aiosmtpd's names, as below
        self, server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        if self._next_fault_is(MailFault.lost_at_sender):
            return _lose(server)
        reply = _next(self.replies.sender)
        if reply is None:
            envelope.mail_from = address
        return reply or "250 OK"

    async def handle_RCPT(  # noqa: N802
        self, server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        if self._next_fault_is(MailFault.lost_at_recipient):
            return _lose(server)
        reply = _next(self.replies.recipient)
        if reply is None:
            envelope.rcpt_tos.append(address)
        return reply or "250 OK"

    async def handle_RSET(self, server: SMTP, _session: Session, _envelope: Envelope) -> str:  # noqa: N802
        if self._next_fault_is(MailFault.lost_at_reset):
            return _lose(server)
        return "503 5.5.1 no" if self._next_fault_is(MailFault.refused_reset) else "250 OK"

    async def handle_DATA(self, server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802
        self.got_mail.set()
        await asyncio.sleep(self.seconds)
        reply = _next(self.replies.content)
        if reply is not None:
            return reply
        fault = _next(self.replies.faults)
        assert isinstance(envelope.content, bytes)
        self.taken += [(address, envelope.content) for address in envelope.rcpt_tos]
        if fault is MailFault.lost_after:
            return _lose(server)
        if fault is MailFault.hang_after:
            await self._closing.wait()
        return "250 2.0.0 queued"

    def _next_fault_is(self, fault: MailFault) -> bool:
        if self.replies.faults and self.replies.faults[0] is fault:
            self.replies.faults.popleft()
            return True
        return False


def _next(scripted: deque[Any]) -> Any:
    return scripted.popleft() if scripted else None


def _lose(server: SMTP) -> str:
    assert isinstance(server.transport, asyncio.Transport)
    server.transport.abort()
    return "250 OK"
