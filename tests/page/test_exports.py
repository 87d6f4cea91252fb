"""What can be taken along, and what the service is told of it."""

import json
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Download, Page, Request, Route, expect

from app.grade import TOOLS, Grade
from app.render import compile_lut
from app.render.cube import read
from app.settings import Settings
from tests.api.service import Service
from tests.page.browser import Watch, after, grade_of, set_slider, teach, type_look, wait_for_size

WARM = Grade.parse({"adjust": {"temperature": 30, "bloom": 20}, "filter": {"name": "vivid", "intensity": 40}})


@pytest.fixture(autouse=True)
def feedback(page: Page) -> list[Request]:
    """The feedback that the page has sent; it is taken by a stand-in."""
    sent: list[Request] = []

    def take(route: Route) -> None:
        sent.append(route.request)
        route.fulfill(status=202, json={"request_id": "r", "event": "exported"})

    page.route("**/feedback", take)
    return sent


WAITS = """() => {
    const timeout = AbortSignal.timeout.bind(AbortSignal);
    window.waits = [];
    AbortSignal.timeout = (milliseconds) => { window.waits.push(milliseconds); return timeout(milliseconds); };
}"""
"""Notes for how long the page waits for what it asks for from now on, in milliseconds."""


def told(page: Page, feedback: list[Request], count: int) -> list[tuple[str, list[str] | None]]:
    """Events with the tools that were kept, when so many have been sent."""
    while len(feedback) < count:
        page.wait_for_timeout(20)
    return [(body["event"], body.get("tools")) for body in (request.post_data_json for request in feedback)]


def download(page: Page, button: str) -> Download:
    with page.expect_download() as downloading:
        page.get_by_role("button", name=button).click()
    return downloading.value


def content(downloaded: Download) -> bytes:
    return Path(downloaded.path()).read_bytes()


def test_the_cube_is_the_look_as_a_lut(page: Page, service: Service, feedback: list[Request]) -> None:
    teach(service, "Warm & Cosy!", WARM)
    type_look(page, "Warm & Cosy!")
    set_slider(page, "Strength", 60)
    downloaded = download(page, "LUT .cube")
    assert downloaded.suggested_filename == "warm-cosy.cube"
    lut = read(content(downloaded).decode())
    assert np.abs(lut.table - compile_lut(WARM, 33, 60).table).max() < 1e-5
    expect(page.locator("#note")).to_have_text("Saved. It cannot hold bloom: set that by hand.")
    assert told(page, feedback, 1) == [("exported", list(TOOLS))]


def test_the_preset_for_lightroom(page: Page, feedback: list[Request]) -> None:
    type_look(page, "for lightroom")
    downloaded = download(page, "Lightroom .xmp")
    assert downloaded.suggested_filename == "for-lightroom.xmp"
    assert b"<x:xmpmeta" in content(downloaded)
    assert told(page, feedback, 1) == [("exported", list(TOOLS))]


def test_the_picture_at_preview_size_does_not_leave_the_page(page: Page, watch: Watch) -> None:
    type_look(page, "kept here")
    downloaded = download(page, "Picture preview size")
    assert downloaded.suggested_filename == "pagoda-kept-here.jpg"
    picture = np.asarray(Image.open(BytesIO(content(downloaded))))
    assert picture.shape == (427, 640, 3)
    shown = np.asarray(Image.fromarray(after(page)).resize((640, 427)))
    assert np.abs(picture.astype(int) - shown).mean() < 5
    assert [request.url for request in watch.requests if request.url.endswith("/render")] == []


@pytest.mark.usefixtures("renderer")
def test_the_picture_at_full_size_is_rendered_by_the_service(page: Page, service: Service) -> None:
    pixels = np.random.default_rng(3).integers(0, 256, (9, 12, 3), dtype=np.uint8)
    file = BytesIO()
    Image.fromarray(pixels).resize((600, 450), Image.Resampling.BICUBIC).save(file, "PNG")
    photo = {"name": "holiday.png", "mimeType": "image/png", "buffer": file.getvalue()}
    page.locator("#file").set_input_files(photo)  # type: ignore[arg-type]
    wait_for_size(page, 600, 450)
    grade = Grade.parse({"adjust": {"contrast": 30}, "filter": {"name": "north", "intensity": 70}})
    teach(service, "northern", grade)
    type_look(page, "northern")
    page.evaluate(WAITS)
    downloaded = download(page, "Picture full size")
    waits = max(page.evaluate("window.waits")) / 1000
    assert waits > Settings().upload_seconds + Settings().render_seconds, "the page waits for as long as it may take"
    assert downloaded.suggested_filename == "holiday-northern.png"
    rendered = np.asarray(Image.open(BytesIO(content(downloaded))))
    assert np.abs(rendered.astype(int) - after(page)).max() <= 2, "both are the same picture"


def test_a_refused_export_is_said_and_is_no_export(page: Page, feedback: list[Request]) -> None:
    type_look(page, "refused")
    error = {"error": {"code": "too_large", "message": "At most 64 MB.", "request_id": "r"}}
    page.route("**/render", lambda route: route.fulfill(status=413, json=error))
    page.get_by_role("button", name="Picture full size").click()
    expect(page.get_by_role("alert")).to_contain_text("too large for this service. At most 64 MB.")
    assert told(page, feedback, 0) == []


def test_the_settings_are_copied_as_json(page: Page, service: Service) -> None:
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    teach(service, "copied", WARM)
    type_look(page, "copied")
    page.get_by_role("button", name="Copy JSON").click()
    expect(page.locator("#note")).to_have_text("Copied.")
    copied = json.loads(page.evaluate("navigator.clipboard.readText()"))
    assert Grade.parse(copied) == WARM
    assert copied["selective_adjust"] is None


def test_thumbs_tell_what_an_answer_was_worth(page: Page, feedback: list[Request], watch: Watch) -> None:
    expect(page.get_by_role("button", name="Good answer")).to_be_disabled()
    type_look(page, "worth it")
    page.get_by_role("button", name="Good answer").click()
    expect(page.get_by_role("button", name="Good answer")).to_have_attribute("aria-pressed", "true")
    expect(page.locator("#note")).to_have_text("Noted as a good answer.")
    page.get_by_role("button", name="Bad answer").click()
    expect(page.locator("#note")).to_have_text("Noted as a bad answer.")
    assert told(page, feedback, 2) == [("exported", list(TOOLS)), ("discarded", None)]
    asked = watch.bodies("/recolor")[0]
    answered = page.evaluate("async () => (await import('/page/main.js')).shown.state().answer.request_id")
    assert [request.post_data_json["request_id"] for request in feedback] == [answered] * 2
    assert {request.post_data_json["project_id"] for request in feedback} == {asked["project_id"]}


def test_only_the_tools_that_stayed_as_answered_are_told_as_kept(page: Page, feedback: list[Request]) -> None:
    type_look(page, "partly kept")
    set_slider(page, "Contrast", 40)
    page.get_by_role("button", name="Good answer").click()
    expect(page.locator("#note")).to_have_text("Noted as a good answer.")
    assert told(page, feedback, 1) == [("exported", ["selective_adjust", "filter"])]


def test_settings_by_hand_are_nobodys_answer(page: Page, feedback: list[Request]) -> None:
    set_slider(page, "Contrast", 40)
    assert grade_of(page).adjust is not None
    download(page, "LUT .cube")
    expect(page.locator("#note")).to_have_text("Saved.")
    assert told(page, feedback, 0) == []


def test_feedback_that_fails_is_said_and_disturbs_nothing(page: Page) -> None:
    type_look(page, "unheard")
    page.route("**/feedback", lambda route: route.abort())
    assert download(page, "LUT .cube").suggested_filename == "unheard.cube"
    expect(page.locator("#note")).to_contain_text("Saved. Your feedback did not arrive")
    expect(page.get_by_role("alert")).to_be_hidden()
