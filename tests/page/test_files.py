"""GET /, GET /page/…: the page's files."""

import re

import httpx
import pytest

from app.api.routes.playground import FOLDER, page_files
from tests.api.service import Service, assert_error, served

FILES = sorted(page_files())


def test_the_page_is_at_the_root(service: Service) -> None:
    response = service.client.get("/")
    assert response.status_code == 200
    assert response.headers["content-type"] == "text/html; charset=utf-8"
    assert response.text.startswith("<!doctype html>")


@pytest.mark.parametrize("name", FILES)
def test_every_file_is_served_with_its_type_and_cannot_be_taken_for_another(service: Service, name: str) -> None:
    response = service.client.get(f"/page/{name}")
    assert response.status_code == 200
    assert response.content == (FOLDER / name).read_bytes()
    kinds = {
        "html": "text/html",
        "css": "text/css",
        "js": "text/javascript",
        "svg": "image/svg+xml",
        "jpg": "image/jpeg",
    }
    assert response.headers["content-type"].startswith(kinds[name.rpartition(".")[2]])
    assert response.headers["x-content-type-options"] == "nosniff"


def test_a_file_that_is_known_is_not_sent_again(service: Service) -> None:
    first = service.client.get("/page/main.js")
    again = service.client.get("/page/main.js", headers={"If-None-Match": f'"old", W/{first.headers["etag"]}'})
    changed = service.client.get("/page/main.js", headers={"If-None-Match": '"old"'})
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["etag"] == first.headers["etag"]
    assert first.headers["cache-control"] == "no-cache"
    assert changed.status_code == 200


def test_the_policy_allows_no_other_host_and_no_script_inside_the_page(service: Service) -> None:
    rules = service.client.get("/").headers["content-security-policy"].split("; ")
    policy = {name: values for name, *values in (rule.split() for rule in rules)}
    assert policy["default-src"] == ["'none'"]
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == ["'self'"]
    assert {value for values in policy.values() for value in values} == {"'none'", "'self'", "blob:"}


@pytest.mark.parametrize("path", ["/page/", "/page/none.js", "/page/../app.py", "/page/%2e%2e/app.py", "/page/samples"])
def test_nothing_else_is_served(service: Service, path: str) -> None:
    request = httpx.Request("GET", f"http://127.0.0.1:{service.port}{path}")
    assert_error(service.client.send(request), 404, "not_found")


def test_the_page_needs_no_key_and_is_not_counted() -> None:
    with served(api_keys="secret", rate_limit="1/minute") as service:
        for _ in range(3):
            assert service.client.get("/").status_code == 200
            assert service.client.get("/page/main.js").status_code == 200
        assert_error(service.client.get("/tools"), 401, "unauthorized")


def test_no_file_names_another_host() -> None:
    for name in FILES:
        if not name.endswith(".jpg"):
            text = (FOLDER / name).read_text(encoding="utf-8")
            addresses = set(re.findall(r"(?:https?:)?//[\w.-]+\.\w+[^\s\"')]*", text))
            assert addresses <= {"http://www.w3.org/2000/svg"}, name


def test_the_samples_are_light() -> None:
    assert sum(file.stat().st_size for file in (FOLDER / "samples").iterdir()) < 600_000
