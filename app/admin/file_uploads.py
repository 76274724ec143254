"""Files that somebody uploads as the body of a request: to the disk, piece by piece."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from pathlib import Path

_PIECE = 1024 * 1024


async def receive_file(body: AsyncIterator[bytes], path: Path) -> bytes:
    """Write a request's body to a file; returns the SHA-256 of what came.

    Memory holds a piece of it at most. How large it may be is the middleware's to say.
    """
    digest = hashlib.sha256()
    with path.open("wb") as file:

        def keep(piece: bytes) -> None:
            digest.update(piece)
            file.write(piece)

        waiting = bytearray()
        async for chunk in body:
            waiting += chunk
            if len(waiting) >= _PIECE:
                await asyncio.to_thread(keep, bytes(waiting))
                waiting.clear()
        await asyncio.to_thread(keep, bytes(waiting))
    return digest.digest()
