"""A shop's account at WooCommerce: the https address of its WordPress."""

import re
from urllib.parse import urlsplit

import idna

from app.base.errors import AppError, Outcome, OutsideError
from app.base.text import quoted

_HOST = re.compile(r"(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z0-9-]{2,63}(?::[0-9]{1,5})?")
_PATH = re.compile(r"(?:/(?!\.+(?:/|$))[A-Za-z0-9._~-]{1,100}){0,5}")
_ADDRESS = re.compile(rf"https://{_HOST.pattern}{_PATH.pattern}")
_LOOPBACK = re.compile(rf"http://(?:127\.0\.0\.1|\[::1\]):[0-9]{{1,5}}{_PATH.pattern}")
_BELOW = re.compile(r"/(?:wp-json|wp-admin|wp-login\.php|index\.php)(?:/.*)?$|/+$")
"""What people copy beside the address of a WordPress."""


def parse_account(text: str, *, local: bool) -> str:
    """The account in the form that is stored: an https address without a slash at the end.

    WordPress may be in a subdirectory. With `local` the address of a fake on this machine is
    allowed too. Raises `AppError` (`bad_account`).
    """
    given = text.strip()
    address = _normalized(given if "://" in given else f"https://{given}")
    if _ADDRESS.fullmatch(address) or (local and _LOOPBACK.fullmatch(address)):
        return address
    if address.startswith("http://") and "@" not in given:
        raise AppError(
            "bad_account",
            f"{quoted(text)} is not secure: WooCommerce takes keys over https alone. Write https:// instead;"
            " where the shop has no certificate, its host provides one.",
        )
    if "@" in given:
        raise AppError("bad_account", "The address of a shop has no name and password in it.")
    raise AppError(
        "bad_account",
        f"{quoted(text)} is no address of a shop; write where its WordPress is, such as https://acme.example"
        " or https://acme.example/shop.",
    )


def _normalized(address: str) -> str:
    """Scheme and host in lower case and ASCII, and the path of the WordPress itself.

    Empty for what is no address, or has a name and a password in it.
    """
    try:
        parts = urlsplit(address)
        host, port = parts.hostname or "", parts.port
        if "@" in parts.netloc:
            return ""
        host = f"[{host}]" if ":" in host else idna.encode(host, uts46=True).decode() if host else ""
    except ValueError:
        # `idna.IDNAError` is one.
        return ""
    return f"{parts.scheme.lower()}://{host}{f':{port}' if port else ''}{_BELOW.sub('', parts.path)}"


def url_of_account(account: str) -> str:
    """Where calls for a stored account go, without a slash at the end.

    Raises `OutsideError` for what is no account, so that nothing is sent without https.
    """
    if _ADDRESS.fullmatch(account) or _LOOPBACK.fullmatch(account):
        return account
    raise OutsideError(Outcome.refused, "The connection's account is no https address.", permanent=True)


def is_local(account: str) -> bool:
    """Whether the account is a program on this machine."""
    return _LOOPBACK.fullmatch(account) is not None
