"""What Shopify's responses mean: data, or why there are none, in sentences for people."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from app.base import http
from app.base.errors import Fault, Outcome, OutsideError
from app.base.log import scrub
from app.base.text import one_line

CONNECT_AGAIN = "Connect the shop again (tenfold shop connect)."
_MESSAGE_LENGTH = 300
_STATUS = {
    401: (
        "Shopify does not accept the access token: it was revoked, the app was uninstalled, or the token"
        f" belongs to another shop. {CONNECT_AGAIN}"
    ),
    402: "Shopify has frozen the shop until its owner pays; the owner finds the bill in the shop's admin.",
    403: (
        "Shopify forbids the call: the app is not installed in this shop, or the shop is closed. Install it"
        " there, or ask the shop's owner."
    ),
    404: f"Shopify knows no shop under this account. Is the domain right? {CONNECT_AGAIN}",
    423: "Shopify has locked the shop; its owner must ask Shopify's support.",
}
"""Refusals of every call until a person does something."""


@dataclass(frozen=True, slots=True)
class GraphQLError:
    """One error of a response."""

    code: str
    message: str
    path: tuple[str, ...] = ()
    """Names of the fields that lead to the one at fault, without places in lists."""


@dataclass(frozen=True, slots=True)
class UserError:
    """Why a mutation was not done, as Shopify says it to people."""

    message: str
    code: str = ""
    """Empty where the mutation's errors have none."""
    field: tuple[str, ...] = ()
    """Names of the fields that lead to the one at fault."""


@dataclass(frozen=True, slots=True)
class Reply:
    """A response that is GraphQL: data, errors, or both."""

    data: dict[str, Any]
    errors: tuple[GraphQLError, ...]
    extensions: object

    @property
    def is_throttled(self) -> bool:
        """Whether nothing was done because the bucket had too few points."""
        return any(each.code == "THROTTLED" for each in self.errors)


def read_reply(body: bytes, status: int, *, is_mutation: bool) -> Reply:
    """Read a response with status 200. Raises `OutsideError` where it is anything but GraphQL."""
    try:
        found = orjson.loads(body)
    except ValueError:
        found = None
    if status != 200 or not isinstance(found, dict) or not {"data", "errors"} & found.keys():
        raise OutsideError(
            Outcome.unknown if is_mutation else Outcome.refused,
            "Shopify sent a page instead of data; it may be under maintenance, or something between us"
            " and Shopify changes its responses.",
            fault=Fault.outage,
        )
    data, errors = found.get("data"), found.get("errors")
    listed = errors if isinstance(errors, list) else [errors] if errors else []
    return Reply(
        data if isinstance(data, dict) else {},
        tuple(_error(each) for each in listed),
        found.get("extensions"),
    )


def _error(given: object) -> GraphQLError:
    if not isinstance(given, Mapping):
        return GraphQLError("", shown(given))
    extensions, path = given.get("extensions"), given.get("path")
    code = extensions.get("code") if isinstance(extensions, Mapping) else None
    names = tuple(each for each in path if isinstance(each, str)) if isinstance(path, list) else ()
    return GraphQLError(str(code or ""), shown(given.get("message")), names)


def shown(message: object) -> str:
    """A message of Shopify's in one line, without addresses and secrets."""
    return one_line(scrub(str(message or "")), limit=_MESSAGE_LENGTH, ellipsis=True) or ""


def of_exception(error: Exception) -> OutsideError:
    """As `app.base.http.of_exception`, with Shopify's name before the reason."""
    found = http.of_exception(error, other="platform")
    return OutsideError(
        found.outcome, f"Shopify: {found.reason}.", permanent=found.permanent, fault=found.fault
    )


def of_status(status: int, retry_after: float) -> OutsideError:
    """What a response with a status other than 200 proves."""
    if status in {429, 430}:
        return OutsideError(
            Outcome.refused, "Shopify: too many calls.", retry_after=retry_after, fault=Fault.busy
        )
    if status in _STATUS:
        return OutsideError(Outcome.refused, _STATUS[status], fault=Fault.access)
    if status >= 500 or status == 408:
        return OutsideError(
            Outcome.unknown, f"Shopify is out of order (status {status}).", fault=Fault.outage
        )
    if 300 <= status < 400:
        reason = f"Shopify redirects to another address: the shop's domain there has changed. {CONNECT_AGAIN}"
        return OutsideError(Outcome.refused, reason, fault=Fault.access)
    return OutsideError(Outcome.refused, f"Shopify refused the call (status {status}).", permanent=True)


def incomplete() -> OutsideError:
    """For data without what Shopify's own schema says that they always have."""
    return OutsideError(
        Outcome.refused, "Shopify's response lacks what it always has; try again later.", fault=Fault.outage
    )


def of_errors(errors: tuple[GraphQLError, ...]) -> OutsideError:
    """What the errors of a response prove; it must have at least one."""
    first = errors[0]
    match first.code:
        case "ACCESS_DENIED":
            return OutsideError(
                Outcome.refused, f"Shopify denies access: {first.message}", fault=Fault.access
            )
        case "SHOP_INACTIVE":
            return OutsideError(Outcome.refused, "The shop is closed at Shopify.", fault=Fault.access)
        case "INTERNAL_SERVER_ERROR" | "TIMEOUT":
            return OutsideError(
                Outcome.unknown, "Shopify is out of order (internal error).", fault=Fault.outage
            )
    return OutsideError(Outcome.refused, f"Shopify refused the call: {first.message}", permanent=True)


TAKEN = ("TAKEN", "DUPLICATE")
"""Codes of user errors: another discount of the shop has this code."""


def messages_of(errors: Iterable[UserError]) -> str:
    """What user errors say to people."""
    return " ".join(each.message for each in errors)


def refused(errors: Iterable[UserError], *, permanent: bool = True) -> OutsideError:
    """The failure of a mutation that was not done; by default it would be refused again."""
    return OutsideError(Outcome.refused, f"Shopify: {messages_of(errors)}", permanent=permanent)


def user_errors(payload: object) -> list[UserError]:
    """The `userErrors` of a mutation's payload; none for one that was done.

    A payload that is null was not done either, and counts as an error.
    """
    if not isinstance(payload, Mapping):
        return [UserError("Shopify did not do it and said nothing.")]
    return [
        UserError(
            shown(each.get("message")), str(each.get("code") or ""), tuple(map(str, each.get("field") or ()))
        )
        for each in payload.get("userErrors") or []
    ]
