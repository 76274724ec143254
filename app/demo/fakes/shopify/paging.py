"""Pages of connections."""

from collections.abc import Mapping, Sequence
from typing import Any

from graphql import GraphQLError

MOST = 250


def page(rows: Sequence[Any], asked: Mapping[str, Any]) -> dict[str, Any]:
    """The first nodes after the cursor. Raises `GraphQLError` without `first`, or for too many."""
    first = asked.get("first")
    if first is None:
        raise GraphQLError("you must provide one of first or last", extensions={"code": "BAD_REQUEST"})
    if not 0 < first <= MOST:
        raise GraphQLError(f"first must be between 1 and {MOST}", extensions={"code": "BAD_REQUEST"})
    start = int(asked.get("after") or 0)
    end = start + first
    nodes = list(rows[start:end])
    return {
        "nodes": nodes,
        "pageInfo": {"hasNextPage": end < len(rows), "endCursor": str(start + len(nodes)) if nodes else None},
    }
