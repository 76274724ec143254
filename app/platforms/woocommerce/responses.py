"""What WooCommerce's responses mean: data, or why there are none, in sentences for people.

Between us and WooCommerce are a server, WordPress and its plugins; each of them has errors of its
own, in the shop's language, so that only their status, code and form can be read.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import orjson

from app.base import http
from app.base.errors import Fault, Outcome, OutsideError

CONNECT_AGAIN = "Connect the shop again (tenfold shop connect)."
KEYS = "WooCommerce > Settings > Advanced > REST API"
"""Where keys are in WordPress."""
_MARK = b"\xef\xbb\xbf"
_OURS = ("woocommerce_", "rest_invalid_", "rest_missing_", "coupon_")
"""How the codes of WooCommerce's own errors begin."""
_KEY_REFUSED = (
    "WooCommerce does not accept the consumer key and secret: they are wrong, were revoked, belong to another"
    f" shop or may not read, or the shop's server does not tell PHP that the call came over https. Look under {KEYS} in the shop's"
    f" WordPress, make a key with Read/Write, and {CONNECT_AGAIN[0].lower()}{CONNECT_AGAIN[1:]}"
)
_NO_RIGHT = (
    "The user of the consumer key may not do this in the shop. Make a key for an administrator or a shop"
    f" manager under {KEYS}. {CONNECT_AGAIN}"
)
_BLOCKED = (
    "The shop's server or a security plugin blocks the REST API (status {status}). Allow /wp-json/wc/v3/ there"
    " for requests with a consumer key."
)
_NOT_FOUND = (
    "There is no REST API at this address. In the shop's WordPress open Settings > Permalinks, choose anything"
    " but Plain and save; or the address is not that of the WordPress (tenfold shop connect)."
)
_NO_ROUTE = (
    "WordPress has no WooCommerce there: the plugin is not active, or far too old. Activate or update it."
)
_PAGE = (
    "The shop sent a page instead of data: it is under maintenance, a protection against robots stands before"
    " it, or a plugin writes into its responses."
)


@dataclass(frozen=True, slots=True)
class Response:
    """A response as it came; `data` is None where the body is no JSON."""

    status: int
    data: Any
    is_json: bool
    location: str | None
    wait: float
    """Seconds to wait where the status asks for it."""
    pages: int | None = None
    """How many pages a list has; None: not stated."""
    is_cut: bool = False
    """Whether the body was longer than is read."""

    @property
    def code(self) -> str:
        """The code of an error, such as `rest_no_route`; empty for none."""
        return str(self.data.get("code") or "") if isinstance(self.data, Mapping) else ""


def read_body(body: bytes) -> tuple[Any, bool]:
    """The JSON in a body, and whether there is any.

    PHP may print warnings before it, each in lines of its own; WordPress writes JSON in one line.
    """
    for text in (body.removeprefix(_MARK), body.rstrip().rpartition(b"\n")[2]):
        try:
            return orjson.loads(text), True
        except ValueError:
            continue
    return None, False


def of_exception(error: Exception) -> OutsideError:
    """As `app.base.http.of_exception`, with the shop before the reason."""
    found = http.of_exception(error, other="shop")
    return OutsideError(
        found.outcome,
        f"The shop's WordPress: {found.reason}.",
        permanent=found.permanent,
        fault=found.fault,
    )


def is_refused(response: Response) -> bool:
    """Whether the key may not do what was asked."""
    return response.status in {401, 403}


def knows_nobody(response: Response) -> bool:
    """Whether WooCommerce took the call for a stranger's, since no key reached it that it knows."""
    return response.status == 401 and response.code.startswith("woocommerce_rest_cannot_")


def error_of(response: Response, *, is_write: bool) -> OutsideError | None:
    """Why a response has no data; None for one that has.

    A refusal of WooCommerce's own is permanent: the same request would be refused again.
    """
    status, is_own = response.status, response.code.startswith(_OURS)
    refused = Outcome.refused
    if 200 <= status < 300 and response.is_json:
        error = None
    elif 200 <= status < 300:
        error = OutsideError(Outcome.unknown if is_write else refused, _PAGE, fault=Fault.outage)
    elif status < 400:
        error = OutsideError(refused, _redirected(response.location), fault=Fault.access)
    elif status == 429:
        error = OutsideError(
            refused, "The shop: too many calls.", retry_after=response.wait, fault=Fault.busy
        )
    elif status in {401, 403}:
        error = OutsideError(refused, _denied(response), fault=Fault.access)
    elif status == 404 and not is_own:
        reason = _NO_ROUTE if response.code == "rest_no_route" else _NOT_FOUND
        error = OutsideError(refused, reason, fault=Fault.access)
    elif status == 408 or (status >= 500 and not is_own):
        wait = response.wait if status == 503 else None
        reason = f"The shop is out of order (status {status})."
        error = OutsideError(Outcome.unknown, reason, retry_after=wait, fault=Fault.outage)
    else:
        name = f" {response.code}" if response.code.isidentifier() else ""
        error = OutsideError(refused, f"WooCommerce refused the call ({status}{name}).", permanent=True)
    return error


def _denied(response: Response) -> str:
    if response.code == "woocommerce_rest_authentication_error":
        return _KEY_REFUSED
    if response.code.startswith("woocommerce_rest_"):
        return _KEY_REFUSED if response.status == 401 else _NO_RIGHT
    return _BLOCKED.format(status=response.status)


def _redirected(location: str | None) -> str:
    try:
        parts = urlsplit(location or "")
        where = f"{parts.scheme}://{parts.netloc}" if parts.scheme and "@" not in parts.netloc else ""
    except ValueError:
        where = ""
    target = f" to {where[:200]}" if where.isprintable() and where else ""
    return (
        f"The shop's address redirects{target}, which is not followed with a key. Connect it with the address"
        " that it has in WordPress under Settings > General (tenfold shop connect)."
    )


def incomplete() -> OutsideError:
    """For data without what WooCommerce always sends."""
    return OutsideError(
        Outcome.refused,
        "WooCommerce's response lacks what it always has: a plugin may change it.",
        fault=Fault.outage,
    )
