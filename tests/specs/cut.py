"""Cuts the vendors' OpenAPI documents down to the operations that this project calls, for the
strict fakes of the tests, and JSON Schemas down to the definitions of what it is sent.

    uv run python tests/specs/cut.py tsg_mail_v3.json twilio_api_v2010.json

Each argument is a document as it is published; `README.md` beside this file lists where they are. A
cut document keeps the vendor's `info` (with the licence) or a schema's `source`, and all that
validation reads: parameters, bodies, responses, and the components they refer to. Descriptions,
examples and vendor extensions are dropped."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
OPERATIONS = {
    "Twilio SendGrid Mail API": ("sendgrid_mail_send.json", "/v3/mail/send", "post"),
    "Twilio - Api": ("twilio_messages.json", "/2010-04-01/Accounts/{AccountSid}/Messages.json", "post"),
}
"""By the document's title: the file to write, and the one operation that is called."""
DEFINITIONS = {
    "WooCommerce REST API v3: coupons, orders, refunds, webhooks (facts)": (
        "woocommerce_order.json",
        "order",
        "app/demo/fakes/woocommerce/schema.json",
    ),
}
"""By the title of a JSON Schema: the file to write, the definition of what is sent to us, and the
file of all that is called, for the fake."""
PROSE = {"description", "summary", "example", "examples", "externalDocs", "tags", "title"}
MAPS = {"properties", "patternProperties", "responses", "headers", "securitySchemes"}


def cut(document: dict[str, Any], path: str, method: str) -> dict[str, Any]:
    """Return the document with this operation alone.

    Raises `KeyError` where it does not have the operation.
    """
    whole = document["paths"][path]
    shared = {"parameters": whole["parameters"]} if "parameters" in whole else {}
    operation = without_prose({**shared, method: whole[method]})
    schemes = without_prose(document["components"]["securitySchemes"], "securitySchemes")
    components: dict[str, dict[str, Any]] = {"securitySchemes": schemes}
    waiting = list(references(operation))
    while waiting:
        _, _, kind, name = waiting.pop().split("/")
        if name not in components.setdefault(kind, {}):
            component = without_prose(document["components"][kind][name], f"one of {kind}")
            components[kind][name] = component
            waiting.extend(references(component))
    return {
        "openapi": document["openapi"],
        "info": document["info"],
        "paths": {path: operation},
        "components": {kind: dict(sorted(named.items())) for kind, named in sorted(components.items())},
        "security": document.get("security", []),
    }


def cut_schema(document: dict[str, Any], name: str) -> dict[str, Any]:
    """Return a schema of this definition, with those it refers to. Raises `KeyError` for none."""
    definitions: dict[str, Any] = {}
    waiting = [f"#/definitions/{name}"]
    while waiting:
        wanted = waiting.pop().rpartition("/")[2]
        if wanted not in definitions:
            definitions[wanted] = without_prose(document["definitions"][wanted], "one of definitions")
            waiting.extend(references(definitions[wanted]))
    return {
        "$schema": document["$schema"],
        "source": {each: document["source"][each] for each in ("repository", "paths")},
        "$ref": f"#/definitions/{name}",
        "definitions": dict(sorted(definitions.items())),
    }


def cut_calls(document: dict[str, Any]) -> dict[str, Any]:
    """Return all definitions, and the parameters of the lists, for a fake that is called."""
    return {
        "$schema": document["$schema"],
        "source": {each: document["source"][each] for each in ("repository", "paths", "licence")},
        "definitions": without_prose(document["definitions"], "properties"),
        "collections": without_prose(document["collections"], "properties"),
    }


def without_prose(node: Any, parent: str = "") -> Any:
    """Return a copy without prose and extensions; `parent` is the key that the node has in its own
    parent.

    The keys below `MAPS` are names and are all kept. OpenAPI requires a response's description: it
    stays, empty."""
    if isinstance(node, list):
        return [without_prose(each) for each in node]
    if not isinstance(node, dict):
        return node
    if parent in MAPS:
        return {name: without_prose(value, f"one of {parent}") for name, value in node.items()}
    kept = {
        key: without_prose(value, key)
        for key, value in node.items()
        if not (key in PROSE or key.startswith("x-"))
    }
    return {"description": "", **kept} if parent == "one of responses" and "$ref" not in kept else kept


def references(node: Any) -> Iterator[str]:
    """Yield every `$ref` below the node."""
    if isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"]
        for value in node.values():
            yield from references(value)
    elif isinstance(node, list):
        for each in node:
            yield from references(each)


def main(paths: list[str]) -> None:
    """Cut each document and write it beside this file."""
    for path in paths:
        document = json.loads(Path(path).read_text(encoding="utf-8"))
        if "definitions" in document:
            name, definition, called = DEFINITIONS[document["title"]]
            made = cut_schema(document, definition)
            text = json.dumps(cut_calls(document), ensure_ascii=False, separators=(",", ":"))
            (HERE.parents[1] / called).write_text(text.replace('},"', '},\n"') + "\n", encoding="utf-8")
        else:
            name, operation, method = OPERATIONS[document["info"]["title"]]
            made = cut(document, operation, method)
        text = json.dumps(made, indent=1, ensure_ascii=False)
        (HERE / name).write_text(text + "\n", encoding="utf-8")
        sys.stdout.write(f"{name}: {len(text)} characters\n")


if __name__ == "__main__":
    main(sys.argv[1:])
