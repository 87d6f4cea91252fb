"""POST /feedback: what is taken, what is refused. What becomes of it is tested in tests/events."""

from typing import Any

import httpx
import pytest

from app.grade import TOOLS
from tests.api.service import Service, assert_error


def post(service: Service, **fields: Any) -> httpx.Response:
    return service.client.post("/feedback", json={"request_id": "r1", "event": "exported", **fields})


@pytest.mark.parametrize("event", ["exported", "discarded"])
def test_feedback_is_accepted_before_its_request_is_known(service: Service, event: str) -> None:
    response = post(service, request_id="never-seen", event=event)
    assert response.status_code == 202
    assert response.headers["content-type"] == "application/json"
    assert response.json() == {"request_id": "never-seen", "event": event}


def test_saying_it_again_is_answered_the_same(service: Service) -> None:
    first, second = post(service), post(service)
    assert (first.status_code, first.content) == (second.status_code, second.content) == (202, first.content)


@pytest.mark.parametrize(
    "fields",
    [
        {"tools": list(TOOLS)},
        {"tools": ["filter"]},
        {"tools": []},
        {"tools": None},
        {"project_id": "p" * 128, "user_id": "ü" * 128},
        {"project_id": None, "user_id": None},
        {"request_id": "r" * 128},
    ],
)
def test_what_it_may_say(service: Service, fields: dict[str, Any]) -> None:
    assert post(service, **fields).status_code == 202


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"event": "liked"}, "event"),
        ({"event": None}, "event"),
        ({"tools": ["sharpener"]}, "tools"),
        ({"tools": ["filter", "filter"]}, "tools"),
        ({"tools": "filter"}, "tools"),
        ({"request_id": ""}, "request_id"),
        ({"request_id": "r" * 129}, "request_id"),
        ({"request_id": 7}, "request_id"),
        ({"request_id": "a\nb"}, "request_id"),
        ({"project_id": "p" * 129}, "project_id"),
        ({"user_id": "u\x00"}, "user_id"),
        ({"stars": 5}, "stars"),
    ],
)
def test_a_wrong_field_is_named(service: Service, fields: dict[str, Any], named: str) -> None:
    assert named in assert_error(post(service, **fields), 422, "invalid_field")


@pytest.mark.parametrize("missing", ["request_id", "event"])
def test_a_missing_field_is_named(service: Service, missing: str) -> None:
    body = {"request_id": "r1", "event": "exported"}
    del body[missing]
    assert missing in assert_error(service.client.post("/feedback", json=body), 422, "invalid_field")


def test_what_is_no_json_is_refused(service: Service) -> None:
    assert_error(service.client.post("/feedback", data={"event": "exported"}), 415, "unsupported_media_type")
    headers = {"Content-Type": "application/json"}
    assert_error(service.client.post("/feedback", content="{", headers=headers), 400, "malformed")
    assert_error(service.client.get("/feedback"), 405, "method_not_allowed")


def test_it_is_described(service: Service) -> None:
    operation = service.client.get("/openapi.json").json()["paths"]["/feedback"]["post"]
    assert operation["responses"].keys() == {"202", "400", "401", "408", "413", "415", "422", "429", "503"}
    example = operation["requestBody"]["content"]["application/json"]["example"]
    answer = service.client.post("/feedback", json=example)
    assert answer.json() == operation["responses"]["202"]["content"]["application/json"]["example"]
    schema = operation["requestBody"]["content"]["application/json"]["schema"]
    assert schema["required"] == ["request_id", "event"]
    assert schema["properties"]["event"]["enum"] == ["exported", "discarded"]
