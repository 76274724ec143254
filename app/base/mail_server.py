"""Which mail server sends, as `TENFOLD_SMTP_URL` or a brand's own account names it. Pure."""

import ipaddress
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

_PORTS = {"smtps": 465, "smtp": 587}
_FORM = "must be an address such as smtps://user:password@mail.example.com:465"


@dataclass(frozen=True, slots=True)
class MailServer:
    """A mail server and how we sign in there. The password is left out of its `repr`."""

    host: str
    port: int
    encrypted_at_once: bool
    """TLS from the first byte (`smtps`); otherwise the connection is upgraded by STARTTLS."""
    user: str | None = None
    password: str | None = field(default=None, repr=False)

    @property
    def is_local(self) -> bool:
        """Whether it runs on this machine, the only place where a plain connection is allowed."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False


def parse_mail_server(url: str) -> MailServer:
    """The server of an address; user and password are percent-decoded.

    Raises `ValueError` with a sentence that repeats nothing of the address, since it holds a
    password.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
        (parts.hostname or "").encode("idna")
    except ValueError:
        raise ValueError(_FORM) from None
    if parts.scheme not in _PORTS or not parts.hostname or port == 0:
        raise ValueError(_FORM)
    if parts.path.strip("/") or parts.query or parts.fragment:
        raise ValueError(f"{_FORM}, without path, query or fragment")
    if bool(parts.username) != bool(parts.password):
        raise ValueError("must have both a user and a password, or neither")
    return MailServer(
        host=parts.hostname,
        port=port or _PORTS[parts.scheme],
        encrypted_at_once=parts.scheme == "smtps",
        user=unquote(parts.username) if parts.username else None,
        password=unquote(parts.password) if parts.password else None,
    )
