"""Watches the statements of the application while tests run."""

import re
import sys
from types import FrameType

import greenlet
from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncEngine

from app.models import DISTRIBUTED, LOCAL
from tests.support.brand_joins import problems
from tests.support.constants import PROJECT

_TABLE = re.compile(rf"[\s,](?:{'|'.join(sorted(DISTRIBUTED | LOCAL))})\b(?![.(])")
_APP = str(PROJECT / "app")
_PREPARED = str(PROJECT / "app/base/prepared.py")
"""It sends what others prepared."""
_ALONE = re.compile(r"\bFOR (?:NO KEY )?UPDATE\b|\bFOR (?:KEY )?SHARE\b|\bON CONFLICT\b")
"""What is checked in a statement of one table too."""


class Watch:
    """Checks each new statement of an engine by `brand_joins.problems`.

    What a test itself asks, with `app` nowhere below it, is its own affair.
    """

    def __init__(self, engine: AsyncEngine) -> None:
        self._seen: set[str] = set()
        self._found: list[str] = []
        event.listen(engine.sync_engine, "before_cursor_execute", self._check)

    def take(self) -> list[str]:
        """What was found since the last time: problem, place and statement."""
        found, self._found = self._found, []
        return found

    def _check(
        self, _connection: object, _cursor: object, sql: str, _values: object, _context: object, _many: bool
    ) -> None:
        if sql in self._seen:
            return
        if len(_TABLE.findall(sql)) < 2 and not _ALONE.search(sql):
            self._seen.add(sql)
            return
        place = _place()
        if place is not None:
            self._seen.add(sql)
            self._found += [f"{problem} ({place}): {' '.join(sql.split())}" for problem in problems(sql)]


def _place() -> str | None:
    """The file and line in `app` that asks; None where a test does."""
    frame: FrameType | None = sys._getframe()
    current: greenlet.greenlet | None = greenlet.getcurrent()
    while current is not None:
        while frame is not None:
            path = frame.f_code.co_filename
            if path.startswith(_APP) and path != _PREPARED:
                return f"{path.removeprefix(str(PROJECT) + '/')}:{frame.f_lineno}"
            if path.startswith(str(PROJECT / "tests")) and not path.endswith("watch.py"):
                return None
            frame = frame.f_back
        current = current.parent
        frame = None if current is None else current.gr_frame
    return None
