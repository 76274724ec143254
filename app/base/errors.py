"""Three kinds of failure: a caller's mistake, the outside world, and (unnamed here) our own bug, which flies."""

from enum import StrEnum


class AppError(Exception):
    """A caller's mistake, with the response they get.

    `code` is stable and machine-readable, `detail` one sentence that says what is wrong and how to
    fix it. Neither may reveal whether an address or a token exists.
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
    """What was asked for is not there, or not for this caller."""

    def __init__(self, detail: str = "Nothing is here under that address.") -> None:
        super().__init__("not_found", detail, status=404)


class Outcome(StrEnum):
    """How a call to the outside world failed, as far as we can know."""

    refused = "refused"
    """They said no, or never heard us: it was certainly not done."""
    unknown = "unknown"
    """Nobody can tell whether it was done: a time-out, a 5xx, a broken connection after sending."""


class OutsideError(Exception):
    """Raised by adapters alone: the outside world did not do as asked.

    `retry_after` is in seconds, as the other side asked; `permanent` says that trying again cannot
    help. `reason` holds no address and no secret, since it is stored and shown.
    """

    def __init__(
        self, outcome: Outcome, reason: str, *, permanent: bool = False, retry_after: float | None = None
    ) -> None:
        super().__init__(reason)
        self.outcome = outcome
        self.reason = reason
        self.permanent = permanent
        self.retry_after = retry_after
