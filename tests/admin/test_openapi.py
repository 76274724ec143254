"""The OpenAPI document says all that a caller must know, and nothing else."""

from typing import Any

import pytest

from app.base.schemas import Problem
from app.base.web.openapi import PROBLEM_JSON, operations
from tests.support.apps import openapi_document

PREFIX = "/api/v1"
DOCUMENT = openapi_document()
API = [
    pytest.param(operation, id=operation["operationId"])
    for path, methods in DOCUMENT["paths"].items()
    for operation in methods.values()
    if path.startswith(PREFIX)
]


def success_of(operation: dict[str, Any]) -> dict[str, Any]:
    """The one response of an operation that is no error."""
    (found,) = (response for status, response in operation["responses"].items() if status[0] in "23")
    return found


def resolved(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema behind a reference."""
    name = schema.get("$ref", "").rpartition("/")[2]
    return DOCUMENT["components"]["schemas"][name] if name else schema


@pytest.mark.parametrize("operation", API)
def test_every_operation_returns_a_named_shape(operation):
    ((media_type, content),) = success_of(operation)["content"].items()
    if media_type == "text/csv":
        assert content["schema"] == {"type": "string"}
    else:
        assert media_type == "application/json"
        assert content["schema"]["$ref"], "an untyped response"
        shape = resolved(content["schema"])
        # A redeemed code makes one of two rows, which the named shape lists.
        assert all(resolved(each)["properties"] for each in shape.get("anyOf", [shape]))


@pytest.mark.parametrize("operation", API)
def test_every_operation_documents_its_errors_as_problems(operation):
    errors = {status: each for status, each in operation["responses"].items() if status[0] in "45"}
    assert {"401", "403", "503"} <= set(errors)
    for response in errors.values():
        assert response["description"]
        ((media_type, content),) = response["content"].items()
        assert media_type == PROBLEM_JSON
        assert set(Problem.model_fields) <= set(resolved(content["schema"])["properties"])


@pytest.mark.parametrize("operation", API)
def test_every_operation_is_tagged_described_and_secured(operation):
    assert operation["tags"]
    assert operation["description"]
    assert operation["security"] == [{"API key": []}]


@pytest.mark.parametrize("operation", API)
def test_every_operation_of_an_id_documents_404(operation):
    in_path = [each["name"] for each in operation.get("parameters", ()) if each["in"] == "path"]
    if set(in_path) & {"id", "code", "shop"}:
        assert "404" in operation["responses"]


def test_no_response_of_the_program_is_untyped():
    for operation in operations(DOCUMENT):
        for response in operation["responses"].values():
            for media_type, content in response.get("content", {}).items():
                assert content["schema"], (operation["operationId"], media_type)
                assert resolved(content["schema"]).get("type") != "object" or "properties" in resolved(
                    content["schema"]
                ), operation["operationId"]


def test_operation_ids_are_unique_and_readable():
    found = [operation["operationId"] for operation in operations(DOCUMENT)]
    assert len(set(found)) == len(found)
    assert [each for each in found if not each.isidentifier() or "api_v1" in each] == []


def test_every_reference_leads_somewhere_and_the_stock_errors_are_gone():
    schemas = DOCUMENT["components"]["schemas"]
    referred = set(references(DOCUMENT))
    assert referred <= {f"#/components/schemas/{name}" for name in schemas}
    assert "HTTPValidationError" not in schemas
    assert "$defs" not in set(keys(DOCUMENT))


def keys(value: Any):
    """Every key in a JSON value."""
    if isinstance(value, dict):
        yield from value
        for each in value.values():
            yield from keys(each)
    elif isinstance(value, list):
        for each in value:
            yield from keys(each)


def references(value: Any):
    """Every reference in a JSON value."""
    if isinstance(value, dict):
        if isinstance(value.get("$ref"), str):
            yield value["$ref"]
        for each in value.values():
            yield from references(each)
    elif isinstance(value, list):
        for each in value:
            yield from references(each)


def test_writes_document_their_idempotency_key_and_the_programme_its_version():
    for path, methods in DOCUMENT["paths"].items():
        for method, operation in methods.items():
            if not path.startswith(PREFIX) or method == "get" or path.endswith("/validate"):
                continue
            headers = {each["name"] for each in operation["parameters"] if each["in"] == "header"}
            assert "idempotency-key" in {name.lower() for name in headers}, path
    programme = DOCUMENT["paths"][f"{PREFIX}/programme"]["get"]
    assert "ETag" in success_of(programme)["headers"]


def test_a_refused_redemption_has_a_shape_of_its_own():
    responses = DOCUMENT["paths"][f"{PREFIX}/codes/redeem"]["post"]["responses"]
    assert responses["409"]["content"][PROBLEM_JSON]["schema"]["$ref"].endswith("/RedemptionProblem")
    assert responses["422"]["content"][PROBLEM_JSON]["schema"]["$ref"].endswith("/Problem")
