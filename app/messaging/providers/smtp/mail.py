"""One mail as bytes: headers, plain text and HTML."""

from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import EmailPolicy
from email.utils import format_datetime
from typing import Any

from app.messaging.providers.protocol import OutgoingBatch, Recipient
from app.messaging.render import fill

_WHOLE = frozenset({"list-unsubscribe", "message-id"})
"""Headers of one long word. The standard library would encode such a word to break the line, and
mailboxes would no longer read it; RFC 5322 allows lines of 998 characters."""


class _Policy(EmailPolicy):
    """CRLF, 7-bit only, and some headers in one line."""

    def fold_binary(self, name: str, value: Any) -> bytes:
        """One header as it is sent."""
        if name.casefold() in _WHOLE:
            return f"{name}: {value}\r\n".encode("ascii")
        return super().fold_binary(name, value)


_POLICY = _Policy(linesep="\r\n", cte_type="7bit")


def message_id_of(batch: OutgoingBatch, recipient: Recipient) -> str:
    """The mail's Message-ID: its attempt's id at the sender's domain, so another one each try."""
    return f"<{recipient.attempt_id.hex}@{batch.sender.rpartition('@')[2]}>"


def build_mail(batch: OutgoingBatch, recipient: Recipient, *, now: datetime) -> bytes:
    """The mail of one recipient, with their values filled in and their headers.

    Raises `ValueError` where the sender is no address.
    """
    content = fill(batch.content, recipient.values)
    mail = EmailMessage(_POLICY)
    mail["From"] = Address(batch.sender_name, addr_spec=batch.sender)
    mail["To"] = Address(addr_spec=recipient.to)
    mail["Subject"] = content.subject
    mail["Date"] = format_datetime(now)
    mail["Message-ID"] = message_id_of(batch, recipient)
    for name, value in recipient.headers.items():
        mail[name] = value
    mail.set_content(content.text)
    if content.html:
        mail.add_alternative(content.html, subtype="html")
    return mail.as_bytes()
