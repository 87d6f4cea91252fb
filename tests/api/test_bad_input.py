"""Bad input gets a clear 4xx, never a 500, and the service goes on."""

import json

import pytest

from tests.api.service import Service, assert_error

JSON = {"Content-Type": "application/json"}


@pytest.fixture(autouse=True)
def _goes_on(service: Service):
    yield
    assert service.recolor("golden hour").status_code == 200


@pytest.mark.parametrize(
    "intent",
    [
        "",
        "   \n\t ",
        "x" * 201,
        "x" * 10_000,
        "a" + " " * 199 + "b",
        "a\x00b",
        "\x1b[31mred",
        "bell\x07",
        "\x7f",
        "\x85golden hour",
        "\u200b\u2060",
        "\x1cgolden hour",
        "\ud800",
        "golden \udfff hour",
        None,
        5,
        1.5,
        True,
        ["golden hour"],
        {"text": "golden hour"},
    ],
    ids=lambda intent: ascii(intent)[:24],
)
def test_an_intent_that_is_none_is_named(service: Service, intent: object) -> None:
    assert assert_error(service.recolor(intent), 422, "invalid_field").startswith("intent: ")


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"project_id": "p" * 129}, "project_id: "),
        ({"project_id": 7}, "project_id: "),
        ({"project_id": "a\x00b"}, "project_id: "),
        ({"user_id": "u" * 129}, "user_id: "),
        ({"user_id": ["u"]}, "user_id: "),
        ({"user_id": "\ud800"}, "user_id: "),
        ({"tools": []}, "tools: "),
        ({"tools": "adjust"}, "tools: "),
        ({"tools": {"adjust": True}}, "tools: "),
        ({"tools": ["adjust", "adjust"]}, "tools: "),
        ({"tools": ["adjust", "blur"]}, "tools.1: "),
        ({"tools": [1]}, "tools.0: "),
        ({"tools": ["\ud800"]}, "tools.0: "),
        ({"colour": "red"}, "colour: "),
        ({"Intent": "dusk"}, "Intent: "),
        ({"x" * 5000: 1}, "xxxx"),
        ({"ctrl\x1b[31m": 1}, "ctrl"),
        ({"\ud800": 1}, ""),
    ],
    ids=lambda value: ascii(value)[:32],
)
def test_a_wrong_field_is_named(service: Service, fields: dict[str, object], named: str) -> None:
    message = assert_error(service.recolor("dusk", **fields), 422, "invalid_field")
    assert message.startswith(named)
    assert message.isprintable()
    assert len(message) < 300


def test_every_wrong_field_is_named(service: Service) -> None:
    message = assert_error(service.recolor("", tools=[], user_id=1), 422, "invalid_field")
    assert all(f"{field}: " in message for field in ("intent", "tools", "user_id"))


def test_a_missing_intent_is_named(service: Service) -> None:
    response = service.client.post("/recolor", content="{}", headers=JSON)
    assert assert_error(response, 422, "invalid_field").startswith("intent: ")


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "empty"),
        (b" \n", "empty"),
        (b'{"intent": "dusk"', "line 1"),
        (b"{'intent': 'dusk'}", "line 1"),
        (b'{"intent": "dusk"} {}', "Extra data"),
        (b'{"intent": "dusk",}', "line 1"),
        (b"intent=dusk", "line 1"),
        (b'{"intent": "a\nb"}', "control character"),
        (b'{"intent": NaN}', "NaN"),
        (b'{"intent": -Infinity}', "Infinity"),
        (b'{"intent": "a", "intent": "b"}', "twice"),
        (b'{"intent": "a", "intent": "a"}', "twice"),
        (b'{"intent": ' + b"[" * 8000 + b"]" * 8000 + b"}", "nested"),
        (b"[" * 16000, "nested"),
        (b'{"intent": ' + b"9" * 10_000 + b"}", "number"),
        (b'{"intent": "\xff\xfe"}', "UTF-8"),
        (b'{"intent": "\xed\xa0\x80"}', "UTF-8"),
        (b'\xef\xbb\xbf{"intent": "dusk"}', "byte order mark"),
        ('{"intent": "dusk"}'.encode("utf-16"), "UTF-8"),
        ('{"intent": "dusk"}'.encode("utf-16-le"), "line 1"),
        (b"\x00" * 100, "line 1"),
    ],
    ids=lambda value: ascii(value)[:24],
)
def test_what_is_not_json_is_400(service: Service, body: bytes, said: str) -> None:
    message = assert_error(service.client.post("/recolor", content=body, headers=JSON), 400, "malformed")
    assert said in message


@pytest.mark.parametrize("value", ["[]", '["golden hour"]', '"golden hour"', "null", "true", "5", "1e400", "-0"])
def test_json_that_is_no_object_is_422(service: Service, value: str) -> None:
    response = service.client.post("/recolor", content=value, headers=JSON)
    assert assert_error(response, 422, "invalid_field").startswith("body: ")


@pytest.mark.parametrize("number", ["1e400", "-1e400", "9" * 4000, "0." + "1" * 4000])
def test_huge_numbers_are_wrong_fields(service: Service, number: str) -> None:
    body = f'{{"intent": "dusk", "project_id": {number}}}'
    response = service.client.post("/recolor", content=body, headers=JSON)
    assert assert_error(response, 422, "invalid_field").startswith("project_id: ")


def test_values_are_not_repeated_in_errors(service: Service) -> None:
    response = service.recolor("a secret wish\x00", user_id=31337, project_id={"hidden": "thing"})
    assert_error(response, 422, "invalid_field")
    assert not any(value in response.text for value in ("secret", "31337", "thing"))


@pytest.mark.parametrize(
    "content_type",
    [
        "application/x-www-form-urlencoded",
        "text/plain",
        "text/json",
        "application/jsonp",
        "application/problem+json",
        "multipart/form-data; boundary=x",
        "",
    ],
)
def test_another_content_type_is_415_and_the_header_is_named(service: Service, content_type: str) -> None:
    headers = {"Content-Type": content_type} if content_type else {}
    response = service.client.post("/recolor", content=b'{"intent": "dusk"}', headers=headers)
    assert "Content-Type: application/json" in assert_error(response, 415, "unsupported_media_type")


def test_a_compressed_body_is_415(service: Service) -> None:
    response = service.client.post("/recolor", content=b"\x1f\x8b", headers=JSON | {"Content-Encoding": "gzip"})
    assert "Content-Encoding" in assert_error(response, 415, "unsupported_media_type")


def test_a_thousand_wrong_fields_get_a_short_answer(service: Service) -> None:
    body = json.dumps({"intent": "dusk"} | {f"f{i}": i for i in range(1000)})
    message = assert_error(service.client.post("/recolor", content=body, headers=JSON), 422, "invalid_field")
    assert len(message) < 500
