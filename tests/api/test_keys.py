"""Keys: bearer tokens; only the probes need none."""

from collections.abc import Iterator

import pytest

from tests.api.service import Service, assert_error, served
from tests.serving.helpers import Counted

FIRST, SECOND = "first-key", "zweiter-schlüssel"


@pytest.fixture(scope="module")
def locked() -> Iterator[Service]:
    with served(api_keys=f"{FIRST}, {SECOND}") as service:
        yield service


def bearer(key: str) -> dict[bytes, bytes]:
    return {b"Authorization": b"Bearer " + key.encode()}


@pytest.mark.parametrize("key", [FIRST, SECOND])
def test_every_key_opens(locked: Service, key: str) -> None:
    assert locked.client.get("/tools", headers=bearer(key)).status_code == 200


def test_the_scheme_is_written_in_any_case(locked: Service) -> None:
    assert locked.client.get("/tools", headers={"Authorization": f"bEARER  {FIRST}"}).status_code == 200


@pytest.mark.parametrize(
    "authorization",
    [
        "",
        "Bearer",
        "Bearer wrong",
        f"Bearer {FIRST}x",
        f"Bearer {FIRST[:-1]}",
        f"Bearer {FIRST},{FIRST}",
        f"Bearer {FIRST.upper()}",
        FIRST,
        f"Basic {FIRST}",
        f"Token {FIRST}",
        "Bearer " + "x" * 10_000,
    ],
)
def test_no_key_and_wrong_keys_are_401(locked: Service, authorization: str) -> None:
    counted = Counted("recolor_rejected_total", reason="unauthorized")
    headers = {"Authorization": authorization} if authorization else {}
    response = locked.client.get("/tools", headers=headers)
    assert_error(response, 401, "unauthorized")
    assert response.headers["www-authenticate"] == "Bearer"
    assert counted.growth == 1


@pytest.mark.parametrize("path", ["/recolor", "/tools", "/models", "/metrics", "/openapi.json", "/nothing"])
def test_everything_else_needs_a_key(locked: Service, path: str) -> None:
    assert_error(locked.client.get(path), 401, "unauthorized")


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_probes_need_no_key(locked: Service, path: str) -> None:
    assert locked.client.get(path).status_code == 200


@pytest.mark.parametrize("path", ["//healthz", "/healthz/", "/healthz/../recolor", "/healthz%2f..%2frecolor"])
def test_only_the_very_paths_of_the_probes_are_open(locked: Service, path: str) -> None:
    with locked.connect() as connection:
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        assert b" 401 " in connection.recv(65_536)


def test_a_key_is_asked_for_before_the_body(locked: Service) -> None:
    with locked.connect() as connection:
        connection.sendall(b"POST /recolor HTTP/1.1\r\nHost: x\r\nContent-Length: 50000000\r\n\r\n")
        assert b" 401 " in connection.recv(65_536)


def test_with_a_key_a_look_is_answered(locked: Service) -> None:
    response = locked.recolor("dusk", headers={"Authorization": f"Bearer {FIRST}"})
    assert response.status_code == 200


def test_without_keys_no_key_is_asked_for(service: Service) -> None:
    assert service.recolor("dusk").status_code == 200
    assert service.recolor("dusk", headers={"Authorization": "Bearer whatever"}).status_code == 200
