"""Photos of one's own: chosen, dropped, pasted, taken."""

import base64
import re
from io import BytesIO
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from playwright.sync_api import Page, expect

from tests.page.browser import AT_REST, Watch, after, before, choose_sample, set_slider, wait_for_size

RED_LEFT = np.concatenate([np.full((40, 30, 3), (220, 30, 30)), np.full((40, 30, 3), (30, 30, 220))], axis=1).astype(
    np.uint8
)


def encoded(pixels: NDArray[np.uint8], kind: str = "PNG", **options: Any) -> bytes:
    file = BytesIO()
    Image.fromarray(pixels).save(file, kind, **options)
    return file.getvalue()


def choose(page: Page, name: str, kind: str, content: bytes) -> None:
    photo = {"name": name, "mimeType": kind, "buffer": content}
    page.locator("#file").set_input_files(photo)  # type: ignore[arg-type]


def test_a_chosen_photo_is_shown_and_stays_on_the_device(page: Page, watch: Watch) -> None:
    choose(page, "mine.png", "image/png", encoded(RED_LEFT))
    wait_for_size(page, 60, 40)
    assert np.array_equal(before(page), RED_LEFT)
    set_slider(page, "Saturation", -100)
    assert np.ptp(after(page), axis=2).max() == 0
    assert {request.url.rpartition("/")[2] for request in watch.requests if request.method == "POST"} == {"lut"}
    expect(page.locator("#privacy")).to_contain_text("stays on this device")
    assert page.locator(".sample[aria-pressed=true]").count() == 0


def test_a_photo_is_turned_upright(page: Page) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned: what is left is up
    choose(page, "turned.jpg", "image/jpeg", encoded(RED_LEFT, "JPEG", exif=exif, quality=95))
    wait_for_size(page, 40, 60)
    top, bottom = before(page)[10, 20].astype(int), before(page)[50, 20].astype(int)
    assert top[0] > 150 > top[2]
    assert bottom[2] > 150 > bottom[0]


def test_a_large_photo_is_shown_smaller(page: Page) -> None:
    pixels = np.broadcast_to(np.arange(3000, dtype=np.uint16)[None, :, None] // 12, (2000, 3000, 3)).astype(np.uint8)
    choose(page, "large.jpg", "image/jpeg", encoded(pixels, "JPEG"))
    expect(page.locator("#frame")).to_have_attribute("style", re.compile(r"--ratio: 1\.5"))
    page.wait_for_selector(AT_REST)
    height, width, _ = before(page).shape
    assert width <= 1280
    assert width / height == pytest.approx(1.5, abs=0.01)


def test_a_photo_is_dropped(page: Page) -> None:
    drop = """(content) => {
        const bytes = Uint8Array.from(atob(content), (c) => c.charCodeAt(0));
        const dataTransfer = new DataTransfer();
        dataTransfer.items.add(new File([bytes], "dropped.png", { type: "image/png" }));
        const options = { dataTransfer, bubbles: true, cancelable: true };
        const send = (kind) => document.body.dispatchEvent(new DragEvent(kind, options));
        send("dragenter");
        const covered = !document.getElementById("drop").hidden;
        send("dragover");
        send("drop");
        return covered && document.getElementById("drop").hidden;
    }"""
    assert page.evaluate(drop, base64.b64encode(encoded(RED_LEFT)).decode()), "a cover is shown until it is dropped"
    wait_for_size(page, 60, 40)


@pytest.mark.parametrize(
    ("name", "kind", "content", "words"),
    [
        ("notes.txt", "text/plain", b"hello", "“notes.txt” is no photo. Choose a JPEG, PNG or WebP file."),
        ("cut.jpg", "image/jpeg", b"\xff\xd8\xff\xe0 cut", "“cut.jpg” cannot be read as a photo"),
        ("phone.heic", "image/heic", b"\0\0\0\x18ftypheic", "cannot show HEIC photos. Save it as JPEG"),
    ],
)
def test_what_is_no_photo_is_said(page: Page, name: str, kind: str, content: bytes, words: str) -> None:
    choose(page, name, kind, content)
    expect(page.get_by_role("alert")).to_contain_text(words)
    assert before(page).shape[0] > 100, "the photo before stays"


def test_a_look_stays_when_the_photo_changes(page: Page) -> None:
    set_slider(page, "Saturation", -100)
    choose_sample(page, "A cup of coffee")
    assert np.ptp(after(page), axis=2).max() == 0


def test_the_camera_is_offered_to_fingers(page: Page) -> None:
    assert page.locator("#camera").get_attribute("capture") == "environment"
    expect(page.locator(".camera")).to_be_hidden()
