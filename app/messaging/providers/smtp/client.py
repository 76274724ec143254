"""E-mail by a mail server (SMTP): a mail for each recipient, over a few connections side by side.

A mail server has no events: what it took counts as accepted, and a later bounce comes as a mail to
the sender. So a send of unknown outcome is sent once more after the grace.
"""

import asyncio
import ssl
from contextlib import suppress

import aiosmtplib

from app.base import clock
from app.base.domain_names import split_sender
from app.base.errors import OutsideError
from app.base.mail_server import MailServer
from app.messaging.providers.protocol import Accepted, OutgoingBatch, Recipient, Result
from app.messaging.providers.smtp import replies
from app.messaging.providers.smtp.connections import Connections, OpenConnection, Reach
from app.messaging.providers.smtp.mail import build_mail, message_id_of

BEGIN_SECONDS = 10.0
"""A mail whose turn has not come by then is left for later, so that `send` ends within a minute:
after that another process may take up its messages."""
MAIL_SECONDS = 20.0
"""From the first byte of the mail itself to the reply."""
_CONNECTIONS = 8


class Smtp:
    """The `Provider` for e-mail. Create it in the running loop; `close` closes its connections."""

    name = "smtp"
    most = 100

    def __init__(
        self,
        server: MailServer,
        *,
        host_name: str,
        connections: int = _CONNECTIONS,
        begin_seconds: float = BEGIN_SECONDS,
        mail_seconds: float = MAIL_SECONDS,
        tls: ssl.SSLContext | None = None,
        reach: Reach = Reach.everywhere,
    ) -> None:
        """`host_name` is how we introduce ourselves; `tls` None checks certificates as usual."""
        self._connections = Connections(server, most=connections, name=host_name, tls=tls, reach=reach)
        self._begin_seconds = begin_seconds
        self._mail_seconds = mail_seconds

    async def send(self, batch: OutgoingBatch) -> list[Result]:
        """Send a mail to each recipient; each has an outcome of its own."""
        if split_sender(batch.sender) is None:
            return [replies.no_sender()] * len(batch.recipients)
        begin_until = clock.monotonic() + self._begin_seconds
        return await asyncio.gather(*(self._send(batch, one, begin_until) for one in batch.recipients))

    async def close(self) -> None:
        """Close connections."""
        await self._connections.close()

    async def check(self, sender: str) -> OutsideError | None:
        """Why a mail from this address could not be sent; None where the server would take it.

        Connects, signs in and names the sender, so nothing is sent.
        """
        if sender and split_sender(sender) is None:
            return replies.no_sender()
        try:
            connection = await self._connections.open()
        except (aiosmtplib.SMTPException, OSError) as error:
            return replies.of_connecting(error)
        try:
            if sender:
                await connection.smtp.mail(sender)
        except aiosmtplib.SMTPSenderRefused as error:
            return replies.of_sender(error)
        except (aiosmtplib.SMTPException, OSError):
            return replies.lost_before_the_mail()
        finally:
            connection.smtp.close()
        return None

    async def _send(self, batch: OutgoingBatch, recipient: Recipient, begin_until: float) -> Result:
        async with self._connections.slot():
            if clock.monotonic() >= begin_until:
                return replies.not_begun()
            mail = build_mail(batch, recipient, now=clock.now())
            try:
                idle = self._connections.idle()
                if idle is not None:
                    # The server may have closed it meanwhile; then nothing was sent.
                    with suppress(_LostEarly):
                        return await self._over(idle, batch, recipient, mail)
                return await self._over(await self._connections.open(), batch, recipient, mail)
            except _LostEarly:
                return replies.lost_before_the_mail()
            except (aiosmtplib.SMTPException, OSError) as error:
                return replies.of_connecting(error)

    async def _over(
        self, connection: OpenConnection, batch: OutgoingBatch, recipient: Recipient, mail: bytes
    ) -> Result:
        """Send one mail over a connection, and keep that if it can be used again."""
        try:
            result = await self._hand_over(connection.smtp, batch, recipient, mail)
        except BaseException:
            connection.smtp.close()
            raise
        self._connections.give_back(connection)
        return result

    async def _hand_over(
        self, smtp: aiosmtplib.SMTP, batch: OutgoingBatch, recipient: Recipient, mail: bytes
    ) -> Result:
        """Raises `_LostEarly` where the connection broke before the mail itself was begun."""
        try:
            try:
                await smtp.mail(batch.sender)
            except aiosmtplib.SMTPSenderRefused as error:
                return replies.of_sender(error)
            try:
                await smtp.rcpt(recipient.to)
            except aiosmtplib.SMTPRecipientRefused as error:
                await _start_over(smtp)
                return replies.of_recipient(error)
        except (aiosmtplib.SMTPServerDisconnected, aiosmtplib.SMTPTimeoutError, OSError) as error:
            raise _LostEarly from error
        try:
            async with asyncio.timeout(self._mail_seconds):
                await smtp.data(mail, timeout=None)
        except aiosmtplib.SMTPDataError as error:
            return replies.of_content(error)
        except (aiosmtplib.SMTPException, OSError):
            smtp.close()
            return replies.lost_with_the_mail()
        return Accepted(message_id_of(batch, recipient))


class _LostEarly(Exception):
    """The connection broke while nothing of the mail was handed over."""


async def _start_over(smtp: aiosmtplib.SMTP) -> None:
    """End the mail that was begun, so that the connection takes another; else close it."""
    if not smtp.is_connected:
        return
    try:
        await smtp.rset()
    except (aiosmtplib.SMTPException, OSError):
        smtp.close()
