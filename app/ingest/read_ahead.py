"""Read a file of orders while the database works on what was read before.

A large file is read in a process of its own: what is made of an order in Python takes about as long
as what the database does with it, and the Python of one process runs on one processor.
"""

import asyncio
import pickle
import subprocess
import sys
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import aclosing, asynccontextmanager, closing, contextmanager, suppress
from dataclasses import replace
from itertools import islice
from typing import IO

from app.ingest.read_orders import Piece, Reading, read_pieces
from app.ingest.reading_process import LENGTH_BYTES

PROCESS_BYTES = 2 * 1024 * 1024
"""Of a file that is worth a process."""
MEANWHILE = 1_000
"""Records that are read here until the process has started."""
PIECE = 10
"""Records that are read here at a time, a millisecond's worth or two."""
_AHEAD_BYTES = 1024 * 1024
"""How much of what the process has made may wait here; at twice that the process waits."""


@asynccontextmanager
async def read_ahead(reading: Reading, *, most: int) -> AsyncIterator[AsyncIterator[Piece]]:
    """The file's records, in pieces of at most `most` where they are read here.

    Raises what reading raises, and `RuntimeError` where the process that reads is gone.
    """
    if reading.file.size < PROCESS_BYTES:
        async with aclosing(_read_here(reading, min(PIECE, most))) as pieces:
            yield pieces
        return
    with _process(replace(reading, skip=reading.skip + MEANWHILE)) as written:
        async with _stream(written) as stream, aclosing(_read_both(reading, stream)) as pieces:
            yield pieces


async def _read_here(reading: Reading, size: int) -> AsyncGenerator[Piece, None]:
    with closing(read_pieces(reading, size)) as pieces:
        for piece in pieces:
            yield piece
            await asyncio.sleep(0)  # what the database returns goes first


async def _read_both(reading: Reading, stream: asyncio.StreamReader) -> AsyncGenerator[Piece, None]:
    """The first records, which are read here, then those that the process has read."""
    with closing(read_pieces(reading, PIECE)) as pieces:
        for piece in islice(pieces, MEANWHILE // PIECE):
            yield piece
            await asyncio.sleep(0)
    while (read := await _next_of(stream)) is not None:
        yield read
        await asyncio.sleep(0)


async def _next_of(stream: asyncio.StreamReader) -> Piece | None:
    """The next piece that the process has read; None after the last one."""
    try:
        length = int.from_bytes(await stream.readexactly(LENGTH_BYTES))
        content = await stream.readexactly(length)
    except asyncio.IncompleteReadError:
        raise RuntimeError("the process that reads the file is gone") from None
    read: Piece | Exception | None = pickle.loads(content)  # noqa: S301  # our own process made it
    if isinstance(read, Exception):
        raise read
    return read


@contextmanager
def _process(reading: Reading) -> Iterator[IO[bytes]]:
    """What a process writes that reads; it is gone after the block."""
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "app.ingest.reading_process"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,  # Ctrl-C is for this process alone, which then ends that one
    )
    try:
        if process.stdin is None or process.stdout is None:
            raise TypeError("a pipe is missing")
        # Some kilobytes, for which the pipe has room. They carry the keys, so no file holds them.
        with suppress(BrokenPipeError), process.stdin:
            process.stdin.write(pickle.dumps(reading))
        yield process.stdout
    finally:
        process.kill()
        process.wait()


@asynccontextmanager
async def _stream(written: IO[bytes]) -> AsyncIterator[asyncio.StreamReader]:
    """What comes by the pipe, which is closed after the block."""
    stream = asyncio.StreamReader(limit=_AHEAD_BYTES)
    loop = asyncio.get_running_loop()
    transport, _ = await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(stream), written)
    try:
        yield stream
    finally:
        transport.close()
