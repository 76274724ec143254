"""The words by which people are searched: of their names and their e-mail address. Pure.

The index of `customers` holds each word with its brand's number in front (`17:ada`), so that a
search reads the words of one brand alone, however many brands share a table.
"""

import unicodedata

_BETWEEN = "-.'\u2019\u2010"
"""What ends a word of a name, besides a space."""
_MOST = 6
"""Words of a search that count."""
_SHORTEST = 2
"""Letters that the longest word of a search has at least."""
_LONGEST = 100
"""Letters of a word that count: a stored name has no more."""

_BRAND = "brand_id::text"
_NAMES = "(coalesce(first_name, '') || ' ') || coalesce(last_name, '')"
_SQL_BETWEEN = _BETWEEN.replace("'", "''")
_SPACED = f"(translate(lower({_NAMES}), '{_SQL_BETWEEN}', '     ') || ' ') || coalesce(email, '')"
_MARKED = f"({_BRAND} || ':') || replace({_SPACED}, ' ', (' ' || {_BRAND}) || ':')"
PERSON_WORDS = f"array_to_tsvector(array_remove(string_to_array({_MARKED}, ' '), {_BRAND} || ':'))"
"""SQL of a customer's words; the index has this very text, so a changed one needs a new index."""


def words_query(brand_id: int, text: str, *, whole: bool) -> str | None:
    """The `tsquery` of people who have these words; None where the text is too short to search.

    Each word begins a word of the name, or the text begins the e-mail address; with `whole` words
    and address are just these. Signs of the query language have no meaning in the text.
    """
    plain = unicodedata.normalize("NFC", text).lower()
    words = plain.translate(dict.fromkeys(map(ord, _BETWEEN), " ")).split()[:_MOST]
    if not words or max(map(len, words)) < _SHORTEST:
        return None
    names = " & ".join(_lexeme(brand_id, word, whole=whole) for word in words)
    addresses = plain.split()
    if len(addresses) != 1:
        return names
    return f"({names}) | {_lexeme(brand_id, addresses[0], whole=whole)}"


def _lexeme(brand_id: int, word: str, *, whole: bool) -> str:
    quoted = word[:_LONGEST].replace("\\", "\\\\").replace("'", "''")
    return f"'{brand_id}:{quoted}'{'' if whole else ':*'}"
