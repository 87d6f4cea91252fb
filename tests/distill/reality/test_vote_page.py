"""The page of votes in a real Chromium, opened as a file: by mouse, by keyboard, by several people, and read back."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from app.distill.reality.ballot import Ballot, Item
from app.distill.reality.tally import tally
from app.distill.reality.verdicts import Side
from app.distill.reality.votes import read_votes
from tests.distill.reality.helpers import some_trials

COUNT = 3
PATIENCE_MS = 120_000
"""The machine may be busy."""
TRIALS = some_trials(COUNT)
OpenPage = Callable[[], Page]


@pytest.fixture(scope="module")
def ballot() -> Ballot:
    return Ballot.of(TRIALS, "tiny@1", 5)


@pytest.fixture
def page_file(ballot: Ballot, tmp_path: Path) -> Path:
    file = tmp_path / "vote.html"
    ballot.write(file)
    return file


@pytest.fixture(scope="module")
def launch() -> Iterator[Callable[[str], Browser]]:
    """Gives the one browser of this module, which is started from a path when it is first asked for."""
    with sync_playwright() as playwright:
        started: list[Browser] = []

        def launch(path: str) -> Browser:
            if not started:
                started.append(
                    playwright.chromium.launch(executable_path=path, args=["--no-sandbox"], timeout=PATIENCE_MS)
                )
            return started[0]

        expect.set_options(timeout=PATIENCE_MS)
        yield launch
        for browser in started:
            browser.close()


@pytest.fixture
def context(program: Callable[[str], str], launch: Callable[[str], Browser]) -> Iterator[BrowserContext]:
    """A browser that has kept nothing yet."""
    context = launch(program("chromium")).new_context(viewport={"width": 1280, "height": 800})
    context.set_default_timeout(PATIENCE_MS)
    yield context
    context.close()


@pytest.fixture
def open_page(context: BrowserContext, page_file: Path) -> Iterator[OpenPage]:
    """Opens the page. Nothing on it may fail, or ask for anything but itself."""
    asked: list[str] = []
    wrong: list[str] = []

    def open_() -> Page:
        page = context.new_page()
        page.on("request", lambda request: asked.append(request.url))
        page.on("console", lambda message: wrong.append(message.text))
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.goto(page_file.as_uri())
        return page

    yield open_
    assert wrong == []
    assert {url for url in asked if not url.startswith(("data:", "blob:"))} == {page_file.as_uri()}


def begin(page: Page, name: str) -> None:
    page.get_by_label("Your name").fill(name)
    page.get_by_role("button", name="Begin").click()


def choose(page: Page, question: str, answer: str) -> None:
    page.get_by_role("group", name=question).get_by_role("radio", name=answer, exact=True).check()


def called(item: Item, side: Side) -> str:
    """What a side's edit is called on the page."""
    return "A" if item.a == side else "B"


def saved(page: Page, folder: Path, button: str) -> Path:
    with page.expect_download() as download:
        page.get_by_role("button", name=button, exact=True).click()
    file = folder / download.value.suggested_filename
    download.value.save_as(file)
    return file


def kept_votes(page: Page, folder: Path) -> list[dict[str, Any]]:
    """The votes so far, saved by the button that is there at all times."""
    return json.loads(saved(page, folder, "Save votes").read_text(encoding="utf-8"))["votes"]


def test_votes_by_mouse_are_those_that_are_counted(open_page: OpenPage, ballot: Ballot, tmp_path: Path) -> None:
    page = open_page()
    begin(page, "Anna Ödegård")
    for item in ballot.key.items:
        expect(page.get_by_role("heading", level=2)).to_have_text(f"“{item.intent}”")
        choose(page, "Which fits the request better?", called(item, "student"))
        choose(page, f"Does {called(item, 'student')} fit", "yes")
        choose(page, f"Does {called(item, 'teacher')} fit", "no")
        choose(page, "same look", "no")
        page.get_by_role("button", name="Next").click()
    expect(page.get_by_role("heading", level=2)).to_contain_text("all is answered")
    file = saved(page, tmp_path, "Save votes as a file")
    assert file.name == "votes-anna-ödegård.json"
    returns = read_votes([file], ballot.key)
    assert returns.oddities == []
    counted = tally(returns.votes, ballot.key).counts[0]
    assert counted.annotator == "Anna Ödegård"
    assert counted.preference["student"].count == counted.fits["student"].count == COUNT
    assert counted.fits["teacher"].count == counted.same_look.count == 0


def test_everything_goes_by_keyboard(open_page: OpenPage, ballot: Ballot, tmp_path: Path) -> None:
    page = open_page()
    page.keyboard.type("ben")
    page.keyboard.press("Enter")
    for keys in ("b 1 2 2 3 3 Enter", "n 1 1 2 3 ArrowRight", "a b ArrowLeft ArrowRight ArrowRight"):
        for key in keys.split():
            page.keyboard.press(key)
    expect(page.get_by_role("heading", level=2)).to_have_text("Some answers are missing")
    page.get_by_role("button", name=f"“{ballot.key.items[2].intent}”").press("Enter")
    page.locator("body").press("Shift+Tab")
    expect(page.get_by_role("heading", level=2)).to_have_text(f"“{ballot.key.items[2].intent}”")
    for _ in range(30):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.name") == "fits_a":
            break
    page.keyboard.press("Space")
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("heading", level=2)).to_have_text(f"“{ballot.key.items[2].intent}”")
    first, second, third = kept_votes(page, tmp_path)
    assert first == {"item": "1", "preference": "b", "fits_a": True, "fits_b": False, "same_look": False}
    assert second == {"item": "2", "preference": "neutral", "fits_a": False, "fits_b": True, "same_look": True}
    assert third == {"item": "3", "preference": "b", "fits_a": False, "fits_b": None, "same_look": None}


def test_progress_is_kept_for_each_annotator(open_page: OpenPage, ballot: Ballot, tmp_path: Path) -> None:
    page = open_page()
    begin(page, "anna")
    page.keyboard.press("a")
    page.keyboard.press("ArrowRight")
    page.get_by_role("button", name="not you?").click()
    begin(page, "ben")
    expect(page.get_by_role("heading", level=2)).to_have_text(f"“{ballot.key.items[0].intent}”")
    assert kept_votes(page, tmp_path) == []
    page.close()

    again = open_page()
    expect(again.get_by_label("Your name")).to_have_value("ben")
    again.get_by_label("Your name").fill("anna")
    expect(again.locator("#resumed")).to_contain_text("you go on where you stopped")
    again.get_by_role("button", name="Begin").click()
    expect(again.get_by_role("heading", level=2)).to_have_text(f"“{ballot.key.items[1].intent}”")
    assert [vote["preference"] for vote in kept_votes(again, tmp_path)] == ["a"]


def test_the_original_is_shown_in_place_while_asked_for(open_page: OpenPage) -> None:
    page = open_page()
    begin(page, "anna")
    source, edit = page.get_by_alt_text("The original photo"), page.get_by_alt_text("Edit A")
    original, edited = source.get_attribute("src"), edit.get_attribute("src")
    page.keyboard.down("o")
    expect(edit).to_have_attribute("src", str(original))
    page.keyboard.up("o")
    expect(edit).to_have_attribute("src", str(edited))
    edit.hover()
    page.mouse.down()
    expect(edit).to_have_attribute("src", str(original))
    page.mouse.up()
    expect(edit).to_have_attribute("src", str(edited))


def test_a_browser_that_keeps_nothing_says_so(context: BrowserContext, open_page: OpenPage, tmp_path: Path) -> None:
    context.add_init_script("Object.defineProperty(window, 'localStorage', { get() { throw new Error('denied') } })")
    page = open_page()
    begin(page, "anna")
    expect(page.get_by_role("alert")).to_contain_text("keeps nothing")
    page.keyboard.press("n")
    assert kept_votes(page, tmp_path)[0]["preference"] == "neutral"


@pytest.mark.parametrize(("width", "height"), [(1366, 768), (390, 844)])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_fits_the_screen_and_can_be_read(
    open_page: OpenPage, ballot: Ballot, width: int, height: int, scheme: Any
) -> None:
    page = open_page()
    page.set_viewport_size({"width": width, "height": height})
    page.emulate_media(color_scheme=scheme)
    begin(page, "anna")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "nothing is cut off at the side"
    text, ground = page.evaluate(
        "[getComputedStyle(document.body).color, getComputedStyle(document.body).backgroundColor]"
    )
    assert contrast(text, ground) > 7
    grey = channels(ground)
    assert max(grey) == min(grey), "a tinted ground would tint the pictures"
    for alt in ("The original photo", "Edit A", "Edit B"):
        box = page.get_by_alt_text(alt).bounding_box()
        assert box is not None
        assert box["width"] > 150


def test_an_intent_is_shown_as_it_was_typed(context: BrowserContext, open_page: OpenPage, page_file: Path) -> None:
    intent = '<b>noir</b> & "fog" 🌫️ </script>'
    trial = TRIALS[0]
    odd = type(trial)(intent, "light", "ramp", trial.source, trial.teacher, trial.student, 0)
    page_file.write_text(Ballot.of([odd], "tiny@1", 1).page, encoding="utf-8")
    page = open_page()
    begin(page, "anna")
    expect(page.get_by_role("heading", level=2)).to_have_text(f"“{intent}”")


def channels(colour: str) -> list[float]:
    return [int(part) / 255 for part in colour.removeprefix("rgb(").removesuffix(")").split(",")]


def contrast(a: str, b: str) -> float:
    """The contrast ratio of WCAG 2 between two colours."""
    lights = sorted(
        sum(
            share * (value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4)
            for share, value in zip((0.2126, 0.7152, 0.0722), channels(colour), strict=True)
        )
        for colour in (a, b)
    )
    return (lights[1] + 0.05) / (lights[0] + 0.05)
