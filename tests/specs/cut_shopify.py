"""Cuts Shopify's Admin schema down to what this project's GraphQL documents use, for the fake.

    uv run python tests/specs/cut_shopify.py shopify_admin_2026-07.introspection.json.gz

The argument is the introspection as `README.md` beside this file says; it may be compressed. Of an
object type the fields that a document selects are kept, with all their arguments; input types and
enums that these need are kept whole, so an argument that Shopify lacks stays an error. Prose is
dropped; what a type, a field or a webhook topic requires of access becomes a directive."""

import gzip
import json
import re
import sys
from collections import defaultdict
from importlib import import_module
from pathlib import Path
from typing import Any

from graphql import (
    FieldNode,
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLNamedType,
    GraphQLObjectType,
    GraphQLScalarType,
    GraphQLSchema,
    GraphQLUnionType,
    TypeInfo,
    TypeInfoVisitor,
    Visitor,
    ast_from_value,
    build_client_schema,
    get_named_type,
    is_specified_scalar_type,
    parse,
    print_ast,
    validate,
    visit,
)

from app.platforms import shopify
from app.platforms.shopify.documents import API_VERSION, Document

FAKE = Path(__file__).resolve().parents[2] / "app" / "demo" / "fakes" / "shopify"
WIDTH = 110
SCOPE = re.compile(r"\b(?:read|write)_[a-z_]+\b")
HEADER = f"""\
# Shopify's Admin GraphQL schema {API_VERSION}, cut down by tests/specs/cut_shopify.py; not edited by hand.
#
# From the npm package @shopify/dev-mcp 1.16.0, under the ISC License:
#
# Copyright (c) Shopify Inc.
#
# Permission to use, copy, modify, and/or distribute this software for any purpose with or without fee is hereby
# granted, provided that the above copyright notice and this permission notice appear in all copies.
#
# THE SOFTWARE IS PROVIDED "AS IS" AND THE AUTHOR DISCLAIMS ALL WARRANTIES WITH REGARD TO THIS SOFTWARE INCLUDING ALL
# IMPLIED WARRANTIES OF MERCHANTABILITY AND FITNESS. IN NO EVENT SHALL THE AUTHOR BE LIABLE FOR ANY SPECIAL, DIRECT,
# INDIRECT, OR CONSEQUENTIAL DAMAGES OR ANY DAMAGES WHATSOEVER RESULTING FROM LOSS OF USE, DATA OR PROFITS, WHETHER IN
# AN ACTION OF CONTRACT, NEGLIGENCE OR OTHER TORTIOUS ACTION, ARISING OUT OF OR IN CONNECTION WITH THE USE OR
# PERFORMANCE OF THIS SOFTWARE.

\"\"\"What an app needs one of to use this.\"\"\"
directive @access(anyOf: [String!]!) on OBJECT | INTERFACE | FIELD_DEFINITION | ENUM_VALUE
"""


def selected_fields(schema: GraphQLSchema, texts: list[str]) -> dict[str, set[str]]:
    """The fields that the documents select, by type. Raises `ValueError` for a wrong document."""
    found: dict[str, set[str]] = defaultdict(set)
    info = TypeInfo(schema)

    class Collect(Visitor):
        def enter_field(self, node: FieldNode, *_: Any) -> None:
            if node.name.value != "__typename":
                found[info.get_parent_type().name].add(node.name.value)

    for text in texts:
        document = parse(text)
        errors = validate(schema, document)
        if errors:
            raise ValueError("; ".join(str(each) for each in errors))
        visit(document, TypeInfoVisitor(info, Collect()))
    return found


class Cut:
    """Writes the kept types as SDL; `needed` grows while types are written."""

    def __init__(self, schema: GraphQLSchema, fields: dict[str, set[str]], access: dict[str, list[str]]):
        self.schema, self.fields, self.access = schema, fields, access
        self.needed: set[str] = set(fields)
        self.written: dict[str, str] = {}

    def run(self) -> str:
        while waiting := sorted(self.needed - self.written.keys()):
            for name in waiting:
                self.written[name] = self.type(self.schema.type_map[name])
        roots = "schema {\n  query: QueryRoot\n  mutation: Mutation\n}\n"
        return "\n".join(
            [HEADER, roots, *(self.written[name] for name in sorted(self.written) if self.written[name])]
        )

    def need(self, kind: Any) -> str:
        """Note that a type is needed; returns it as written."""
        self.needed.add(get_named_type(kind).name)
        return str(kind)

    def type(self, kind: GraphQLNamedType) -> str:
        match kind:
            case GraphQLScalarType():
                return "" if is_specified_scalar_type(kind) else f"scalar {kind.name}\n"
            case GraphQLEnumType():
                values = (
                    f"{name}{self.topic_access(kind, value)}{deprecated(value)}"
                    for name, value in kind.values.items()
                )
                return block(f"enum {kind.name}", values)
            case GraphQLUnionType():
                members = [each.name for each in kind.types if each.name in self.fields]
                return f"union {kind.name} = {' | '.join(members)}\n"
            case GraphQLInputObjectType():
                return block(
                    f"input {kind.name}", [self.value(name, each) for name, each in kind.fields.items()]
                )
            case GraphQLObjectType() | GraphQLInterfaceType():
                return self.object(kind)
        raise TypeError(kind)

    def object(self, kind: GraphQLObjectType | GraphQLInterfaceType) -> str:
        word = "interface" if isinstance(kind, GraphQLInterfaceType) else "type"
        kept = [each.name for each in kind.interfaces if each.name in self.fields]
        names = self.fields[kind.name].union(*(self.fields[each] for each in kept))
        lines = []
        for name, each in kind.fields.items():
            if name in names:
                given = ", ".join(self.value(arg, value) for arg, value in each.args.items())
                given = f"({given})" if given else ""
                access = self.directive(f"{kind.name}.{name}")
                lines.append(f"{name}{given}: {self.need(each.type)}{access}{deprecated(each)}")
        implements = f" implements {' & '.join(kept)}" if kept else ""
        return block(f"{word} {kind.name}{implements}{self.directive(kind.name)}", lines)

    def value(self, name: str, each: Any) -> str:
        default = ast_from_value(each.default_value, each.type) if has_default(each) else None
        text = "" if default is None else f" = {print_ast(default)}"
        return f"{name}: {self.need(each.type)}{text}{deprecated(each)}"

    def directive(self, place: str) -> str:
        return f" @access(anyOf: {json.dumps(self.access[place])})" if self.access.get(place) else ""

    def topic_access(self, kind: GraphQLEnumType, value: Any) -> str:
        scopes = SCOPE.findall(value.description or "") if kind.name == "WebhookSubscriptionTopic" else []
        return f" @access(anyOf: {json.dumps(sorted(set(scopes)))})" if scopes else ""


def has_default(each: Any) -> bool:
    return type(each.default_value).__name__ != "UndefinedType"


def deprecated(each: Any) -> str:
    return " @deprecated" if getattr(each, "deprecation_reason", None) is not None else ""


def block(head: str, lines: Any) -> str:
    return "\n".join([f"{head} {{", *(f"  {line}" for line in lines), "}\n"])


def required_access(items: list[dict[str, Any]]) -> dict[str, list[str]]:
    """The scopes of which one is required, by `Type` or `Type.field`."""
    return {
        ".".join(filter(None, [each["typeName"], each.get("fieldName")])): each["offlineScopes"]
        for each in items
        if each["offlineScopes"]
    }


def documents() -> list[Document]:
    """Every document that we send, from each of the modules that have such."""
    names = sorted(each.stem for each in Path(shopify.__file__).parent.glob("*documents.py"))
    modules = [import_module(f"{shopify.__name__}.{name}") for name in names]
    return [each for module in modules for each in vars(module).values() if isinstance(each, Document)]


def main(path: str) -> None:
    raw = Path(path).read_bytes()
    given = json.loads(gzip.decompress(raw) if raw.startswith(b"\x1f\x8b") else raw)
    schema = build_client_schema(given["data"])
    covered = (FAKE / "covered.graphql").read_text(encoding="utf-8")
    fields = selected_fields(schema, [covered, *(each.text for each in documents())])
    text = Cut(schema, fields, required_access(given["offline_scopes"]["items"])).run()
    (FAKE / "schema.graphql").write_text(text, encoding="utf-8")
    sys.stdout.write(f"schema.graphql: {len(text)} characters\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
