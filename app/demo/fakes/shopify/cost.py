"""What a query costs in points, by the rules that Shopify publishes.

A field of an object costs 1, of a scalar or enum nothing, a mutation 10, and a connection what its
`first` or `last` says times the cost of one node, and 2. It is an estimate: Shopify's own numbers
differ a little.
"""

from collections.abc import Mapping
from typing import Any

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    InlineFragmentNode,
    IntValueNode,
    OperationDefinitionNode,
    OperationType,
    SelectionSetNode,
    VariableNode,
)

MUTATION_COST = 10
MOST = 1_000
"""A single query that costs more is refused."""


def query_cost(document: DocumentNode, variables: Mapping[str, Any]) -> int:
    """The points that the document may cost at most."""
    fragments = {
        each.name.value: each for each in document.definitions if isinstance(each, FragmentDefinitionNode)
    }
    cost = 0
    for each in document.definitions:
        if isinstance(each, OperationDefinitionNode):
            is_mutation = each.operation is OperationType.MUTATION
            count = len(each.selection_set.selections)
            cost += count * MUTATION_COST if is_mutation else _cost(each.selection_set, fragments, variables)
    return max(cost, 1)


def _cost(
    selections: SelectionSetNode | None,
    fragments: Mapping[str, FragmentDefinitionNode],
    variables: Mapping[str, Any],
) -> int:
    cost = 0
    for each in selections.selections if selections else ():
        match each:
            case FieldNode(selection_set=None):
                pass
            case FieldNode():
                inner = _cost(each.selection_set, fragments, variables)
                size = _size(each, variables)
                cost += inner + 1 if size is None else 2 + size * max(inner - 1, 1)
            case InlineFragmentNode():
                cost += _cost(each.selection_set, fragments, variables)
            case FragmentSpreadNode():
                cost += _cost(fragments[each.name.value].selection_set, fragments, variables)
    return cost


def _size(node: FieldNode, variables: Mapping[str, Any]) -> int | None:
    """How many nodes a connection asks for; None for what is no connection."""
    for argument in node.arguments:
        if argument.name.value in {"first", "last"}:
            match argument.value:
                case IntValueNode(value=value):
                    return int(value)
                case VariableNode(name=name):
                    return int(variables.get(name.value) or 0)
    return None
