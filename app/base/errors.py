"""Failures: a caller's mistake, or the outside world.

A bug of our own is neither: it is not caught here.
"""

from enum import StrEnum


class AppError(Exception):
    """A caller's mistake, with the response they get.

    `code` is stable and machine-readable; `detail` is one sentence with the fault and its fix.
    Neither may reveal whether an address or a token exists.
    """

    def __init__(
        self, code: str, detail: str, *, status: int = 422, headers: dict[str, str] | None = None
    ) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail
        self.status = status
        self.headers = headers or {}


class NotFound(AppError):
    """What was requested does not exist, or not for this caller."""

    def __init__(self, detail: str = "Nothing is here under that address.") -> None:
        super().__init__("not_found", detail, status=404)


class Outcome(StrEnum):
    """How a call to the outside world failed, as far as can be known."""

    refused = "refused"
    """The other side refused, or never received the call: it was certainly not done."""
    unknown = "unknown"
    """It cannot be known whether it was done: a time-out, a 5xx, a connection lost after
    sending."""


class Fault(StrEnum):
    """Where the cause of a failed call lies; only a fault of the request counts against it."""

    request = "request"
    """In this request: another one may succeed."""
    outage = "outage"
    """The other side is down or cannot be reached: no request would succeed now."""
    access = "access"
    """Our account or key there was rejected: no request succeeds until somebody corrects it."""
    busy = "busy"
    """Too much at once, there or here: the same request succeeds later."""


class OutsideError(Exception):
    """Raised by adapters only: the outside world did not do what was requested.

    `retry_after` is in seconds, as the other side requested; `permanent` is whether a retry is
    useless. `reason` holds no address and no secret, since it is stored and shown.
    """

    def __init__(
        self,
        outcome: Outcome,
        reason: str,
        *,
        permanent: bool = False,
        retry_after: float | None = None,
        fault: Fault = Fault.request,
    ) -> None:
        super().__init__(reason)
        self.outcome = outcome
        self.reason = reason
        self.permanent = permanent
        self.retry_after = retry_after
        self.fault = fault
