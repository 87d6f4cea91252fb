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


def test_errors_are_described_in_their_one_shape(document: dict[str, Any]) -> None:
    responses = document["paths"]["/recolor"]["post"]["responses"]
    assert responses.keys() == {"200", "400", "401", "408", "413", "415", "422", "429", "503"}
    for status, response in responses.items():
        reference = response["content"]["application/json"]["schema"]["$ref"]
        assert (reference == f"#/components/schemas/{ErrorAnswer.__name__}") is (status != "200")
        assert {"X-Request-ID", "Server-Timing"} <= response["headers"].keys()
        assert ("Retry-After" in response["headers"]) is (status in {"429", "503"})


def test_only_the_page_and_the_probes_say_that_they_need_no_key(document: dict[str, Any]) -> None:
    assert document["security"] == [{"key": []}, {}]
    open_paths = {
        path for path, operations in document["paths"].items() if operations.get("get", {}).get("security") == []
    }
    assert open_paths == {"/", "/healthz", "/readyz"}
