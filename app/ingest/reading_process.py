"""A process that reads a file of orders for the one that started it, and ends with it.

It gets a `Reading` by stdin and writes to stdout, each with its length before it: every `Piece`,
then None; or the exception that it ended with. Where nobody reads that any more, it ends.
"""

import os
import pickle
import sys
from typing import BinaryIO

from app.base.memory import tune_garbage_collector
from app.ingest.read_orders import Piece, Reading, read_pieces

PIECE = 50
"""Records that are handed over at a time."""
LENGTH_BYTES = 4


def main() -> None:
    """Read the file to its end."""
    # Whatever else is printed goes to stderr.
    out = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    try:
        reading: Reading = pickle.load(sys.stdin.buffer)  # noqa: S301  # of the process that started this one
    except EOFError:
        return  # that process has ended
    tune_garbage_collector()
    try:
        write_all(reading, out)
    except BrokenPipeError:
        os._exit(0)  # without writing what is left


def write_all(reading: Reading, out: BinaryIO) -> None:
    """Write the file's pieces, or the exception that reading it raises, for `read_ahead`."""
    try:
        for piece in read_pieces(reading, PIECE):
            _write(out, piece)
    except BrokenPipeError:
        raise
    except Exception as error:  # noqa: BLE001  # it is raised in the other process
        _write(out, error)
    else:
        _write(out, None)


def _write(out: BinaryIO, message: Piece | Exception | None) -> None:
    content = pickle.dumps(message, pickle.HIGHEST_PROTOCOL)
    out.write(len(content).to_bytes(LENGTH_BYTES) + content)
    out.flush()


if __name__ == "__main__":
    main()
