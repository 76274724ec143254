"""Links that lead to a shop."""

from urllib.parse import urlencode, urlsplit, urlunsplit


def with_query(url: str, **added: str) -> str:
    """The address with these parameters added to its query.

    An empty path becomes `/`; a fragment is removed.
    """
    scheme, host, path, query, _ = urlsplit(url)
    text = urlencode(added)
    return urlunsplit((scheme, host, path or "/", f"{query}&{text}" if query else text, ""))
