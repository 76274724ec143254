"""Texts in the alphabet of GSM 03.38, of which a message holds 160 characters and not 70. Pure."""

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
