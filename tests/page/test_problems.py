"""Whatever goes wrong is said in a sentence that says what to do."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from app.grade import TOOLS
from app.students import Answer
from tests.api.service import Service, served
from tests.page.browser import AT_REST, Watch, grade_of, new_page, open_page, type_look
from tests.serving.teachers import ScriptedTeacher


@contextmanager
def opened(browser: Browser, service: Service) -> Iterator[tuple[Page, Watch]]:
    with new_page(browser, service) as (page, watch):
        open_page(page)
        yield page, watch


def ask(page: Page, intent: str) -> None:
    page.locator("#intent").fill(intent)
    page.locator("#intent").press("Enter")


def answers(status: int, code: str, **headers: str) -> Callable[[Route], None]:
    """A service that refuses."""
    body = {"error": {"code": code, "message": "It is so.", "request_id": "r1"}}
    return lambda route: route.fulfill(status=status, json=body, headers=headers)


def test_a_service_that_is_gone(page: Page) -> None:
    page.route("**/recolor", lambda route: route.abort())
    ask(page, "golden hour")
    problem = page.get_by_role("alert")
    expect(problem).to_contain_text("cannot be reached. Check that it is running")
    page.unroute("**/recolor")
    problem.get_by_role("button", name="Try again").click()
    expect(page.locator("#answer")).to_contain_text("“golden hour”")
    expect(problem).to_be_hidden()


def test_a_service_that_goes_away_while_a_slider_moves(page: Page) -> None:
    page.route("**/lut", lambda route: route.abort())
    page.get_by_role("slider", name="Exposure").fill("30")
    expect(page.get_by_role("alert")).to_contain_text("cannot be reached")
    page.unroute("**/lut")
    page.get_by_role("alert").get_by_role("button", name="Try again").click()
    page.wait_for_selector(AT_REST)
    expect(page.get_by_role("alert")).to_be_hidden()


def test_a_device_without_network(page: Page) -> None:
    page.context.set_offline(True)
    ask(page, "golden hour")
    expect(page.get_by_role("alert")).to_contain_text("offline. Connect it to the network")


def test_too_many_requests(browser: Browser) -> None:
    with served(rate_limit="2/hour") as service, opened(browser, service) as (page, _):
        service.client.get("/tools")
        ask(page, "golden hour")
        expect(page.get_by_role("alert")).to_contain_text("too much to do. Try again in")
        page.get_by_role("button", name="Dismiss").click()
        expect(page.get_by_role("alert")).to_be_hidden()


LISTEN = """() => {
    window.said = "";
    const alert = document.querySelector("[role=alert]");
    new MutationObserver(() => window.said += alert.textContent).observe(alert, { childList: true, subtree: true });
}"""
"""A second is too short to look."""


def test_a_slider_that_was_too_fast_is_drawn_when_the_service_lets_it_in(page: Page) -> None:
    refused: list[Route] = []

    def refuse_once(route: Route) -> None:
        if "contrast" not in (route.request.post_data or "") or refused:
            route.continue_()
        else:
            refused.append(route)
            answers(429, "too_many_requests", **{"Retry-After": "1"})(route)

    page.route("**/lut", refuse_once)
    page.evaluate(LISTEN)
    page.get_by_role("slider", name="Contrast").fill("33")
    page.wait_for_selector(AT_REST)
    expect(page.get_by_role("alert")).to_be_hidden()
    assert "Try again in 1 s" in page.evaluate("window.said")


def test_a_text_that_no_model_can_read_leaves_the_look_as_it_was(browser: Browser) -> None:
    with served() as service, opened(browser, service) as (page, _):
        type_look(page, "golden hour")
        look = grade_of(page)
        for tool in TOOLS:
            service.engine.script["夕焼け", tool] = Answer(None)
        ask(page, "夕焼け")
        expect(page.get_by_role("alert")).to_contain_text("No model here can read this text")
        assert grade_of(page) == look


def test_a_tool_that_failed_is_named(browser: Browser) -> None:
    teacher = ScriptedTeacher(refusals={"filter": "teacher_error"})
    with served(teacher=teacher) as service, opened(browser, service) as (page, _):
        for tool in ("adjust", "filter"):
            service.engine.script["partly", tool] = Answer("?", tokens=1)
        ask(page, "partly")
        expect(page.get_by_role("alert")).to_contain_text("Not answered: Filter (the teacher could not be asked)")
        expect(page.locator("#tool-filter .badge")).to_have_text("not answered")
        expect(page.locator("#tool-adjust .badge")).to_have_text("by the teacher")
        expect(page.locator("#tool-selective_adjust .badge")).to_contain_text("student")


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (answers(503, "unavailable", **{"Retry-After": "7"}), "Nobody can answer now. It is so. Try again in 7 s."),
        (answers(500, "internal"), "It is so. Its request_id is r1."),
        (answers(422, "invalid_field"), "It is so."),
        (answers(404, "not_found"), "does not offer recolor"),
        (lambda route: route.fulfill(status=502, body="<html>Bad gateway"), "unexpected way (502)"),
        (lambda route: route.fulfill(status=200, body="{"), "broke off"),
    ],
    ids=["503", "500", "422", "404", "proxy", "cut off"],
)
def test_any_refusal_is_a_sentence(page: Page, answer: Callable[[Route], Any], words: str) -> None:
    page.route("**/recolor", answer)
    ask(page, "golden hour")
    expect(page.get_by_role("alert")).to_contain_text(words)
    page.unroute("**/recolor")


def test_a_service_with_keys_asks_for_one_and_the_tab_keeps_it(browser: Browser) -> None:
    with served(api_keys="right") as service, new_page(browser, service) as (page, _):
        page.goto("/")
        dialog = page.get_by_role("dialog", name="This service asks for a key")
        dialog.get_by_label("Key").fill("wrong")
        dialog.get_by_label("Key").press("Enter")
        expect(dialog).to_contain_text("does not know this key")
        dialog.get_by_label("Key").fill("right")
        dialog.get_by_role("button", name="Use this key").click()
        page.wait_for_selector(AT_REST)
        type_look(page, "golden hour")
        assert page.evaluate("sessionStorage.getItem('key')") == "right"
        page.reload()
        page.wait_for_selector(AT_REST)
        expect(dialog).to_be_hidden()
        expect(page.get_by_role("button", name="Change key")).to_be_visible()


def test_without_a_key_the_page_says_that_one_is_needed(browser: Browser) -> None:
    with served(api_keys="right") as service, new_page(browser, service) as (page, _):
        page.goto("/")
        page.get_by_role("dialog").get_by_role("button", name="Not now").click()
        expect(page.get_by_role("alert")).to_contain_text("asks for a key")
        page.get_by_role("button", name="Try again").click()
        expect(page.get_by_role("dialog")).to_be_visible()
