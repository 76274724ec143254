"""The brands of one sweep take turns, a few side by side."""

import asyncio
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from app.base import clock
from app.base.errors import AppError
from app.base.log import logger
from app.base.retry import is_unavailable, sqlstate_of

log = logger(__name__)


BRANDS_AT_ONCE = 4
"""Brands whose batches one sweep does side by side, unless it has a number of its own."""


@dataclass(frozen=True)
class Sweep:
    """How one package processes what is due.

    `brands` returns the brands with due rows at a time. `work` does one batch of one brand: it
    claims, acts and commits by itself and returns how many rows it advanced; 0 means that nothing
    of the brand is left that it could claim now. It raises `Busy` rather than wait for another
    process. So brands take turns, and one brand's million rows cannot delay another brand's offer.
    """

    name: str
    brands: Callable[[datetime], Awaitable[Sequence[int]]]
    work: Callable[[int, datetime], Awaitable[int]]
    every_seconds: int = 5
    at_once: int = BRANDS_AT_ONCE
    """Batches side by side."""
    of_brand: int = 1
    """Those of one brand among them; where it is more, `work` leaves what another one claimed."""
    by_brand: bool = False
    """Whether a wake-up names the brand (`app.base.due.wake_for`). Its batch is then begun at once,
    without a search."""


class Busy(AppError):
    """Another process works on what is due for the brand; it is left to that process."""

    def __init__(self, brand_id: int) -> None:
        detail = f"Another process works on what is due for brand {brand_id}; try again in a moment."
        super().__init__("busy", detail, status=503, headers={"Retry-After": "5"})


BUSY_SECONDS = (0.1, 1.0)
"""How long a brand that another process works on is left out: at first, and at most."""
FAILED_SECONDS = (2.0, 10.0)
"""The same for a brand whose batch failed, in a worker."""
BUSY_TIMEOUT_SECONDS = 60.0
"""How long `sweep_once` waits for another process; a frozen one loses its locks after 30 s."""


MANY = 100
"""Rows of a batch after which a lasting sweep `by_brand` is searched at once: it may have more.
After fewer it is not, since a wake-up names each brand that gets something due."""


class Turns:
    """Gives the brands of one sweep their turns, a few side by side.

    So a batch that hangs, as at a locked row, holds up its own brand and no other. Which brands
    have something due is read again when all had their turn and one of them moved, and when `asked`
    is set; a brand that `ask_for` names does not wait for that. A brand is left out for a while
    where another process works on it, or its batch failed.
    With `lasting` the turns go on until `stop`; else until nothing moves, without the brands that
    failed.
    """

    def __init__(self, sweep: Sweep, time: Callable[[], datetime], *, lasting: bool = False) -> None:
        self.asked = asyncio.Event()
        self.moved = 0
        self.failures: dict[int, Exception] = {}
        self._sweep = sweep
        self._time = time
        self._lasting = lasting
        self._stopped = False
        self._begun = asyncio.Event()
        self._asked_for: set[int] = set()
        self._queue: deque[int] = deque()
        self._running: dict[asyncio.Task[int], int] = {}
        self._left_out: dict[int, asyncio.TimerHandle | None] = {}
        self._attempts: Counter[int] = Counter()
        self._busy_since: dict[int, float] = {}

    def stop(self) -> None:
        """Start no more batches; `run` returns once those in progress have finished."""
        self._stopped = True
        self._queue.clear()
        self._asked_for.clear()
        self.asked.set()

    def ask_for(self, brand_id: int) -> None:
        """Begin a batch of this brand now, while `run` runs.

        Where as many are in progress as there may be, it follows one of them.
        """
        if self._stopped or brand_id in self._left_out:
            return
        if self._may_begin(brand_id):
            self._begin(brand_id)
            self._begun.set()
        else:
            self._asked_for.add(brand_id)

    def _may_begin(self, brand_id: int) -> bool:
        of_brand = sum(each == brand_id for each in self._running.values())
        return len(self._running) < self._sweep.at_once and of_brand < self._sweep.of_brand

    def _begin(self, brand_id: int) -> None:
        self._running[asyncio.ensure_future(self._sweep.work(brand_id, self._time()))] = brand_id

    async def run(self) -> None:
        """Give turns; raises only what reading the brands raises, and not where it is lasting."""
        self.asked.set()
        try:
            while self._is_going_on():
                if self.asked.is_set() and not self._queue:
                    self.asked.clear()
                    await self._read()
                for brand_id in [each for each in self._asked_for if self._may_begin(each)]:
                    self._asked_for.discard(brand_id)
                    self._begin(brand_id)
                while self._queue and len(self._running) < self._sweep.at_once:
                    self._begin(self._queue.popleft())
                if self._running or self._may_wait():
                    await self._wait()
        except asyncio.CancelledError:
            for task in self._running:
                task.cancel()
            raise
        finally:
            for timer in self._left_out.values():
                if timer is not None:
                    timer.cancel()
            await asyncio.gather(*self._running, return_exceptions=True)

    def _is_going_on(self) -> bool:
        is_asked = self.asked.is_set() and not self._stopped
        return bool(self._running or self._queue or is_asked or self._may_wait())

    def _may_wait(self) -> bool:
        """Whether something may come where no batch is in progress."""
        comes_back = any(timer is not None for timer in self._left_out.values())
        return (self._lasting or comes_back) and not self._stopped

    async def _read(self) -> None:
        if self._stopped:
            return
        try:
            found = await self._sweep.brands(self._time())
        except Exception as error:
            if not self._lasting:
                raise
            self._log("a sweep failed", error)
            return
        running = Counter(self._running.values())
        self._queue.extend(
            brand_id
            for brand_id in found
            if running[brand_id] < self._sweep.of_brand and brand_id not in self._left_out
        )

    async def _wait(self) -> None:
        """Return when a batch has ended or one was begun by `ask_for`.

        Where no brand waits for its turn, also when asked to.
        """
        self._begun.clear()
        events = ([] if self._queue else [self.asked]) + ([self._begun] if self._sweep.by_brand else [])
        waits = [asyncio.ensure_future(event.wait()) for event in events]
        try:
            if self._running or waits:
                await asyncio.wait({*self._running, *waits}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for each in waits:
                each.cancel()
        for task in [task for task in self._running if task.done()]:
            self._finish(self._running.pop(task), task)

    def _finish(self, brand_id: int, task: asyncio.Task[int]) -> None:
        error = task.exception()
        if error is None:
            self._attempts.pop(brand_id, None)
            self._busy_since.pop(brand_id, None)
            if task.result():
                self.moved += task.result()
                if not (self._lasting and self._sweep.by_brand and task.result() < MANY):
                    self.asked.set()
        elif isinstance(error, Busy) and self._waits_for(brand_id):
            self._leave_out(brand_id, BUSY_SECONDS)
        elif not isinstance(error, Exception):
            raise error
        elif self._lasting:
            self._log("a batch failed", error, brand=brand_id)
            self._leave_out(brand_id, FAILED_SECONDS)
        else:
            self.failures[brand_id] = error
            self._left_out[brand_id] = None

    def _log(self, what: str, error: Exception, **more: object) -> None:
        """The rows are still due. What passes by itself is logged without its traceback."""
        if is_unavailable(error):
            log.warning(
                what, name=self._sweep.name, error=type(error).__name__, state=sqlstate_of(error), **more
            )
        else:
            log.error(what, name=self._sweep.name, exc_info=error, **more)

    def _waits_for(self, brand_id: int) -> bool:
        since = self._busy_since.setdefault(brand_id, clock.monotonic())
        return self._lasting or clock.monotonic() - since < BUSY_TIMEOUT_SECONDS

    def _leave_out(self, brand_id: int, seconds: tuple[float, float]) -> None:
        first, most = seconds
        wait = min(first * 2 ** self._attempts[brand_id], most)
        self._attempts[brand_id] += 1
        self._left_out[brand_id] = asyncio.get_running_loop().call_later(wait, self._let_in, brand_id)

    def _let_in(self, brand_id: int) -> None:
        del self._left_out[brand_id]
        self.asked.set()
