"""The journal: what must outlive a restored backup, in append-only files beside the database.

Each writing process has a file of its own, `DIRECTORY/INSTALLATION/WRITER.jsonl`, one numbered
record a line. A number is reserved in the database, in the transaction that the record is about,
and written after that transaction's commit. So a database never has a lower number than its
journal, unless it is an older copy.
"""

import asyncio
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

import orjson

from app.base.ids import new_id
from app.base.log import logger

log = logger(__name__)

MOST_BYTES = 64 * 2**20
"""A longer file is followed by a new one."""
_TAIL = 8 * 2**20
"""Bytes at a file's end that hold its last number; a record of 1,000 messages has some 300 KB."""


@dataclass(frozen=True, slots=True)
class Record:
    """One line of the journal."""

    number: int
    kind: str
    brand_id: int
    """0 for a record that is about no brand."""
    rows: Sequence[Any]

    def line(self) -> bytes:
        """The record as it is written."""
        values = {"n": self.number, "kind": self.kind, "brand": self.brand_id, "rows": self.rows}
        return orjson.dumps(values, default=_plain) + b"\n"


def _plain(value: object) -> str:
    """The driver's own UUID type as text."""
    if isinstance(value, UUID):
        return str(value)
    raise TypeError(f"{type(value).__name__} has no place in the journal")


@dataclass
class JournalWriter:
    """One process's file. Records that are written at the same time share one sync."""

    folder: Path
    name: str = field(default_factory=lambda: new_id().hex)
    number: int = 0
    """The highest number that was given out."""
    known: int = 0
    """The highest number whose reservation is committed."""
    _waiting: list[tuple[bytes, asyncio.Future[None]]] = field(default_factory=list)
    _draining: asyncio.Task[None] | None = None

    @property
    def path(self) -> Path:
        """The writer's file; it exists once something is written."""
        return self.folder / f"{self.name}.jsonl"

    async def write(self, record: Record) -> None:
        """Append a record; it is on the disk afterwards. Raises `OSError` where that fails."""
        done = asyncio.get_running_loop().create_future()
        self._waiting.append((record.line(), done))
        if self._draining is None or self._draining.done():
            self._draining = asyncio.create_task(self._drain())
        await done

    async def _drain(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting, []
            try:
                await asyncio.to_thread(self._append, b"".join(line for line, _ in batch))
            except OSError as error:
                log.error("the journal cannot be written", path=str(self.path), error=error.strerror)  # noqa: TRY400  # the cause is one word
                for _, done in batch:
                    if not done.done():
                        done.set_exception(error)
            else:
                for _, done in batch:
                    if not done.done():
                        done.set_result(None)

    def _append(self, lines: bytes) -> None:
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        fresh = not self.path.exists()
        file = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            size = os.fstat(file).st_size
            try:
                written = 0
                while written < len(lines):
                    written += os.write(file, lines[written:])
                os.fdatasync(file)
            except OSError:
                os.ftruncate(file, size)
                raise
        finally:
            os.close(file)
        if fresh:
            _sync_folder(self.folder)

    @property
    def is_full(self) -> bool:
        """Whether a new file should follow."""
        return self.path.exists() and self.path.stat().st_size > MOST_BYTES


def _sync_folder(folder: Path) -> None:
    opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


@dataclass
class Journal:
    """A process's access to the journal of one directory; `app.base.fence` starts it."""

    directory: Path
    writer: JournalWriter | None = None
    marked_at: float = 0.0
    """When the last mark was written, by the loop's clock."""
    is_unmarked: bool = False
    """Whether a number was reserved since then."""
    starting: asyncio.Lock = field(default_factory=asyncio.Lock, repr=False)
    """Held while a file is begun."""

    def folder(self, installation: UUID) -> Path:
        """Where the files of an installation are; other installations may share the directory."""
        return self.directory / str(installation)


def last_numbers(folder: Path) -> dict[str, int]:
    """The highest number in each file of a folder, by writer."""
    return {
        path.stem: max((record.number for record in _records(_tail(path))), default=0)
        for path in sorted(folder.glob("*.jsonl"))
    }


def _tail(path: Path) -> bytes:
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(size - _TAIL, 0))
        if size > _TAIL:
            file.readline()  # the rest of a line
        return file.read()


def read_records(folder: Path, writer: str, after: int) -> Iterator[Record]:
    """The records of one file with a higher number than `after`, in the order of writing."""
    with (folder / f"{writer}.jsonl").open("rb") as file:
        for line in file:
            for record in _records(line):
                if record.number > after:
                    yield record


def _records(lines: bytes) -> Iterator[Record]:
    """The whole lines; what a crash cut off was never acted on."""
    for line in lines.split(b"\n")[:-1]:
        try:
            read = orjson.loads(line)
            yield Record(read["n"], read["kind"], read["brand"], read["rows"])
        except (ValueError, LookupError, TypeError):
            log.warning("a line of the journal cannot be read")
