"""Limits guessing of codes by API: unknown codes count, per key and per brand."""

from collections import OrderedDict

from fastapi import Request

from app.base.actor import Actor
from app.base.errors import AppError
from app.base.failure_limit import FailureLimit
from app.base.tokens import plain_code

PER_KEY = 200
"""Different unknown codes allowed for one key in ten minutes. A checkout calls for many customers,
who mistype; random codes cannot be guessed at any rate, named ones not at this one."""
PER_BRAND = 1_000
"""The same for all keys of a brand together."""
_MOST_BRANDS = 10_000
_MOST_CODES = 20_000
"""How many unknown codes are remembered: the same one again teaches nobody anything new, such as a
shop's own code that its checkout sends here too."""


class CodeGuesses:
    """Counts unknown codes; a genuine code never counts, whatever becomes of it."""

    def __init__(self) -> None:
        self._brands: OrderedDict[int, FailureLimit] = OrderedDict()
        self._seen: OrderedDict[tuple[int, str], None] = OrderedDict()

    def refuse_if_limited(self, caller: Actor) -> None:
        """Raise `AppError` `too_many_guesses` (429) for a key with too many unknown codes."""
        limit = self._brands.get(caller.brand_id)
        if limit is not None and limit.is_limited(caller.name):
            raise AppError(
                "too_many_guesses",
                "Too many unknown codes were tried with this key; try again after Retry-After seconds.",
                status=429,
                headers={"Retry-After": str(limit.retry_after)},
            )

    def record_unknown(self, caller: Actor, code: str) -> None:
        """Count one unknown code, unless the brand's callers tried the same one before."""
        seen = (caller.brand_id, plain_code(code)[:100])
        if seen in self._seen:
            self._seen.move_to_end(seen)
            return
        self._seen[seen] = None
        if len(self._seen) > _MOST_CODES:
            self._seen.popitem(last=False)
        limit = self._brands.setdefault(caller.brand_id, FailureLimit(PER_KEY, PER_BRAND))
        if len(self._brands) > _MOST_BRANDS:
            self._brands.popitem(last=False)
        limit.record_failure(caller.name)


def get_code_guesses(request: Request) -> CodeGuesses:
    """The application's counter of unknown codes."""
    state = request.app.state
    if not hasattr(state, "code_guesses"):
        state.code_guesses = CodeGuesses()
    return state.code_guesses  # type: ignore[no-any-return]  # starlette's state is untyped
