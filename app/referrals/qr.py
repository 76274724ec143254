"""QR codes of links that differ in their last characters, as inline SVG."""

import re
from collections.abc import Sequence
from functools import cache

import segno

_MASK = 3
"""With it given the library does not try all eight, which takes ten times as long. Every mask is
readable; which one it is matters for data that are regular, and a slug is random."""
_BORDER = 2
_RUN = re.compile("(0*)(1*)")
_PIECE = 11
"""Modules of a row that are drawn by one look-up."""
_BITS = 7
"""Of an ASCII character."""


def link_path(prefix: str, rest: str) -> tuple[int, str]:
    """The width in modules of the QR code of `prefix + rest`, and an SVG path of its dark modules.

    The width includes the border; the path is to be stroked. `rest` is ASCII.
    """
    size, modules, changed = _tables(prefix, len(rest))
    for letter, of_place in zip(rest.encode("ascii"), changed, strict=True):
        modules ^= of_place[letter]
    return size + 2 * _BORDER, _path(modules, size)


@cache
def _tables(prefix: str, length: int) -> tuple[int, int, Sequence[Sequence[int]]]:
    """The size, the modules where the rest is all zero, and what each letter changes by place.

    Data, error correction and mask are added by exclusive or alone. So the modules of every text of
    a length follow from those of texts with one bit set, and the library is asked for these once a
    process, instead of once a link.
    """
    zeros = bytes(length)
    size, plain = _modules(prefix, zeros)
    changed = []
    for place in range(length):
        of_letters = [0]
        for bit in range(_BITS):
            one = zeros[:place] + bytes([1 << bit]) + zeros[place + 1 :]
            of_bit = _modules(prefix, one)[1] ^ plain
            of_letters += [each ^ of_bit for each in of_letters]
        changed.append(of_letters)
    return size, plain, changed


def _modules(prefix: str, rest: bytes) -> tuple[int, int]:
    """The size, and the modules as the bits of one number, row by row."""
    made = segno.make(prefix.encode() + rest, error="m", micro=False, mask=_MASK, mode="byte")
    rows = made.matrix
    return len(rows), int("".join("1" if module else "0" for row in rows for module in row), 2)


def _path(modules: int, size: int) -> str:
    bits = f"{modules:0{size * size}b}"
    parts = []
    for row in range(size):
        parts.append(f"M{_BORDER} {row + _BORDER}.5")
        last = (row + 1) * size
        parts += [_moves(bits[at : min(at + _PIECE, last)]) for at in range(row * size, last, _PIECE)]
    return "".join(parts)


@cache
def _moves(piece: str) -> str:
    """The path over a piece of a row: `m2 0` over two light modules, `h3` along three dark ones."""
    runs = ((len(light), len(dark)) for light, dark in _RUN.findall(piece))
    return "".join((f"m{light} 0" if light else "") + (f"h{dark}" if dark else "") for light, dark in runs)
