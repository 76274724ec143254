"""Executes documents on the schema, within the limit on calls."""

from collections.abc import Callable, Mapping
from functools import cache, lru_cache
from typing import Any

from graphql import (
    DocumentNode,
    ExecutionResult,
    GraphQLError,
    GraphQLResolveInfo,
    GraphQLSchema,
    MiddlewareManager,
    execute_sync,
    parse,
    validate,
)

from app.demo.fakes.shopify import credit, discounts, orders, webhooks
from app.demo.fakes.shopify.access import check_access
from app.demo.fakes.shopify.cost import MOST, query_cost
from app.demo.fakes.shopify.schema import load_schema
from app.demo.fakes.shopify.state import FakeShop


def _shop(_: Any, info: GraphQLResolveInfo) -> dict[str, Any]:
    shop: FakeShop = info.context
    return {
        "name": shop.name,
        "myshopifyDomain": shop.domain,
        "currencyCode": shop.currency,
        "ianaTimezone": shop.time_zone,
        "primaryDomain": {"host": shop.host},
        "features": {"sellsSubscriptions": shop.sells_subscriptions},
    }


def _installation(_: Any, info: GraphQLResolveInfo) -> dict[str, Any]:
    shop: FakeShop = info.context
    return {"accessScopes": [{"handle": each} for each in sorted(shop.scopes)]}


RESOLVERS: Mapping[str, Callable[..., Any]] = {
    "QueryRoot.shop": _shop,
    "QueryRoot.currentAppInstallation": _installation,
    **webhooks.RESOLVERS,
    **discounts.RESOLVERS,
    **orders.RESOLVERS,
    **credit.RESOLVERS,
}


@cache
def executable_schema() -> GraphQLSchema:
    """The schema with our resolvers. Every field of its roots has one, or it would be null."""
    schema = load_schema()
    for place, resolve in RESOLVERS.items():
        kind, _, name = place.partition(".")
        schema.type_map[kind].fields[name].resolve = resolve  # type: ignore[attr-defined]  # roots are objects
    return schema


_MIDDLEWARE = MiddlewareManager(check_access)
"""One for all documents: it keeps the resolvers that it has wrapped."""


@lru_cache(maxsize=256)
def _read(query: str) -> tuple[DocumentNode | None, list[GraphQLError]]:
    """The document, or what is wrong with it. An app sends the same few over and over."""
    try:
        document = parse(query)
    except GraphQLError as error:
        return None, [error]
    errors = validate(executable_schema(), document)
    return (None, errors) if errors else (document, [])


def run_document(shop: FakeShop, query: str, variables: Mapping[str, Any] | None) -> dict[str, Any]:
    """The body of the response to a document."""
    document, errors = _read(query)
    if document is None:
        return _errors(errors)
    cost = query_cost(document, variables or {})
    if cost > MOST:
        message = f"Query cost is {cost}, which exceeds the single query max cost limit ({MOST})."
        return _errors([GraphQLError(message, extensions={"code": "MAX_COST_EXCEEDED"})])
    is_done = shop.bucket.take(cost)
    spent = {
        "requestedQueryCost": cost,
        "actualQueryCost": cost if is_done else None,
        "throttleStatus": shop.bucket.shown(),
    }
    if not is_done:
        throttled = GraphQLError("Throttled", extensions={"code": "THROTTLED"})
        return {**_errors([throttled]), "extensions": {"cost": spent}}
    result = execute_sync(
        executable_schema(),
        document,
        context_value=shop,
        variable_values=dict(variables or {}),
        middleware=_MIDDLEWARE,
    )
    return {**_shown(result), "extensions": {"cost": spent}}


def _shown(result: ExecutionResult) -> dict[str, Any]:
    found: dict[str, Any] = _errors(result.errors) if result.errors else {}
    return found | {"data": result.data}


def _errors(errors: list[GraphQLError]) -> dict[str, Any]:
    return {"errors": [each.formatted for each in errors]}
