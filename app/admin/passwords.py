"""Passwords of staff: stored as argon2id hashes, each with its own salt and cost."""

import asyncio
from concurrent.futures import ThreadPoolExecutor

from pwdlib.exceptions import PwdlibError
from pwdlib.hashers.argon2 import Argon2Hasher

MINIMUM_LENGTH = 12
"""Characters; guessing is limited besides."""
MAXIMUM_LENGTH = 200
_HASHER = Argon2Hasher(time_cost=1, memory_cost=46 * 1024, parallelism=1)
"""One of the settings that OWASP's Password Storage Cheat Sheet lists for argon2id: 46 MiB."""
_NOBODY = "$argon2id$v=19$m=47104,t=1,p=1$MDEyMzQ1Njc4OWFiY2RlZg$aGFzaCBvZiBubyBwYXNzd29yZCBhdCBhbGwgIS4uLi4"
"""A hash of the same cost that no password has."""
_THREADS = ThreadPoolExecutor(2, "argon2")
"""Hashing is slow and takes memory on purpose; more at a time would stop other requests."""


def is_usable(password: str) -> bool:
    """Whether a password may be set: long enough, and not too long to be hashed."""
    return MINIMUM_LENGTH <= len(password) <= MAXIMUM_LENGTH


async def hash_password(password: str) -> str:
    """The hash to store; computed in a thread, since it is slow on purpose."""
    return await asyncio.get_running_loop().run_in_executor(_THREADS, _HASHER.hash, _encoded(password))


async def is_password(password: str, stored: str | None) -> bool:
    """Whether this is the password of a stored hash; takes as long where there is none."""
    given = _encoded(password[:MAXIMUM_LENGTH])
    return await asyncio.get_running_loop().run_in_executor(_THREADS, _is_hash_of, given, stored)


def _is_hash_of(password: bytes, stored: str | None) -> bool:
    try:
        same = _HASHER.verify(password, stored or _NOBODY)
    except PwdlibError:
        return False
    return same and stored is not None


def _encoded(password: str) -> bytes:
    return password.encode("utf-8", "surrogatepass")
