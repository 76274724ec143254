"""What the app may do in a shop: scopes by the schema's directive, and protected customer data."""

from collections.abc import Callable
from functools import cache
from typing import Any

from graphql import (
    GraphQLError,
    GraphQLObjectType,
    GraphQLResolveInfo,
    GraphQLUnionType,
    get_named_type,
    value_from_ast_untyped,
)

from app.demo.fakes.shopify.state import FakeShop

GUIDE = "https://shopify.dev/docs/apps/launch/protected-customer-data"
_PROTECTED_TYPES = {"Order", "Customer"}
_PERSONAL_FIELDS = {("Order", "email"), ("Order", "phone")}
_PROTECTED_TOPICS = ("ORDERS_", "CUSTOMERS_", "FULFILLMENT", "REFUNDS_")


def denied(message: str) -> GraphQLError:
    """The error of a field that the app may not read."""
    return GraphQLError(message, extensions={"code": "ACCESS_DENIED", "documentation": GUIDE})


def required_scopes(node: Any) -> list[str]:
    """The scopes of which one is needed for a type, a field or an enum's value; empty for none."""
    for directive in getattr(node, "directives", None) or ():
        if directive.name.value == "access":
            return [str(each) for each in value_from_ast_untyped(directive.arguments[0].value)]
    return []


@cache
def _requirements(parent: GraphQLObjectType, name: str) -> tuple[str, tuple[tuple[str, ...], ...]]:
    """The name of the type that a field leads to, and the scopes of which one each is needed."""
    field = parent.fields[name]
    kind = get_named_type(field.type)
    if isinstance(kind, GraphQLObjectType) and kind.name.endswith("Connection"):
        kind = get_named_type(kind.fields["nodes"].type)
    kinds = kind.types if isinstance(kind, GraphQLUnionType) else (kind,)
    needed = (required_scopes(node) for node in (field.ast_node, *(each.ast_node for each in kinds)))
    return kind.name, tuple(tuple(each) for each in needed if each)


def check_access(resolve: Callable[..., Any], source: Any, info: GraphQLResolveInfo, **given: Any) -> Any:
    """Resolve a field, or raise `GraphQLError` where the app may not use it: a middleware."""
    name = info.field_name
    if name.startswith("__"):
        return resolve(source, info, **given)
    shop: FakeShop = info.context
    kind, requirements = _requirements(info.parent_type, name)
    for needed in requirements:
        if not shop.grants(needed):
            scopes = " or ".join(f"`{each}`" for each in needed)
            raise denied(f"Access denied for {name} field. Required access: {scopes} access scope.")
    if kind in _PROTECTED_TYPES and not shop.has_protected_data:
        raise denied(f"This app is not approved to access the {kind} object. See {GUIDE} for more details.")
    if (info.parent_type.name, name) in _PERSONAL_FIELDS and not shop.has_personal_fields:
        raise denied(f"This app is not approved to use the {name} field. See {GUIDE} for more details.")
    return resolve(source, info, **given)


def topic_refusal(shop: FakeShop, topic: str, info: GraphQLResolveInfo) -> str | None:
    """Why the app may not subscribe to a topic; None where it may."""
    value = info.schema.type_map["WebhookSubscriptionTopic"].ast_node
    node = next(each for each in value.values if each.name.value == topic)  # type: ignore[union-attr]  # an enum
    needed = required_scopes(node)
    if needed and not shop.grants(needed):
        return "You cannot create a webhook subscription with the specified topic"
    if topic.startswith(_PROTECTED_TOPICS) and not shop.has_protected_data:
        return (
            "This app is not approved to subscribe to webhook topics containing protected customer data."
            f" See {GUIDE} for more details."
        )
    return None
