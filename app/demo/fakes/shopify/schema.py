"""Shopify's Admin schema, cut down to what our documents and the fake use.

An input, an argument or an enum's value that Shopify lacks is an error here too.
"""

from functools import cache
from pathlib import Path

from graphql import GraphQLSchema, build_schema

HERE = Path(__file__).parent
COVERED = HERE / "covered.graphql"
"""The documents that the fake executes beside our own."""


@cache
def load_schema() -> GraphQLSchema:
    """The schema, without resolvers; `access` names the scopes of which one is needed."""
    return build_schema((HERE / "schema.graphql").read_text(encoding="utf-8"))
