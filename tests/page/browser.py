"""The page as its users have it: in Chromium, with software rendering, so that it draws the same everywhere."""

import base64
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from playwright.sync_api import Browser, ConsoleMessage, Page, Request, expect

from app.grade import Grade, fold
from app.students import Answer
from tests.api.service import Service

PATIENCE = 120.0
"""Seconds that the page is given for whatever it does: the machine may be busy."""

ARGUMENTS = ("--no-sandbox", "--enable-unsafe-swiftshader")

AT_REST = "#after[data-at-rest=true]"

expect.set_options(timeout=1000 * PATIENCE)

# Said of the tests' own reading of pixels, and of answers that tests ask for.
_EXPECTED = ("GPU stall due to ReadPixels", "Failed to load resource")


@dataclass
class Watch:
    """What went on in the browser: requests, and complaints that nobody expected."""

    requests: list[Request] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    def follow(self, page: Page) -> None:
        page.on("request", self._asked)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("console", self._heard)

    def bodies(self, path: str) -> list[Any]:
        """The JSON bodies that were sent to a path."""
        return [request.post_data_json for request in self.requests if request.url.endswith(path)]

    def _asked(self, request: Request) -> None:
        self.requests.append(request)

    def _heard(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"} and not any(text in message.text for text in _EXPECTED):
            self.complaints.append(message.text)


@contextmanager
def new_page(browser: Browser, service: Service, **context: Any) -> Iterator[tuple[Page, Watch]]:
    """An empty page of a new context for the service. Whatever asks another host, or complains, fails the test."""
    base = f"http://127.0.0.1:{service.port}"
    given = {"base_url": base, "viewport": {"width": 1280, "height": 860}, "reduced_motion": "reduce"} | context
    opened = browser.new_context(**given)
    opened.set_default_timeout(1000 * PATIENCE)
    page, watch = opened.new_page(), Watch()
    watch.follow(page)
    try:
        yield page, watch
    finally:
        opened.close()
    assert [request.url for request in watch.requests if not request.url.startswith((base, "blob:"))] == []
    assert watch.complaints == []


def open_page(page: Page) -> None:
    """Go to the page and wait until its first photo is shown."""
    page.goto("/")
    page.wait_for_selector(AT_REST)


def start_over(page: Page) -> None:
    """The first photo, no look, nothing wrong."""
    if page.get_by_role("alert").is_visible():
        page.get_by_role("button", name="Dismiss").click()
    if page.locator("#reset").is_enabled():
        page.locator("#reset").click()
    if page.locator(".sample").first.get_attribute("aria-pressed") == "false":
        choose_sample(page, "A pagoda above a lake")
    page.locator("#intent").fill("")
    page.wait_for_selector(AT_REST)


def type_look(page: Page, intent: str) -> None:
    """Ask for a look as people do, and wait until the picture shows it."""
    page.locator("#intent").fill(intent)
    page.locator("#intent").press("Enter")
    expect(page.locator("#answer")).to_contain_text(f"“{intent}”")
    page.wait_for_selector(AT_REST)


def teach(service: Service, intent: str, grade: Grade) -> None:
    """Let the student answer the intent with this grade."""
    for tool in grade.plain():
        encoded = service.engine.codec.encode(tool, grade.settings(tool))
        service.engine.script[fold(intent), tool] = Answer(encoded, tokens=1)


def before(page: Page) -> NDArray[np.uint8]:
    """The photo as it is shown, [H, W, 3]."""
    return _pixels(page.evaluate("document.getElementById('before').toDataURL()"))


def after(page: Page) -> NDArray[np.uint8]:
    """The photo with the look as it is shown, [H, W, 3]."""
    return _pixels(page.evaluate(_AFTER, None))


def after_moving(page: Page, slider: str, value: int) -> NDArray[np.uint8]:
    """What is shown at once when a slider that is held is moved to a value."""
    return _pixels(page.evaluate(_AFTER, [slider, value]))


_AFTER = """async (moved) => {
    const { shown } = await import("/page/main.js");
    if (moved) {
        const slider = document.querySelector(moved[0]);
        slider.value = moved[1];
        slider.dispatchEvent(new Event("input", { bubbles: true }));
    }
    const pixels = shown.pixels();
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [pixels.width, pixels.height];
    canvas.getContext("2d").putImageData(pixels, 0, 0);
    return canvas.toDataURL();
}"""


def grade_of(page: Page) -> Grade:
    """The grade that the page shows."""
    shown = page.evaluate("async () => (await import('/page/main.js')).shown.state().grade")
    return Grade.parse(shown)


def set_slider(page: Page, name: str, value: int) -> None:
    """Move a slider, as a screen reader's user may, and wait until the picture shows it."""
    page.get_by_role("slider", name=name, exact=True).fill(str(value))
    page.wait_for_selector(AT_REST)


def wait_for_size(page: Page, width: int, height: int) -> None:
    """Wait until a photo of this size is shown."""
    same = "([w, h]) => { const c = document.getElementById('before'); return c.width === w && c.height === h; }"
    page.wait_for_function(same, arg=[width, height])
    page.wait_for_selector(AT_REST)


def choose_sample(page: Page, about: str) -> None:
    """Tap one of the page's own photos and wait until it is shown."""
    sample = page.get_by_role("button", name=about)
    sample.click()
    expect(sample).to_have_attribute("aria-pressed", "true")
    page.wait_for_selector(AT_REST)


def choose_range(page: Page, name: str) -> None:
    """Tap a colour range."""
    page.locator(f".swatch[data-group={name}]").click()


def choose_preset(page: Page, name: str) -> None:
    """Tap a preset and wait until the picture shows it."""
    page.locator(f".preset:has([value={name}])").click()
    page.wait_for_selector(AT_REST)


def _pixels(url: str) -> NDArray[np.uint8]:
    picture = Image.open(BytesIO(base64.b64decode(url.partition(",")[2])))
    return np.asarray(picture.convert("RGB"))
