"""Texts in the alphabet of GSM 03.38, of which a message holds 160 characters and not 70. Pure."""

from dataclasses import dataclass

_BASIC = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿"
    "abcdefghijklmnopqrstuvwxyzäöñüà"
)
"""One septet each (GSM 03.38)."""
_EXTENDED = frozenset("^{}\\[~]|€\f")
"""Two septets each."""


@dataclass(frozen=True, slots=True)
class Segments:
    """The parts that a provider sends, and counts."""

    count: int
    encoding: str
    """`gsm7` or `ucs2`."""


def is_gsm(character: str) -> bool:
    """Whether GSM 03.38 has this character."""
    return character in _BASIC or character in _EXTENDED


def count_segments(text: str) -> Segments:
    """The parts of a text: 160 septets in one and 153 in each of several.

    With a character outside of GSM 03.38 70 UTF-16 units in one and 67 in each of several. A
    character of two septets or units is not divided between parts.
    """
    if set(text) <= _BASIC | _EXTENDED:
        return Segments(_parts([2 if each in _EXTENDED else 1 for each in text], 160, 153), "gsm7")
    return Segments(_parts([2 if ord(each) > 0xFFFF else 1 for each in text], 70, 67), "ucs2")


def _parts(sizes: list[int], alone: int, among_others: int) -> int:
    if sum(sizes) <= alone:
        return 1
    count, left = 1, among_others
    for size in sizes:
        if size > left:
            count, left = count + 1, among_others
        left -= size
    return count


_PUNCTUATION = str.maketrans(
    {
        **dict.fromkeys("\u2018\u2019\u201a\u201b\u2032\u00b4\u02bc\u2039\u203a", "'"),
        **dict.fromkeys("\u201c\u201d\u201e\u201f\u2033\u00ab\u00bb", '"'),
        **dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2015\u2212", "-"),
        **dict.fromkeys("\u00a0\u2002\u2003\u2009\u202f", " "),
        "\u2026": "...",
        "\u2022": "-",
        "\u00b7": "-",
        "\u00d7": "x",
        "\u2122": "",
        "\u00ae": "",
        "\u00a9": "",
    }
)


def plain_punctuation(text: str) -> str:
    """The text with typographic punctuation as a keyboard has it; letters stay as they are.

    One curly quote in a brand's name would otherwise more than halve what a text can hold.
    """
    return text.translate(_PUNCTUATION)
