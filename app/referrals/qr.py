"""QR codes of links that differ in their last characters, as inline SVG."""

import re
from functools import cache, lru_cache

import segno

_MASK = 3
"""With it given the library does not try all eight, which takes ten times as long. Every mask is
readable; which one it is matters for data that are regular, and a slug is random."""
_BORDER = 2
_RUN = re.compile("1+")
_BITS = 7
"""Of an ASCII character."""


@lru_cache(maxsize=4096)
def link_path(prefix: str, rest: str) -> tuple[int, str]:
    """The width in modules of the QR code of `prefix + rest`, and an SVG path of its dark modules.

    The width includes the border; the path is to be stroked. `rest` is ASCII.
    """
    size, plain, changed = _tables(prefix, len(rest))
    modules = plain
    for place, letter in enumerate(rest.encode("ascii")):
        for bit in range(_BITS):
            if letter >> bit & 1:
                modules ^= changed[place * _BITS + bit]
    return size + 2 * _BORDER, _path(modules, size)


@cache
def _tables(prefix: str, length: int) -> tuple[int, int, tuple[int, ...]]:
    """The size, the modules where all characters of the rest are zero, and what each bit changes.

    Data, error correction and mask are added by exclusive or alone. So the modules of every text of
    a length follow from those of texts with one bit set, and the library is asked for these once a
    process, instead of once a link.
    """
    zeros = bytes(length)
    size, plain = _modules(prefix, zeros)
    changed = []
    for place in range(length):
        for bit in range(_BITS):
            one = zeros[:place] + bytes([1 << bit]) + zeros[place + 1 :]
            changed.append(_modules(prefix, one)[1] ^ plain)
    return size, plain, tuple(changed)


def _modules(prefix: str, rest: bytes) -> tuple[int, int]:
    """The size, and the modules as the bits of one number, row by row."""
    made = segno.make(prefix.encode() + rest, error="m", micro=False, mask=_MASK, mode="byte")
    rows = made.matrix
    return len(rows), int("".join("1" if module else "0" for row in rows for module in row), 2)


def _path(modules: int, size: int) -> str:
    bits = f"{modules:0{size * size}b}"
    parts = []
    for row in range(size):
        for run in _RUN.finditer(bits, row * size, (row + 1) * size):
            left = run.start() - row * size + _BORDER
            parts.append(f"M{left} {row + _BORDER}.5h{run.end() - run.start()}")
    return "".join(parts)
