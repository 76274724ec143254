"""The PostgreSQL that is installed from a wheel, for a machine without a database server.

Web, worker and commands of one home share one server; the last one to leave stops it. Whoever uses
it holds a shared lock on its data directory, which the kernel releases when a process dies, so a
killed process never counts as a user. Starting and stopping take an exclusive lock on the home.
"""

import atexit
import errno
import fcntl
import os
import shutil
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from app.base.config import make_home
from app.base.embedded_access import access_problems, address_of
from app.base.embedded_programs import ServerFailure
from app.base.embedded_server import EmbeddedServer
from app.base.errors import AppError
from app.base.log import logger

log = logger(__name__)

_FULL_DISK_BYTES = 24 * 1024 * 1024
"""With less left no server starts: it needs a WAL segment (16 MB) and some temporary files."""


@dataclass(frozen=True)
class _Use:
    """This process's use of a server: an open directory with the lock, and the server itself."""

    lock: int
    process: psutil.Process


_used: dict[Path, _Use] = {}
"""The servers that this process uses, by data directory."""


def start_embedded(home: Path) -> str:
    """Start or join the server whose data is in `home`; returns its `postgresql://` address.

    The first start in a new home creates the data directory (3-7 s). A server that died since is
    started again. It stops when the last process that joined exits. Only the home's owner and root
    can connect: the socket has mode 0700 and the server checks the user at its other end. Raises
    `AppError` (`database_not_started`) with the reason.
    """
    home = make_home(home)
    data = home / "postgres"
    try:
        with _exclusive(home):
            process = EmbeddedServer(data).ensure_running()
            known = _used.get(data)
            _used[data] = _Use(_hold(data) if known is None else known.lock, process)
            return address_of(data)
    except (OSError, ServerFailure) as error:
        raise AppError("database_not_started", _sentence(home, error), status=503) from error


def stop_embedded(home: Path) -> None:
    """Leave the server now rather than at exit; it stops if nobody else uses it."""
    data = home.resolve() / "postgres"
    use = _used.pop(data, None)
    if use is None:
        return
    try:
        with _exclusive(data.parent):
            if _is_alone(use.lock):
                EmbeddedServer(data).stop()
    except FileNotFoundError:
        # The home was deleted, so nobody else can use the server either.
        with suppress(psutil.Error):
            use.process.send_signal(signal.SIGINT)
            use.process.wait(10)
    finally:
        os.close(use.lock)


def embedded_problems(home: Path) -> list[str]:
    """What lets other users of the machine at the data of this home; a sentence each."""
    return access_problems(home.resolve() / "postgres")


@contextmanager
def _exclusive(home: Path) -> Iterator[None]:
    folder = os.open(home, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        # Closing is not enough: a process that is being forked just now has a copy.
        fcntl.flock(folder, fcntl.LOCK_UN)
        os.close(folder)


def _hold(data: Path) -> int:
    lock = os.open(data, os.O_RDONLY | os.O_DIRECTORY)
    fcntl.flock(lock, fcntl.LOCK_SH)
    return lock


def _is_alone(lock: int) -> bool:
    """Whether no other process uses the server; the caller has the home's lock."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _sentence(home: Path, error: OSError | ServerFailure) -> str:
    with suppress(OSError):
        if shutil.disk_usage(home).free < _FULL_DISK_BYTES:
            return f"The disk that holds {home} is full, so the embedded database cannot run."
    if isinstance(error, ServerFailure):
        return f"The embedded database in {home} did not start: {error}."
    if error.errno in {errno.EACCES, errno.EPERM, errno.EROFS}:
        return f"This user may not write to {error.filename or home} ({os.strerror(error.errno)})."
    return f"The embedded database cannot use {error.filename or home}: {error.strerror or error}."


def _leave_all() -> None:
    for data in list(_used):
        try:
            stop_embedded(data.parent)
        except (OSError, ServerFailure) as error:
            log.warning("the embedded database could not be stopped", error=str(error))


def _drop_parents_use() -> None:
    """A forked process uses nothing yet; its copies of the locks would outlive its parent."""
    for use in _used.values():
        os.close(use.lock)
    _used.clear()


atexit.register(_leave_all)
os.register_at_fork(after_in_child=_drop_parents_use)
