"""Access tokens of Shopify.

A custom app that was made in the shop's admin has one that stays valid. An app of the Dev Dashboard
has a client id and a secret, for which Shopify gives tokens of 24 hours (client credentials grant);
each process gets its own and renews it before it ends.
"""

import asyncio
import hashlib
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

import aiohttp
import orjson

from app.base.errors import Fault, Outcome, OutsideError
from app.base.http import read_limited
from app.platforms.connection_types import Connection
from app.platforms.shopify.accounts import url_of_account
from app.platforms.shopify.responses import CONNECT_AGAIN, of_exception, of_status

EARLY_SECONDS = 600.0
"""A token is renewed this long before it ends."""
_LIMIT = 64 * 1024
_PAGE_ERROR = re.compile(r"Oauth error (\w+)")
_REASONS = {
    "application_cannot_be_found": "Shopify knows no app with this client id.",
    "invalid_client": "Shopify does not accept this client id with this client secret.",
    "invalid_request": "Shopify does not accept this client id with this client secret.",
    "app_not_installed": "The app is not installed in this shop; install it there first.",
    "shop_not_permitted": (
        "The app may not get tokens for this shop: it must belong to the same organization as the shop."
    ),
}
"""What the errors of the token's endpoint mean."""


@dataclass(slots=True)
class _Token:
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    value: str = ""
    ends_at: float = 0.0


class AccessTokens:
    """The tokens that this process got for client ids and secrets."""

    def __init__(self) -> None:
        self._tokens: dict[tuple[str, bytes], _Token] = {}

    async def get(self, http: aiohttp.ClientSession, connection: Connection) -> str:
        """A token that is valid now. Raises `OutsideError` where Shopify gives none.

        Of several callers at once one asks Shopify, and the others wait for it.
        """
        credentials = connection.credentials
        if "access_token" in credentials:
            return credentials["access_token"]
        kept = self._tokens.setdefault(_key(connection), _Token())
        async with kept.lock:
            if time.monotonic() >= kept.ends_at - EARLY_SECONDS:
                kept.value, seconds = await _request_token(http, connection)
                kept.ends_at = time.monotonic() + seconds
            return kept.value

    def renew(self, connection: Connection) -> None:
        """Get a new token next time, so that a check tries the client id and secret themselves."""
        self._tokens.pop(_key(connection), None)

    def drop(self, connection: Connection, token: str) -> bool:
        """Get another token next time, as this one was refused; False where no other can be got."""
        kept = self._tokens.get(_key(connection))
        if kept is None:
            return False
        if kept.value == token:
            kept.ends_at = 0.0
        return True


def _key(connection: Connection) -> tuple[str, bytes]:
    content = orjson.dumps(dict(connection.credentials), option=orjson.OPT_SORT_KEYS)
    return connection.account, hashlib.sha256(content).digest()


async def _request_token(http: aiohttp.ClientSession, connection: Connection) -> tuple[str, float]:
    form = {
        "grant_type": "client_credentials",
        "client_id": connection.credentials.get("client_id", ""),
        "client_secret": connection.credentials.get("client_secret", ""),
    }
    url = f"{url_of_account(connection.account)}/admin/oauth/access_token"
    try:
        async with http.post(
            url, data=form, headers={"Accept": "application/json"}, allow_redirects=False
        ) as response:
            body, status = await read_limited(response, limit=_LIMIT), response.status
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        raise of_exception(error) from None
    match _object(body):
        case {"access_token": str() as token, "expires_in": int() | float() as seconds} if status == 200:
            return token, float(seconds)
    raise _refusal(body, status)


def _object(body: bytes) -> object:
    try:
        return orjson.loads(body)
    except ValueError:
        return None


def _refusal(body: bytes, status: int) -> OutsideError:
    found = _object(body)
    code = str(found.get("error", "")) if isinstance(found, Mapping) else ""
    if not code and (page := _PAGE_ERROR.search(body.decode("utf-8", "replace"))):
        code = page.group(1)
    if 400 <= status < 500 and code in _REASONS:
        return OutsideError(Outcome.refused, f"{_REASONS[code]} {CONNECT_AGAIN}", fault=Fault.access)
    if status in {400, 401}:
        reason = f"Shopify gives no access token for these credentials. {CONNECT_AGAIN}"
        return OutsideError(Outcome.refused, reason, fault=Fault.access)
    if status == 200:
        return OutsideError(
            Outcome.refused, "Shopify sent a page instead of an access token.", fault=Fault.outage
        )
    return of_status(status, 30.0)


ACCESS_TOKENS = AccessTokens()
"""Those of this process."""
