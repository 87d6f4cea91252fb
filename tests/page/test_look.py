"""From a typed look to settings and a picture."""

import numpy as np
from playwright.sync_api import Page, expect

from app.grade import Grade
from tests.api.service import Service
from tests.page.browser import AT_REST, Watch, after, before, grade_of, teach, type_look
from tests.serving.engines import look

WARM = Grade.parse(
    {
        "adjust": {"temperature": 35, "exposure": -10},
        "selective_adjust": {"orange": {"saturation": 25, "luminance": 5}},
        "filter": {"name": "faded_HighNoon", "intensity": 40},
    }
)


def test_a_typed_look_sets_the_tools_and_changes_the_picture(page: Page, service: Service) -> None:
    teach(service, "a warm evening", WARM)
    type_look(page, "a warm evening")

    assert grade_of(page) == WARM
    assert page.get_by_role("slider", name="Temperature").input_value() == "35"
    assert page.get_by_role("slider", name="Exposure").get_attribute("aria-valuetext") == "−10"
    assert page.get_by_role("radio", name="Faded High Noon").is_checked()
    assert page.get_by_role("slider", name="Intensity").input_value() == "40"
    assert page.get_by_role("slider", name="Orange: saturation").input_value() == "25"
    red, _, blue = (after(page).astype(float) - before(page)).mean(axis=(0, 1))
    assert red > blue, "the picture is warmer"


def test_who_answered_and_how_fast_is_said(page: Page) -> None:
    type_look(page, "said once")
    line = page.locator("#answer")
    expect(line).to_contain_text("scripted@1")
    expect(line).to_contain_text("ms")
    expect(line).not_to_contain_text("cache")
    expect(page.locator("#tool-adjust .badge")).to_have_text("by the student")
    expect(page.locator("#status")).to_contain_text("scripted@1")
    type_look(page, "said once")
    expect(line).to_contain_text("from the cache")


def test_a_suggestion_is_a_look_at_a_tap(page: Page, watch: Watch) -> None:
    page.get_by_role("button", name="golden hour").click()
    expect(page.locator("#answer")).to_contain_text("“golden hour”")
    assert page.locator("#intent").input_value() == "golden hour"
    assert [body["intent"] for body in watch.bodies("/recolor")] == ["golden hour"]


def test_while_it_is_asked_for_the_page_says_so(page: Page, service: Service) -> None:
    service.engine.gate.clear()
    page.locator("#intent").fill("slow look")
    page.locator("#intent").press("Enter")
    expect(page.locator("#go")).to_have_attribute("aria-busy", "true")
    expect(page.locator("#frame")).to_have_attribute("data-busy", "true")
    service.engine.gate.set()
    expect(page.locator("#go")).to_have_attribute("aria-busy", "false")
    expect(page.locator("#answer")).to_contain_text("“slow look”")


def test_of_two_looks_the_later_one_is_shown(page: Page, service: Service) -> None:
    service.engine.gate.clear()
    for intent in ("first of two", "second of two"):
        page.locator("#intent").fill(intent)
        page.locator("#intent").press("Enter")
    service.engine.gate.set()
    expect(page.locator("#answer")).to_contain_text("“second of two”")
    page.wait_for_selector(AT_REST)
    assert grade_of(page).adjust == look("second of two", "adjust")


def test_a_text_without_a_look_needs_no_change(page: Page, service: Service) -> None:
    teach(service, "hello", Grade())
    type_look(page, "hello")
    expect(page.locator("#answer")).to_contain_text("needs no change")
    expect(page.locator("#tool-filter .badge")).to_have_text("not used · student")
    assert np.array_equal(after(page), before(page))


def test_an_empty_text_is_not_asked_for(page: Page, watch: Watch) -> None:
    page.locator("#intent").fill("   ")
    page.locator("#intent").press("Enter")
    expect(page.locator("#intent")).to_be_focused()
    assert watch.bodies("/recolor") == []


def test_a_look_in_any_script_is_text_and_nothing_else(page: Page) -> None:
    intent = "<img src=x onerror=alert(1)> 夕焼け 🌅"
    type_look(page, intent)
    assert page.locator("#answer img").count() == 0
