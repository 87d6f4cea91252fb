"""GET /openapi.json: what the service says of itself is true."""

from collections.abc import Iterator
from typing import Any

import pytest
from fastapi.openapi.models import OpenAPI

from app.api.schemas import ErrorAnswer, RecolorAnswer, RecolorBody
from app.grade import TOOLS
from tests.api.service import Service


@pytest.fixture(scope="module")
def document(service: Service) -> dict[str, Any]:
    response = service.client.get("/openapi.json")
    assert response.status_code == 200
    return response.json()


def references(node: object) -> Iterator[str]:
    if isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"]
        for value in node.values():
            yield from references(value)
    elif isinstance(node, list):
        for value in node:
            yield from references(value)


def resolve(document: dict[str, Any], reference: str) -> Any:
    node: Any = document
    for part in reference.removeprefix("#/").split("/"):
        node = node[part]
    return node


def test_it_is_valid(document: dict[str, Any]) -> None:
    OpenAPI.model_validate(document)
    assert document["info"]["title"] == "Recolor"
    assert document["info"]["description"]


def test_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    found = set(references(document))
    assert found
    for reference in found:
        assert resolve(document, reference)["type"]


def test_it_has_the_routes_of_the_contract(document: dict[str, Any]) -> None:
    routes = {(path, method) for path, operations in document["paths"].items() for method in operations}
    gets = ("/", "/tools", "/models", "/healthz", "/readyz", "/metrics")
    posts = ("/recolor", "/feedback", "/lut", "/xmp", "/render")
    assert routes == {*((path, "post") for path in posts), *((path, "get") for path in gets)}
    assert all(operation["summary"] for path in document["paths"].values() for operation in path.values())


def test_the_example_of_recolor_is_a_request_that_is_answered_as_described(
    service: Service, document: dict[str, Any]
) -> None:
    operation = document["paths"]["/recolor"]["post"]
    request = operation["requestBody"]["content"]["application/json"]["example"]
    RecolorBody.model_validate(request)

    answer = service.recolor(**request).json()
    RecolorAnswer.model_validate(answer)
    example = operation["responses"]["200"]["content"]["application/json"]["example"]
    RecolorAnswer.model_validate(example)
    assert list(answer) == list(example)


def test_the_body_is_described_with_its_limits(document: dict[str, Any]) -> None:
    schema = document["paths"]["/recolor"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert schema["required"] == ["intent"]
    assert schema["additionalProperties"] is False
    assert (schema["properties"]["intent"]["minLength"], schema["properties"]["intent"]["maxLength"]) == (1, 200)
    tools = next(option for option in schema["properties"]["tools"]["anyOf"] if option["type"] == "array")
    assert tools["items"]["enum"] == list(TOOLS)
    assert tools["minItems"] == 1


@pytest.mark.parametrize("path", ["/recolor", "/lut", "/xmp", "/render"])
def test_errors_are_described_in_their_one_shape(document: dict[str, Any], path: str) -> None:
    responses = document["paths"][path]["post"]["responses"]
    assert responses.keys() == {"200", "400", "401", "408", "413", "415", "422", "429", "503"}
    for status, response in responses.items():
        assert {"X-Request-ID", "Server-Timing"} <= response["headers"].keys()
        assert ("Retry-After" in response["headers"]) is (status in {"429", "503"})
        if status != "200":
            content = response["content"]["application/json"]
            assert content["schema"] == {"$ref": f"#/components/schemas/{ErrorAnswer.__name__}"}
            assert content["example"]["error"]["message"] == response["description"]


def test_an_error_may_have_a_trace(document: dict[str, Any]) -> None:
    problem = document["components"]["schemas"]["Problem"]
    assert problem["properties"].keys() - set(problem["required"]) == {"trace_id"}


@pytest.mark.parametrize("path", ["/lut", "/xmp", "/render"])
def test_a_look_is_described_as_an_intent_or_a_grade(document: dict[str, Any], path: str) -> None:
    (content,) = document["paths"][path]["post"]["requestBody"]["content"].values()
    schema = content["schema"]
    assert schema["oneOf"] == [{"required": ["intent"]}, {"required": ["grade"]}]
    grade = next(option for option in schema["properties"]["grade"]["anyOf"] if option["type"] == "object")
    assert grade["properties"].keys() == TOOLS.keys()
    adjust = next(option for option in grade["properties"]["adjust"]["anyOf"] if option["type"] == "object")
    assert adjust["properties"]["exposure"]["minimum"] == -100


@pytest.mark.parametrize("path", ["/lut", "/xmp"])
def test_the_examples_of_exports_are_answered_as_described(
    service: Service, document: dict[str, Any], path: str
) -> None:
    operation = document["paths"][path]["post"]
    answered = service.client.post(path, json=operation["requestBody"]["content"]["application/json"]["example"])
    assert answered.status_code == 200
    described = operation["responses"]["200"]
    assert answered.headers["content-type"].partition(";")[0] in described["content"]
    assert "X-Recolor-Spatial" in described["headers"]


def test_a_photo_is_described_as_a_form_with_a_file(document: dict[str, Any]) -> None:
    operation = document["paths"]["/render"]["post"]
    schema = operation["requestBody"]["content"]["multipart/form-data"]["schema"]
    assert schema["required"] == ["image"]
    assert schema["properties"]["image"]["format"] == "binary"
    assert {"intent", "grade", "strength", "format"} < schema["properties"].keys()
    assert "image/jpeg" in operation["responses"]["200"]["content"]


def test_only_the_page_and_the_probes_say_that_they_need_no_key(document: dict[str, Any]) -> None:
    assert document["security"] == [{"key": []}, {}]
    open_paths = {
        path for path, operations in document["paths"].items() if operations.get("get", {}).get("security") == []
    }
    assert open_paths == {"/", "/healthz", "/readyz"}
