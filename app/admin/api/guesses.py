"""Limits guessing by API: unknown codes, ids and addresses count, per key and per brand."""

from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager

from fastapi import Request

from app.base.actor import Actor
from app.base.errors import AppError, NotFound
from app.base.failure_limit import FailureLimit

PER_KEY = 200
"""Different unknown codes allowed for one key in ten minutes. A checkout calls for many customers,
who mistype; random codes cannot be guessed at any rate, named ones not at this one."""
PER_BRAND = 1_000
"""The same for all keys of a brand together."""
ADDRESSES_PER_KEY = 1_000
"""Different unknown e-mail addresses allowed for one key in ten minutes: a checkout asks for the
credit of every new customer."""
ADDRESSES_PER_BRAND = 5_000
_MOST_BRANDS = 10_000
_MOST_CODES = 20_000
"""How many unknown codes are remembered: the same one again teaches nobody anything new, such as a
shop's own code that its checkout sends here too."""


class Guesses:
    """Counts what was looked up in vain; what is genuine never counts, whatever its outcome."""

    def __init__(self, per_key: int, per_brand: int, *, what: str) -> None:
        self._per_key, self._per_brand = per_key, per_brand
        self._what = what
        self._brands: OrderedDict[int, FailureLimit] = OrderedDict()
        self._seen: OrderedDict[tuple[int, str], None] = OrderedDict()

    def refuse_if_limited(self, caller: Actor) -> None:
        """Raise `AppError` `too_many_guesses` (429) for a key that looked up too much in vain."""
        limit = self._brands.get(caller.brand_id)
        if limit is not None and limit.is_limited(caller.name):
            raise AppError(
                "too_many_guesses",
                f"Too many unknown {self._what} were tried with this key; try again after Retry-After seconds.",
                status=429,
                headers={"Retry-After": str(limit.retry_after)},
            )

    @contextmanager
    def counting(self, caller: Actor, entered: str) -> Iterator[None]:
        """Refuse a limited caller, and count what is looked up inside where it is `NotFound`."""
        self.refuse_if_limited(caller)
        try:
            yield
        except NotFound:
            self.record_unknown(caller, entered)
            raise

    def record_unknown(self, caller: Actor, entered: str) -> None:
        """Count one unknown, made comparable, unless the brand's callers tried the same before."""
        seen = (caller.brand_id, entered[:100])
        if seen in self._seen:
            self._seen.move_to_end(seen)
            return
        self._seen[seen] = None
        if len(self._seen) > _MOST_CODES:
            self._seen.popitem(last=False)
        limit = self._brands.setdefault(caller.brand_id, FailureLimit(self._per_key, self._per_brand))
        if len(self._brands) > _MOST_BRANDS:
            self._brands.popitem(last=False)
        limit.record_failure(caller.name)


def get_code_guesses(request: Request) -> Guesses:
    """The application's counter of unknown codes and ids."""
    state = request.app.state
    if not hasattr(state, "code_guesses"):
        state.code_guesses = Guesses(PER_KEY, PER_BRAND, what="codes")
    return state.code_guesses  # type: ignore[no-any-return]  # starlette's state is untyped


def get_address_guesses(request: Request) -> Guesses:
    """The application's counter of unknown e-mail addresses."""
    state = request.app.state
    if not hasattr(state, "address_guesses"):
        state.address_guesses = Guesses(ADDRESSES_PER_KEY, ADDRESSES_PER_BRAND, what="addresses")
    return state.address_guesses  # type: ignore[no-any-return]  # starlette's state is untyped
