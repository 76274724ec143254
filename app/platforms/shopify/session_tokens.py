"""Session tokens: how Shopify's pages prove where a request of an extension comes from.

A token is a JWT that Shopify signs by HS256 with the app's client secret. It names the shop and the
app, ends after five minutes, and says nothing of an order.
"""

import base64
import hmac
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

import orjson

from app.platforms.connection_types import Connection, ShopperSession
from app.platforms.shopify.accounts import domain_of_account

LEEWAY_SECONDS = 10.0
"""By which clocks may differ."""
_LONGEST = 4096
_CUSTOMER = re.compile(r"gid://shopify/Customer/([0-9]{1,20})")


def read_session(
    token: str, connection: Connection, secrets: Sequence[str], *, now: datetime
) -> ShopperSession | None:
    """See `PlatformAdapter.read_session`."""
    claims = _signed_claims(token, secrets)
    if claims is None or not _is_valid_at(claims, now.timestamp()):
        return None
    destination = str(claims.get("dest", ""))
    # Those of the checkout name the bare domain, those of customers' accounts its address.
    domain = urlsplit(destination).hostname if "//" in destination else destination
    if domain != domain_of_account(connection.account):
        return None
    client_id = connection.credentials.get("client_id")
    if client_id is not None and claims.get("aud") != client_id:
        return None
    customer = _CUSTOMER.fullmatch(str(claims.get("sub", "")))
    return ShopperSession(None if customer is None else customer[1])


def _signed_claims(token: str, secrets: Sequence[str]) -> Mapping[str, Any] | None:
    """The token's content, where one of the secrets has signed it."""
    head, _, rest = token.partition(".")
    body, _, signature = rest.partition(".")
    if len(token) > _LONGEST:
        return None
    try:
        header, claims = orjson.loads(_decoded(head)), orjson.loads(_decoded(body))
        given, signed = _decoded(signature), f"{head}.{body}".encode("ascii")
    except ValueError:
        return None
    if not isinstance(header, dict) or not isinstance(claims, dict) or header.get("alg") != "HS256":
        return None
    wanted = [hmac.digest(secret.encode(), signed, "sha256") for secret in secrets]
    return claims if any(hmac.compare_digest(each, given) for each in wanted) else None


def _decoded(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


def _is_valid_at(claims: Mapping[str, Any], now: float) -> bool:
    begins, ends = claims.get("nbf", 0), claims.get("exp")
    if not isinstance(begins, int | float) or not isinstance(ends, int | float):
        return False
    return begins - LEEWAY_SECONDS <= now < ends + LEEWAY_SECONDS
