"""Images that somebody uploads: decoded outside of the event loop, one at a time."""

import asyncio
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache

from app.brands.image_files import ImageFile, make_images
from app.brands.rules import ImageKind


async def decode_images(body: bytes, kind: ImageKind) -> Mapping[ImageKind, ImageFile]:
    """As `make_images`; an image that is decoded takes much memory, so each waits for its turn.

    It is called before a row is locked. Raises what `make_images` raises.
    """
    return await asyncio.get_running_loop().run_in_executor(_decoder(), make_images, body, kind)


@lru_cache(maxsize=1)
def _decoder() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(max_workers=1, thread_name_prefix="images")
