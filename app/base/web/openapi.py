"""What OpenAPI cannot read from a signature: errors, and what routes parse by hand."""

import copy
import json
from collections.abc import Iterator, Mapping
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute
from pydantic import BaseModel

from app.base.schemas import Problem

JSON = "application/json"
PROBLEM_JSON = "application/problem+json"
_REFERENCE = "#/components/schemas/{model}"
_WHEN = {
    400: "The body cannot be read.",
    401: "The API key or the signature is missing or wrong.",
    403: "The API key lacks the scope.",
    404: "Nothing is there, or not for this caller.",
    409: "The present state does not allow it.",
    410: "The person was erased.",
    412: "It was changed meanwhile: the `If-Match` given is not its `ETag`.",
    413: "The body is too large.",
    422: "The request cannot be used; `detail` says why.",
    429: "Too many unknown links or codes were tried; try again after `Retry-After` seconds.",
    503: "Nothing can be stored right now; try again after `Retry-After` seconds.",
}
_RETRY_AFTER = {"Retry-After": {"description": "Seconds.", "schema": {"type": "integer"}}}
_STOCK = ("HTTPValidationError", "ValidationError")


def problems(
    *statuses: int, models: Mapping[int, type[Problem]] | None = None
) -> dict[int | str, dict[str, Any]]:
    """The `responses=` of a route that returns problems of these statuses.

    `models` replaces `Problem` for some of them.
    """
    documented: dict[int | str, dict[str, Any]] = {}
    for status in statuses:
        documented[status] = {"model": (models or {}).get(status, Problem), "description": _WHEN[status]}
        if status in {429, 503}:
            documented[status]["headers"] = _RETRY_AFTER
    return documented


def error_pages(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The `responses=` of a page that shows an error as a page."""
    content = {"text/html": {"schema": {"type": "string"}}}
    return {status: {"description": _WHEN[status], "content": content} for status in statuses}


def request_body(
    model: type[BaseModel],
    *,
    required: bool = True,
    media_type: str = JSON,
    examples: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """The `openapi_extra=` of a route that parses its body by hand.

    Its references hold once `install_openapi` has moved the model into the components.
    """
    schema = model.model_json_schema(ref_template=_REFERENCE)
    return request_schema(
        {"$ref": _REFERENCE.format(model=model.__name__), "$defs": {model.__name__: schema}},
        required=required,
        media_type=media_type,
        examples=examples,
    )


def request_schema(
    schema: Mapping[str, Any],
    *,
    required: bool = True,
    media_type: str = JSON,
    examples: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """As `request_body`, of a JSON schema."""
    content: dict[str, Any] = {"schema": dict(schema)}
    if examples:
        content["examples"] = {name: {"value": value} for name, value in examples.items()}
    return {"requestBody": {"required": required, "content": {media_type: content}}}


def request_headers(described: Mapping[str, str], *, required: bool = True) -> dict[str, Any]:
    """The `openapi_extra=` of a route that reads headers by hand: descriptions by name."""
    return {
        "parameters": [
            {
                "name": name,
                "in": "header",
                "required": required,
                "description": description,
                "schema": {"type": "string"},
            }
            for name, description in described.items()
        ]
    }


def response_header(name: str, description: str, status: int = 200) -> dict[int | str, dict[str, Any]]:
    """The `responses=` of a route whose response has a header."""
    return {status: {"headers": {name: {"description": description, "schema": {"type": "string"}}}}}


def operation_id(route: APIRoute) -> str:
    """The route's name, which is unique in the application: what a generated client calls it."""
    return route.name


def install_openapi(app: FastAPI) -> None:
    """Let `app.openapi()` document errors as problem+json, and each model once."""

    def build() -> dict[str, Any]:
        if app.openapi_schema is None:
            document = get_openapi(
                title=app.title,
                version=app.version,
                description=app.description,
                routes=app.routes,
                tags=app.openapi_tags,
                # One shape for what is read and what is put back, as with the programme.
                separate_input_output_schemas=False,
            )
            app.openapi_schema = _completed(copy.deepcopy(document))
        return app.openapi_schema

    app.openapi = build  # type: ignore[method-assign]  # FastAPI's documented way


def _completed(document: dict[str, Any]) -> dict[str, Any]:
    components = document["components"]["schemas"]
    for operation in operations(document):
        for status, response in operation["responses"].items():
            if status[0] in "45":
                _use_problem(status, response)
        for content in operation.get("requestBody", {}).get("content", {}).values():
            for name, schema in content["schema"].pop("$defs", {}).items():
                components.update(schema.pop("$defs", {}))
                components[name] = schema
    for name in _STOCK:
        components.pop(name, None)
    for component in components.values():
        for schema in component.get("properties", {}).values():
            _describe_default(schema)
    return document


def _describe_default(schema: dict[str, Any]) -> None:
    """Move a default that is an object into the description: generators of clients refuse it."""
    if isinstance(schema.get("default"), dict):
        default = f"Default: `{json.dumps(schema.pop('default'))}`."
        schema["description"] = f"{schema['description']} {default}" if "description" in schema else default


def operations(document: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Every operation of an OpenAPI document."""
    for methods in document["paths"].values():
        yield from methods.values()


def _use_problem(status: str, response: dict[str, Any]) -> None:
    """Errors of a model have the media type of problems, whatever the route returns else."""
    for content in list(response.get("content", {}).values()):
        reference = content["schema"].get("$ref", "")
        if not reference:
            continue
        if reference.endswith("/HTTPValidationError"):
            reference = _REFERENCE.format(model=Problem.__name__)
            response["description"] = _WHEN[int(status)]
        response["content"] = {PROBLEM_JSON: {"schema": {"$ref": reference}}}
