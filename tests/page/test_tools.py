"""The three tools by hand: sliders, colour ranges, presets, strength, undo."""

from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Page, Route, expect

from app.grade import TOOLS, Grade
from app.render import apply_grade
from tests.page.browser import (
    AT_REST,
    Watch,
    after,
    after_moving,
    before,
    choose_preset,
    choose_range,
    choose_sample,
    grade_of,
    set_slider,
    type_look,
)


def drag(page: Page, name: str, by: float) -> None:
    """Drag a slider's thumb by a share of its width, in small steps, and let go."""
    slider = page.get_by_role("slider", name=name, exact=True)
    slider.scroll_into_view_if_needed()
    box = slider.bounding_box()
    assert box
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    for step in range(1, 13):
        page.mouse.move(x + by * box["width"] * step / 12, y)
    page.mouse.up()
    page.wait_for_selector(AT_REST)


def of_adjust(watch: Watch) -> list[Any]:
    """What was asked for to show a slider of adjust; presets' thumbnails are asked for beside."""
    return [body for body in watch.bodies("/lut") if body["grade"].get("adjust")]


def test_every_parameter_has_its_control_with_name_range_and_description(page: Page) -> None:
    for model in TOOLS.values():
        schema = model.model_json_schema()
        for slot in model.slots():
            owner = schema["properties"] if len(slot.path) == 1 else schema["$defs"]["ColourRange"]["properties"]
            described = owner[slot.path[-1]]
            if slot.options:
                assert page.get_by_role("radio", name="None").count() == 1
                assert page.locator(".preset input").count() == len(slot.options)
                continue
            control = page.locator("#" + "-".join((model.tool, *slot.path)))
            assert (control.get_attribute("min"), control.get_attribute("max")) == (str(slot.low), str(slot.high))
            about = page.locator("#" + (control.get_attribute("aria-describedby") or ""))
            assert about.text_content() == described["description"]
            label = page.locator(f"label[for='{control.get_attribute('id')}']").text_content() or ""
            assert label.lower().endswith(described["title"].lower())


def test_the_picture_follows_a_dragged_slider(page: Page, watch: Watch) -> None:
    drag(page, "Exposure", 0.3)
    value = int(page.get_by_role("slider", name="Exposure").input_value())
    assert value > 20
    wanted = apply_grade(before(page), Grade.parse({"adjust": {"exposure": value}}))
    assert np.abs(after(page).astype(int) - wanted).max() <= 2
    asked = of_adjust(watch)
    assert asked[-1]["size"] == 33
    assert asked[-1]["grade"]["adjust"]["exposure"] == value


def test_while_a_slider_moves_one_request_is_under_way_and_the_newest_state_wins(page: Page, watch: Watch) -> None:
    flying, most = 0, 0

    def take(route: Route) -> None:
        """Under way from here until it has its answer: the browser may tell of its end after that of the next start."""
        nonlocal flying, most
        if "shadows" not in (route.request.post_data or ""):
            route.continue_()
            return
        flying += 1
        most = max(most, flying)
        answer = route.fetch()
        flying -= 1
        route.fulfill(response=answer)

    page.route("**/lut", take)
    page.evaluate("""() => {
        const slider = document.getElementById("adjust-shadows");
        for (let value = 1; value <= 60; value++) {
            slider.value = value;
            slider.dispatchEvent(new Event("input", { bubbles: true }));
        }
        slider.dispatchEvent(new Event("change", { bubbles: true }));
    }""")
    page.wait_for_selector(AT_REST)
    asked = [body["grade"]["adjust"]["shadows"] for body in of_adjust(watch)]
    assert most == 1
    assert len(asked) < 10
    assert asked[-1] == 60


def test_between_the_values_that_it_knows_a_moving_slider_needs_no_request(page: Page, watch: Watch) -> None:
    sweep = """async () => {
        const slider = document.getElementById("adjust-brightness");
        for (let value = 0; value <= 40; value += 2) {
            slider.value = value;
            slider.dispatchEvent(new Event("input", { bubbles: true }));
            await new Promise((done) => setTimeout(done, 60));
        }
    }"""
    asked = -1
    while len(of_adjust(watch)) > asked:  # however slow the service is, all steps are known then
        asked = len(of_adjust(watch))
        page.evaluate(sweep)
        page.wait_for_selector(AT_REST)
    for value in (7, 33, 18):
        shown = after_moving(page, "#adjust-brightness", value).astype(int)
        off = np.abs(shown - apply_grade(before(page), Grade.parse({"adjust": {"brightness": value}})))
        assert off.mean() < 1
        assert off.max() <= 6
    page.wait_for_selector(AT_REST)
    assert [body for body in of_adjust(watch)[asked:] if body["size"] == 17] == []


def test_a_double_click_and_the_value_reset_a_slider(page: Page) -> None:
    set_slider(page, "Contrast", 30)
    page.get_by_role("slider", name="Contrast").dblclick()
    assert grade_of(page).adjust is None
    set_slider(page, "Contrast", 30)
    page.get_by_role("button", name="Contrast +30: reset to 0").click()
    assert grade_of(page).adjust is None
    expect(page.get_by_role("slider", name="Contrast")).to_be_focused()


def test_a_tool_is_reset_as_a_whole(page: Page) -> None:
    type_look(page, "reset one tool")
    page.get_by_role("button", name="Reset Adjust").click()
    grade = grade_of(page)
    assert grade.adjust is None
    assert grade.filter is not None
    expect(page.locator("#tool-adjust .badge")).to_have_text("edited by you")


def test_a_colour_range_changes_its_colours(page: Page) -> None:
    choose_sample(page, "A raccoon among palm leaves")
    choose_range(page, "green")
    set_slider(page, "Green: saturation", -100)
    grade = grade_of(page)
    assert grade.selective_adjust is not None
    assert grade.selective_adjust.green.saturation == -100
    expect(page.locator(".swatch[data-group=green] .values")).to_have_text("−100/0")
    change = np.abs(after(page).astype(int) - before(page)).max(axis=2)
    photo = before(page).astype(int)
    leaves, fur = photo[..., 1] > photo[..., 2] + 60, abs(photo[..., 1] - photo[..., 2]) < 20
    assert change[leaves].mean() > 5 * change[fur].mean()


def test_a_preset_comes_with_half_its_intensity(page: Page) -> None:
    choose_preset(page, "vivid")
    assert grade_of(page) == Grade.parse({"filter": {"name": "vivid", "intensity": 50}})
    set_slider(page, "Intensity", 80)
    choose_preset(page, "winter")
    assert grade_of(page) == Grade.parse({"filter": {"name": "winter", "intensity": 80}})
    choose_preset(page, "none")
    assert np.array_equal(after(page), before(page))


def test_presets_in_sight_have_thumbnails_of_the_photo_and_others_are_not_asked_for(page: Page, watch: Watch) -> None:
    page.wait_for_function(
        "() => [...document.querySelectorAll('.preset canvas')].slice(0, 6).every((c) => c.width > 1)"
    )
    colour = "(c) => { const d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data; let s = [0, 0, 0];"
    colour += "for (let i = 0; i < d.length; i++) if (i % 4 < 3) s[i % 4] += d[i]; return s; }"
    red, green, blue = page.locator(".preset", has_text="Purple rain").locator("canvas").evaluate(colour)
    assert min(red, blue) > green, "it is purple"
    asked = {body["grade"]["filter"]["name"] for body in watch.bodies("/lut") if body["size"] == 17}
    assert "negative" not in asked
    assert "none" not in asked


def test_undo_and_redo_by_buttons_and_keys(fresh: Page) -> None:
    page = fresh
    type_look(page, "to be undone")
    answered = grade_of(page)
    set_slider(page, "Contrast", 40)
    changed = grade_of(page)
    page.get_by_role("button", name="Undo").click()
    assert grade_of(page) == answered
    page.keyboard.press("Control+z")
    assert grade_of(page) == Grade()
    expect(page.locator("#answer")).to_contain_text("No look yet")
    expect(page.get_by_role("button", name="Undo")).to_be_disabled()
    page.keyboard.press("Control+Shift+z")
    page.keyboard.press("Control+Shift+z")
    assert grade_of(page) == changed
    expect(page.locator("#answer")).to_contain_text("“to be undone”")
    expect(page.get_by_role("button", name="Redo")).to_be_disabled()
    page.get_by_role("button", name="Reset all").click()
    assert grade_of(page) == Grade()
    page.get_by_role("button", name="Undo").click()
    assert grade_of(page) == changed


def test_undo_in_the_text_field_undoes_text(page: Page) -> None:
    set_slider(page, "Contrast", 40)
    page.locator("#intent").press_sequentially("abc")
    page.keyboard.press("Control+z")
    assert grade_of(page).adjust is not None


@pytest.mark.parametrize(
    ("key", "share"), [("ArrowRight", 52), ("ArrowLeft", 48), ("PageUp", 60), ("Home", 0), ("End", 100)]
)
def test_before_and_after_are_compared_by_keys(page: Page, key: str, share: int) -> None:
    type_look(page, "to compare")
    handle = page.get_by_role("slider", name="Compare before and after")
    handle.press("Home")
    for _ in range(5):
        handle.press("PageUp")
    handle.press(key)
    assert handle.get_attribute("aria-valuenow") == str(share)
    assert handle.get_attribute("aria-valuetext") == f"{share}% before, {100 - share}% after"


def test_before_and_after_are_compared_by_mouse(page: Page) -> None:
    type_look(page, "to compare")
    box = page.locator("#frame").bounding_box()
    assert box
    page.mouse.move(box["x"] + box["width"] * 0.5, box["y"] + 40)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.2, box["y"] + 60, steps=4)
    page.mouse.up()
    page.mouse.move(box["x"] + box["width"] * 0.9, box["y"] + 60)
    assert page.get_by_role("slider", name="Compare before and after").get_attribute("aria-valuenow") == "20"
