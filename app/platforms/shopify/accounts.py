"""A shop's account at Shopify: its permanent `….myshopify.com` domain."""

import re
from urllib.parse import urlsplit

from app.base.errors import AppError, Outcome, OutsideError
from app.base.text import quoted

_DOMAIN = re.compile(r"[a-z0-9][a-z0-9-]{0,59}\.myshopify\.com")
_ADMIN = re.compile(r"(?:https://)?admin\.shopify\.com/store/([a-z0-9-]+)(?:[/?#].*)?")
"""What stands in the browser while somebody is in the shop's admin: the shop's name there."""
_LOOPBACK = re.compile(rf"http://(?:127\.0\.0\.1|\[::1\]):[0-9]{{1,5}}/({_DOMAIN.pattern})")


def parse_account(text: str, *, local: bool) -> str:
    """The account in the form that is stored: the domain alone, in lower case.

    The address of the shop's admin names it too: `https://admin.shopify.com/store/acme`.
    With `local` the address of a fake on this machine is allowed too, with the domain as its path:
    `http://127.0.0.1:9000/acme.myshopify.com`. Raises `AppError` (`bad_account`).
    """
    given = text.strip().lower().rstrip("/")
    if local and _LOOPBACK.fullmatch(given):
        return given
    domain = (urlsplit(given).hostname or "") if given.startswith("https://") else given
    if admin := _ADMIN.fullmatch(given):
        domain = f"{admin[1]}.myshopify.com"
    if _DOMAIN.fullmatch(domain) is None:
        raise AppError(
            "bad_account",
            f"{quoted(text)} is no account at Shopify; write the domain that Shopify gave the shop, such as"
            " acme.myshopify.com. It is in the admin under Settings > Domains.",
        )
    return domain


def domain_of_account(account: str) -> str:
    """The domain in a stored account."""
    local = _LOOPBACK.fullmatch(account)
    return local.group(1) if local else account


def url_of_account(account: str) -> str:
    """Where calls for a stored account go, without a slash at the end.

    Raises `OutsideError` for what is no account, so that no other host is ever called.
    """
    if _DOMAIN.fullmatch(account):
        return f"https://{account}"
    if _LOOPBACK.fullmatch(account):
        return account
    raise OutsideError(Outcome.refused, "The connection's account is no domain of Shopify.", permanent=True)
