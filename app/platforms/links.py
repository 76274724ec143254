"""Links that lead to a shop, and what they lead back with."""

from collections.abc import Iterable, Mapping
from urllib.parse import parse_qs, urlencode, urlsplit, urlunsplit

from app.base.tokens import slug_brand


def with_query(url: str, **added: str) -> str:
    """The address with these parameters added to its query.

    An empty path becomes `/`; a fragment is removed.
    """
    scheme, host, path, query, _ = urlsplit(url)
    text = urlencode(added)
    return urlunsplit((scheme, host, path or "/", f"{query}&{text}" if query else text, ""))


def query_of(address: str) -> Mapping[str, list[str]]:
    """The parameters in the query of an address, which may be relative; of a broken one none."""
    if "?" not in address:
        return {}
    try:
        return parse_qs(urlsplit(address).query, max_num_fields=50)
    except ValueError:
        return {}


def first_slug(texts: Iterable[str | None]) -> str | None:
    """The first text that can be a share slug of ours: a campaign's own `ref` is none."""
    for text in texts:
        if text and slug_brand(text.strip()) is not None:
            return text.strip().lower()
    return None
