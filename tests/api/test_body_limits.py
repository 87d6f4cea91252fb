"""A body is refused on the stream, before it is in memory."""

from collections.abc import Iterator
from socket import socket
from time import sleep

import pytest

from app.api import protocol
from app.api.protocol import LONGEST_HEAD
from tests.api.service import Service, assert_error, read_response, served, until
from tests.serving.helpers import Counted

JSON = {"Content-Type": "application/json"}
FIFTY_MB = 50_000_000
LIMIT = 16_384


def head(**headers: str) -> bytes:
    lines = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
    return f"POST /recolor HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n{lines}\r\n".encode()


def pieces(size: int) -> Iterator[bytes]:
    for _ in range(size // 50_000):
        yield b"x" * 50_000


def test_a_body_at_the_limit_is_read_and_one_above_is_not(service: Service) -> None:
    body = b'{"intent": "dusk"}'
    fitting = body + b" " * (LIMIT - len(body))
    assert service.client.post("/recolor", content=fitting, headers=JSON).status_code == 200
    response = service.client.post("/recolor", content=fitting + b" ", headers=JSON)
    assert str(LIMIT) in assert_error(response, 413, "too_large")


@pytest.mark.parametrize("chunked", [False, True])
def test_fifty_megabytes_are_413(service: Service, chunked: bool) -> None:
    counted = Counted("recolor_rejected_total", reason="too_large")
    headers = JSON if chunked else JSON | {"Content-Length": str(FIFTY_MB)}
    response = service.client.post("/recolor", content=pieces(FIFTY_MB), headers=headers)
    assert_error(response, 413, "too_large")
    assert counted.growth == 1
    assert service.recolor("dusk").status_code == 200


def test_a_declared_length_is_enough_to_be_refused(service: Service) -> None:
    with service.connect() as connection:
        connection.sendall(head(Content_Length=str(FIFTY_MB)))
        assert_error(read_response(connection), 413, "too_large")


@pytest.mark.parametrize("length", ["9" * 19, "18446744073709551615"])
def test_an_absurd_declared_length_is_refused(service: Service, length: str) -> None:
    with service.connect() as connection:
        connection.sendall(head(Content_Length=length))
        assert_error(read_response(connection), 413, "too_large")


def test_a_chunked_body_is_refused_on_its_way(service: Service) -> None:
    with service.connect() as connection:
        connection.sendall(head(Transfer_Encoding="chunked"))
        for _ in range(5):
            connection.sendall(b"1000\r\n" + b"x" * 0x1000 + b"\r\n")
        # The end of the body was never sent.
        assert_error(read_response(connection), 413, "too_large")


def test_a_client_that_waits_for_leave_to_send_is_spared_the_sending(service: Service) -> None:
    with service.connect() as connection:
        connection.sendall(head(Content_Length=str(FIFTY_MB), Expect="100-continue"))
        assert_error(read_response(connection), 413, "too_large")


def test_more_than_the_declared_length_is_not_read_as_body(service: Service) -> None:
    with service.connect() as connection:
        body = b'{"intent": "dusk"}'
        connection.sendall(head(Content_Length=str(len(body))) + body + b"x" * 100)
        received = receive_all(connection)
    # What follows the body is no request, and is told so in the one shape of every error.
    assert b"HTTP/1.1 400 " in received
    assert b"HTTP/1.1 5" not in received
    assert received.rpartition(b"\r\n\r\n")[2].startswith(b'{"error":{"code":"malformed",')


def test_less_than_the_declared_length_is_waited_for_no_longer_than_a_request_may_take() -> None:
    with served(deadline_seconds=0.2) as service, service.connect() as connection:
        connection.sendall(head(Content_Length="100") + b'{"intent": ')
        assert_error(read_response(connection), 408, "request_timeout")


def test_a_client_that_leaves_while_sending_disturbs_nobody(service: Service) -> None:
    counted = Counted(
        "recolor_request_duration_seconds_count", route="/recolor", status="499", variant="", model="scripted@1"
    )
    with service.connect() as connection:
        connection.sendall(head(Content_Length="100") + b'{"intent": ')
        assert service.recolor("dusk").status_code == 200
    until(lambda: counted.growth == 1)
    assert service.recolor("dusk").status_code == 200


def test_what_is_not_http_gets_the_one_shape(service: Service) -> None:
    with service.connect() as connection:
        connection.sendall(b"EHLO example.org\r\n\r\n")
        assert_error(read_response(connection), 400, "malformed")


@pytest.mark.parametrize(
    "lengths", ["Content-Length: 5\r\nContent-Length: 6", "Content-Length: -1", "Content-Length: x"]
)
def test_lengths_that_cannot_be_are_400(service: Service, lengths: str) -> None:
    with service.connect() as connection:
        connection.sendall(f"POST /recolor HTTP/1.1\r\nHost: x\r\n{lengths}\r\n\r\nhello".encode())
        assert_error(read_response(connection), 400, "malformed")


def test_endless_headers_are_refused(service: Service) -> None:
    start = b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-Long: "
    with service.connect() as connection:
        connection.sendall(start + b"x" * (LONGEST_HEAD + 1 - len(start)))
        assert_error(read_response(connection), 431, "too_large")
    assert service.client.get("/healthz").status_code == 200


@pytest.mark.parametrize("sent", [b"", b"GET /healthz HTTP/1.1\r\nHost:"])
@pytest.mark.parametrize("before", [False, True], ids=["first request", "second request"])
def test_a_head_that_does_not_come_ends_the_connection(
    service: Service, monkeypatch: pytest.MonkeyPatch, sent: bytes, before: bool
) -> None:
    monkeypatch.setattr(protocol, "HEAD_SECONDS", 2)
    with service.connect() as connection:
        if before:
            connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
            assert read_response(connection).status_code == 200
            sent = sent or b"G"  # an idle connection is kept: that is another time-out
        connection.sendall(sent)
        assert receive_all(connection) == b""


def test_an_answer_may_take_longer_than_a_head(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "HEAD_SECONDS", 2)
    with served() as service, service.connect() as connection:
        service.engine.gate.clear()
        service.post_bare(connection, "dusk")
        sleep(3)
        service.engine.gate.set()
        assert read_response(connection).status_code == 200


def receive_all(connection: socket) -> bytes:
    return b"".join(iter(lambda: connection.recv(65_536), b""))
