"""The OpenAPI document says all that a caller must know, and nothing else."""

from typing import Any

from app.base.schemas import Problem
from app.base.web.openapi import PROBLEM_JSON, operations
from tests.support.apps import openapi_document

PREFIX = "/api/v1"


def operations_of_the_api() -> list[tuple[str, dict[str, Any]]]:
    """Each operation with its id, to be named where something is wrong with it."""
    paths = openapi_document()["paths"].items()
    of_the_api = [methods for path, methods in paths if path.startswith(PREFIX)]
    found = [(each["operationId"], each) for methods in of_the_api for each in methods.values()]
    assert len(found) >= 100
    return found


def success_of(operation: dict[str, Any]) -> dict[str, Any]:
    """The one response of an operation that is no error."""
    (found,) = (response for status, response in operation["responses"].items() if status[0] in "23")
    return found


def resolved(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema behind a reference."""
    name = schema.get("$ref", "").rpartition("/")[2]
    return openapi_document()["components"]["schemas"][name] if name else schema


def test_every_operation_returns_a_named_shape():
    for name, operation in operations_of_the_api():
        ((media_type, content),) = success_of(operation)["content"].items()
        if media_type in ("text/csv", "application/jsonl"):
            assert content["schema"] == {"type": "string"}, name
        else:
            assert media_type == "application/json", name
            assert content["schema"].get("$ref"), f"{name}: an untyped response"
            shape = resolved(content["schema"])
            # A redeemed code makes one of two rows, which the named shape lists.
            assert all(resolved(each)["properties"] for each in shape.get("anyOf", [shape])), name


def test_every_operation_documents_its_errors_as_problems():
    for name, operation in operations_of_the_api():
        errors = {status: each for status, each in operation["responses"].items() if status[0] in "45"}
        assert {"401", "403", "503"} <= set(errors), name
        for response in errors.values():
            assert response["description"], name
            ((media_type, content),) = response["content"].items()
            assert media_type == PROBLEM_JSON, name
            assert set(Problem.model_fields) <= set(resolved(content["schema"])["properties"]), name


def test_every_operation_is_tagged_described_and_secured():
    for name, operation in operations_of_the_api():
        assert operation["tags"], name
        assert operation["description"], name
        assert operation["security"] == [{"API key": []}], name


def test_every_operation_of_an_id_documents_404():
    ids = {
        name: operation
        for name, operation in operations_of_the_api()
        if {each["name"] for each in operation.get("parameters", ()) if each["in"] == "path"}
        & {"id", "code", "shop"}
    }
    assert len(ids) > 5
    assert [name for name, operation in ids.items() if "404" not in operation["responses"]] == []


def test_no_response_of_the_program_is_untyped():
    for operation in operations(openapi_document()):
        for response in operation["responses"].values():
            for media_type, content in response.get("content", {}).items():
                assert content["schema"], (operation["operationId"], media_type)
                assert resolved(content["schema"]).get("type") != "object" or "properties" in resolved(
                    content["schema"]
                ), operation["operationId"]


def test_operation_ids_are_unique_and_readable():
    found = [operation["operationId"] for operation in operations(openapi_document())]
    assert len(set(found)) == len(found)
    assert [each for each in found if not each.isidentifier() or "api_v1" in each] == []


def test_every_reference_leads_somewhere_and_the_stock_errors_are_gone():
    schemas = openapi_document()["components"]["schemas"]
    referred = set(references(openapi_document()))
    assert referred <= {f"#/components/schemas/{name}" for name in schemas}
    assert "HTTPValidationError" not in schemas
    assert "$defs" not in set(keys(openapi_document()))


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
    for path, methods in openapi_document()["paths"].items():
        for method, operation in methods.items():
            if not path.startswith(PREFIX) or method == "get" or path.endswith(("/validate", "/preview")):
                continue
            headers = {each["name"] for each in operation["parameters"] if each["in"] == "header"}
            assert "idempotency-key" in {name.lower() for name in headers}, path
    programme = openapi_document()["paths"][f"{PREFIX}/programme"]["get"]
    assert "ETag" in success_of(programme)["headers"]


def test_a_refused_redemption_has_a_shape_of_its_own():
    responses = openapi_document()["paths"][f"{PREFIX}/codes/redeem"]["post"]["responses"]
    assert responses["409"]["content"][PROBLEM_JSON]["schema"]["$ref"].endswith("/RedemptionProblem")
    assert responses["422"]["content"][PROBLEM_JSON]["schema"]["$ref"].endswith("/Problem")
