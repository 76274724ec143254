"""Passwords of staff: stored as scrypt hashes, each with its own salt and cost."""

import asyncio
import hashlib
import hmac
from concurrent.futures import ThreadPoolExecutor

from app.base.tokens import new_salt

MINIMUM_LENGTH = 12
"""Characters; guessing is limited besides."""
MAXIMUM_LENGTH = 200
_SALT_BYTES = 16
_LOG_N, _R, _P = 15, 8, 3
"""One of the settings that OWASP's Password Storage Cheat Sheet lists for scrypt: 32 MiB."""
_MEMORY = 64 * 1024 * 1024
"""What OpenSSL may use, in bytes."""
_SCRYPT_1 = 1
"""The first byte of a hash: how it was made. Then the salt, then 64 bytes."""
_THREADS = ThreadPoolExecutor(2, "scrypt")
"""Hashing is slow and takes memory on purpose; more at a time would stop other requests."""


def is_usable(password: str) -> bool:
    """Whether a password may be set: long enough, and not too long to be hashed."""
    return MINIMUM_LENGTH <= len(password) <= MAXIMUM_LENGTH


async def hash_password(password: str) -> bytes:
    """The hash to store; computed in a thread, since it is slow on purpose."""
    salt = new_salt()
    return bytes([_SCRYPT_1]) + salt + await _hashed(password, salt)


async def is_password(password: str, stored: bytes | None) -> bool:
    """Whether this is the password of a stored hash; takes as long where there is none."""
    salt = stored[1 : 1 + _SALT_BYTES] if stored else bytes(_SALT_BYTES)
    made = await _hashed(password[:MAXIMUM_LENGTH], salt)
    return stored is not None and hmac.compare_digest(made, stored[1 + _SALT_BYTES :])


async def _hashed(password: str, salt: bytes) -> bytes:
    def scrypt() -> bytes:
        text = password.encode("utf-8", "surrogatepass")
        return hashlib.scrypt(text, salt=salt, n=1 << _LOG_N, r=_R, p=_P, maxmem=_MEMORY)

    return await asyncio.get_running_loop().run_in_executor(_THREADS, scrypt)
