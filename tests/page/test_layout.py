"""On a phone, by keyboard, by screen reader, in dark and in light."""

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.api.service import Service
from tests.page.browser import AT_REST, grade_of, new_page, open_page, type_look

PHONE: dict[str, Any] = {"viewport": {"width": 360, "height": 740}, "has_touch": True, "is_mobile": True}


@pytest.fixture(scope="module")
def phone(browser: Browser, service: Service) -> Iterator[Page]:
    with new_page(browser, service, **PHONE) as (page, _):
        open_page(page)
        type_look(page, "on a phone, with a rather long text for a look that is hard to fit")
        yield page


def test_nothing_is_wider_than_a_phone(phone: Page) -> None:
    assert phone.evaluate("document.documentElement.scrollWidth") == 360
    beyond = """() => [...document.querySelectorAll("main *, header *")].filter((element) => {
        if (element.closest(".chips, .presets, .hidden, dialog")) return false;
        const box = element.getBoundingClientRect();
        return box.width && (box.left < -0.5 || box.right > 360.5);
    }).map((element) => element.outerHTML.slice(0, 80))"""
    assert phone.evaluate(beyond) == []


def test_everything_on_a_phone_is_large_enough_for_a_finger(phone: Page) -> None:
    targets = "button, input[type=range], label.button, .swatch, .preset, .jump a, #intent"
    small = """(targets) => [...document.querySelectorAll(targets)]
        .filter((element) => element.checkVisibility() && !element.closest("dialog"))
        .map((element) => [element, element.getBoundingClientRect()])
        .filter(([, box]) => box.width < 43.5 || box.height < 43.5)
        .map(([element, box]) => `${element.outerHTML.slice(0, 60)} ${box.width}x${box.height}`)"""
    assert phone.evaluate(small, targets) == []


def test_on_a_phone_the_picture_stays_in_sight_while_the_tools_are_moved(phone: Page) -> None:
    phone.get_by_role("link", name="Filter").tap()
    box = phone.locator("#frame").bounding_box()
    assert box
    assert box["y"] >= 0
    assert box["y"] + box["height"] < 740 / 2
    title = phone.get_by_role("heading", name="Filter").bounding_box()
    assert title
    assert title["y"] > box["y"] + box["height"], "the tool is not behind the picture"


def test_a_phone_has_a_camera(phone: Page) -> None:
    expect(phone.locator(".camera")).to_be_visible()


def test_a_whole_visit_by_keyboard(fresh: Page) -> None:
    page = fresh
    expect(page.locator("#intent")).to_be_focused()
    page.keyboard.type("by keyboard")
    page.keyboard.press("Enter")
    expect(page.locator("#answer")).to_contain_text("by keyboard")
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Shift+Tab")
    expect(page.get_by_role("link", name="Skip to the tools")).to_be_focused()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Undo")).to_be_focused()
    # However busy the machine is, the keys that are pressed from here on follow each other closely.
    page.evaluate("() => { const now = performance.now(); performance.now = () => now; }")
    page.get_by_role("slider", name="Exposure").focus()
    before = int(page.get_by_role("slider", name="Exposure").input_value())
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowLeft")
    page.wait_for_selector(AT_REST)
    adjust = grade_of(page).adjust
    assert adjust is not None
    assert adjust.exposure == before - 2
    page.locator(".preset input:checked").focus()
    page.keyboard.press("ArrowRight")
    preset = grade_of(page).filter
    assert preset is not None
    assert preset.name == "north", "the next one after vivid"
    page.keyboard.press("Control+z")
    page.keyboard.press("Control+z")
    adjust = grade_of(page).adjust
    assert adjust is not None
    assert adjust.exposure == before, "held keys are one change"


def test_whatever_has_the_focus_shows_it(page: Page) -> None:
    type_look(page, "focused")
    unseen = []
    for _ in range(70):
        page.keyboard.press("Tab")
        unseen += page.evaluate("""() => {
            const focused = document.activeElement;
            if (!focused || focused === document.body) return [];
            const shows = (element) => element && getComputedStyle(element).outlineStyle !== "none";
            const inside = [focused, focused.closest("label"), focused.querySelector(".grip")].some(shows);
            const field = focused.id === "intent" && getComputedStyle(focused.parentElement).boxShadow !== "none";
            return inside || field ? [] : [focused.outerHTML.slice(0, 80)];
        }""")
    assert unseen == []


def test_the_page_is_built_of_landmarks_and_named_parts(page: Page) -> None:
    for role, name in [
        ("banner", None),
        ("main", None),
        ("region", "Picture"),
        ("region", "Tools"),
        ("region", "Adjust"),
        ("region", "Selective adjust"),
        ("region", "Filter"),
        ("region", "Photo"),
        ("region", "Take it with you"),
        ("radiogroup", "Preset"),
        ("radiogroup", "Selective adjust: which range"),
        ("textbox", "The look, in your own words"),
    ]:
        assert page.get_by_role(role, name=name, exact=True).count() == 1, (role, name)  # type: ignore[arg-type]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_system_says_dark_or_light_and_the_toggle_may_say_otherwise(
    browser: Browser, service: Service, scheme: Any
) -> None:
    other = {"light": "dark", "dark": "light"}[scheme]
    with new_page(browser, service, color_scheme=scheme) as (page, _):
        open_page(page)
        is_dark = "parseInt(getComputedStyle(document.body).backgroundColor.match(/\\d+/)[0]) < 128"
        assert page.evaluate(is_dark) is (scheme == "dark")
        page.get_by_role("button", name=f"Use the {other} theme").click()
        assert page.evaluate(is_dark) is (other == "dark")
        page.reload()
        assert page.evaluate(is_dark) is (other == "dark"), "it is remembered"
        expect(page.get_by_role("button", name=f"Use the {scheme} theme")).to_be_visible()


@pytest.mark.parametrize("shape", [{}, PHONE], ids=["desktop", "phone"])
def test_axe_finds_nothing(browser: Browser, service: Service, shape: dict[str, Any]) -> None:
    """The rules of WCAG 2.2 AA that a program can check, contrast among them, by axe-core, in light and dark."""
    from axe_playwright_python.sync_playwright import Axe

    tags = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
    with new_page(browser, service, **shape) as (page, _):
        open_page(page)
        type_look(page, "to be checked")
        page.route("**/recolor", lambda route: route.abort())
        page.locator("#intent").press("Enter")
        expect(page.get_by_role("alert")).to_be_visible()
        for theme in ("dark", "light"):
            page.get_by_role("button", name=f"Use the {theme} theme").click()
            found = Axe().run(page, options={"runOnly": tags})
            assert found.violations_count == 0, found.generate_report()
