"""Every answer can be named, and says where its time went."""

import re

import pytest

from tests.api.service import Service


@pytest.mark.parametrize("given", ["a", "5f2b8c1d-e0a9.4c7f_Z", "x" * 64])
def test_a_sane_request_id_is_kept(service: Service, given: str) -> None:
    response = service.recolor("dusk", headers={"X-Request-ID": given})
    assert response.headers["x-request-id"] == given
    assert response.json()["request_id"] == given


@pytest.mark.parametrize("given", ["", "x" * 65, "a b", "a/b", "{}", "a;b", "ü", 'a"b', "a\tb"])
def test_any_other_is_replaced(service: Service, given: str) -> None:
    response = service.recolor("dusk", headers={"X-Request-ID": given.encode()})
    assert re.fullmatch("[0-9a-f]{32}", response.headers["x-request-id"])
    assert response.json()["request_id"] == response.headers["x-request-id"]


def test_each_request_has_its_own(service: Service) -> None:
    ids = {service.recolor("dusk").headers["x-request-id"] for _ in range(20)}
    assert len(ids) == 20


def test_errors_keep_it_too(service: Service) -> None:
    response = service.client.get("/nothing", headers={"X-Request-ID": "mine"})
    assert response.json()["error"]["request_id"] == response.headers["x-request-id"] == "mine"


@pytest.mark.parametrize("path", ["/healthz", "/tools", "/metrics", "/nothing", "/recolor"])
def test_every_answer_says_how_long_it_took(service: Service, path: str) -> None:
    response = service.client.get(path)
    assert response.headers["x-request-id"]
    assert re.fullmatch(r"total;dur=\d+\.\d", response.headers["server-timing"])


def test_an_answer_names_its_stages(service: Service) -> None:
    timing = service.recolor("never asked before").headers["server-timing"]
    assert re.fullmatch(r"total;dur=[\d.]+(, \w+;dur=[\d.]+)+", timing)
    assert "generate;dur=" in timing
