"""Domains and senders' addresses as mail servers and name servers take them: in ASCII. Pure."""

import re
from email.utils import parseaddr

import idna

_LOCAL = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]{1,64}(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]{1,64})*")
_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_DOMAIN = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")


def encoded_domain(domain: str) -> str | None:
    """The domain in lower case and ASCII: `xn--…` for an international one, without a last dot.

    None for what is no domain.
    """
    plain = domain.strip().rstrip(".").lower()
    if not plain.isascii():
        try:
            plain = idna.encode(plain, uts46=True).decode()
        except UnicodeError:
            # `idna.IDNAError` is one.
            return None
    return plain if len(plain) <= 253 and _DOMAIN.fullmatch(plain) else None


def split_sender(text: str) -> tuple[str, str] | None:
    """Name and address of `Acme <hello@acme.example>`, the name empty where there is none.

    The address is one that every mail server takes, its domain encoded; None for any other.
    """
    name, address = parseaddr(text)
    local, at, domain = address.rpartition("@")
    encoded = encoded_domain(domain) if at else None
    if encoded is None or _LOCAL.fullmatch(local) is None:
        return None
    return name, f"{local}@{encoded}"
