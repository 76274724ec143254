"""The API keys that a process has seen, and when they were used last."""

import asyncio
from collections import OrderedDict, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

import asyncpg
from sqlalchemy import Update, or_, select, update
from sqlalchemy.exc import SQLAlchemyError

from app.admin.keys import find_key
from app.admin.models import ApiKey
from app.base import clock
from app.base.batch import recordset
from app.base.db import Sessions
from app.base.log import logger
from app.base.tokens import secret_hash

log = logger(__name__)

RECHECK_SECONDS = 4.0
"""A key is read again after this long, so a revoked one is refused everywhere within five
seconds."""
GATHER_SECONDS = 1.0
"""The first use waits this long for others, so that they are written together."""
WRITE_SECONDS = 60.0
"""A process writes uses at most this often, and no key's row is written more often by several."""
_MOST_KEYS = 10_000
"""How many keys are stored; the one that was read longest ago is dropped first."""


@dataclass(frozen=True, slots=True)
class KnownKey:
    """A valid key as it was read."""

    brand_id: int
    id: UUID
    scopes: frozenset[str]
    expires_at: datetime | None
    read_at: float
    """On the monotonic clock."""


@dataclass(slots=True)
class KnownKeys:
    """Finds keys, and writes when they were used: many together, never in a request."""

    sessions: Sessions
    monotonic: Callable[[], float] = clock.monotonic
    _known: OrderedDict[bytes, KnownKey] = field(default_factory=OrderedDict)
    """By the hash of the whole key; unknown and revoked ones are not stored."""
    _uses: dict[tuple[int, UUID], datetime] = field(default_factory=dict)
    _timer: asyncio.TimerHandle | None = None
    _writing: asyncio.Task[None] | None = None
    _next_write: float = 0.0

    async def find(self, sent: str, *, now: datetime) -> KnownKey | None:
        """The valid key that a caller sent, and notes its use.

        None for an unknown, wrong, revoked or expired one; what was revoked in the last
        `RECHECK_SECONDS` may still be found.
        """
        digest = secret_hash(sent) if sent.isascii() else b""
        known = self._known.get(digest)
        if known is None or self.monotonic() - known.read_at >= RECHECK_SECONDS:
            known = await self._read(sent, digest)
        if known is None or (known.expires_at is not None and known.expires_at <= now):
            return None
        self._note_use(known, now)
        return known

    async def _read(self, sent: str, digest: bytes) -> KnownKey | None:
        self._known.pop(digest, None)
        async with self.sessions() as session:
            row = await find_key(session, sent)
        if row is None:
            return None
        known = KnownKey(row.brand_id, row.id, frozenset(row.scopes), row.expires_at, self.monotonic())
        self._known[digest] = known
        if len(self._known) > _MOST_KEYS:
            self._known.popitem(last=False)
        return known

    def _note_use(self, key: KnownKey, now: datetime) -> None:
        self._uses[key.brand_id, key.id] = now
        if self._timer is None:
            wait = max(GATHER_SECONDS, self._next_write - self.monotonic())
            self._timer = asyncio.get_running_loop().call_later(wait, self._start_writing)

    def _start_writing(self) -> None:
        self._timer = None
        self._writing = asyncio.create_task(self.write_uses())

    async def write_uses(self) -> None:
        """Write the uses noted since the last time, in one statement a brand.

        What cannot be written is logged and left out: the next use is written again.
        """
        uses, self._uses = self._uses, {}
        self._next_write = self.monotonic() + WRITE_SECONDS
        of_brand: dict[int, dict[UUID, datetime]] = defaultdict(dict)
        for (brand_id, key_id), at in uses.items():
            of_brand[brand_id][key_id] = at
        for brand_id, keys in of_brand.items():
            await self._write_uses(brand_id, keys)

    async def _write_uses(self, brand_id: int, uses: dict[UUID, datetime]) -> None:
        try:
            async with self.sessions.begin() as session:
                await session.execute(_write(brand_id, uses))
        except (SQLAlchemyError, asyncpg.PostgresError, asyncpg.InterfaceError, OSError) as error:
            log.warning("the last uses of API keys could not be written", error=type(error).__name__)


def _write(brand_id: int, uses: dict[UUID, datetime]) -> Update:
    rows = [{"id": key_id, "last_used_at": at} for key_id, at in uses.items()]
    used = recordset(rows, [ApiKey.id, ApiKey.last_used_at], "used")
    a_minute_old = ApiKey.last_used_at < used.c.last_used_at - timedelta(seconds=WRITE_SECONDS)
    due = (
        select(ApiKey.id, used.c.last_used_at)
        .join(used, used.c.id == ApiKey.id)
        .where(ApiKey.brand_id == brand_id, or_(ApiKey.last_used_at.is_(None), a_minute_old))
        # Another process writes the rows that are locked.
        .with_for_update(of=ApiKey, key_share=True, skip_locked=True)
        .cte("due")
    )
    return (
        update(ApiKey)
        .where(ApiKey.brand_id == brand_id, ApiKey.id == due.c.id)
        .values(last_used_at=due.c.last_used_at)
        .execution_options(synchronize_session=False)
    )
