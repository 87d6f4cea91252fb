"""The report in a real Chromium, opened as a file: whole by itself, readable everywhere, safe with any intent."""

import copy
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from markupsafe import escape
from playwright.sync_api import Browser, Page, sync_playwright

from app.distill.distilling import figures, report
from app.distill.distilling.outcome import Outcome
from app.distill.distilling.page import page
from app.distill.reality.errors import RealityError

HOSTILE = [
    '<script>document.title = "taken"</script>',
    '"><img src=x onerror="document.title = 1">',
    "</style><style>*{display:none}</style>",
    "{{ report }} {% raw %}",
    "\u202eright to left\u202c & so on",
    "w" * 200,
]
PATIENCE_MS = 120_000
"""The machine may be busy."""

TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
FUNNEL = {
    "calls": 900,
    "simulated": 900,
    "intents": 300,
    "without_source": 20,
    "without_exports": 60,
    "incomplete": 10,
    "refolded": 1,
    "kept": 209,
    "rows": 627,
    "unexported": 17,
}
RULE = {"sources": ["teacher"], "by": "rate", "confidence": 0.95, "unexported": False}


@pytest.fixture(scope="module")
def found(whole: Outcome) -> dict[str, Any]:
    """A report with all that a page can have, and intents that nobody wishes for."""
    made = json.loads(json.dumps(report.build(whole)))
    made["collect"] = {"rule": RULE, "funnel": FUNNEL, "problems": {"lines that are no JSON object": 3}}
    made["simulated"] = True
    made["source"] = HOSTILE[0]
    some = {
        "wanted": {"adjust": {"exposure": 20}},
        "before": {},
        "after": {"filter": {"name": "vivid", "intensity": 40}},
    }
    examples = [{"intent": intent, "scores": [0.1, 0.9], **some} for intent in HOSTILE]
    made["against_current"]["examples"] = {"mended": examples[:4], "broken": examples[4:]}
    made["in_training"]["examples"]["mended"] = examples
    return made


@dataclass
class Opened:
    page: Page
    wrong: list[str]
    asked: list[str]


@pytest.fixture(scope="module")
def browser(program: Callable[[str], str]) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        path = program("chromium")
        chromium = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"], timeout=PATIENCE_MS)
        yield chromium
        chromium.close()


@pytest.fixture(params=[(1280, "light"), (375, "dark")], ids=["desktop, light", "phone, dark"])
def opened(
    request: pytest.FixtureRequest, browser: Browser, found: dict[str, Any], whole: Outcome, tmp_path: Path
) -> Iterator[Opened]:
    width, scheme = request.param
    file = tmp_path / "report.html"
    file.write_text(page(found, whole.plan.photos), encoding="utf-8")
    context = browser.new_context(viewport={"width": width, "height": 800}, color_scheme=scheme)
    context.set_default_timeout(PATIENCE_MS)
    shown = Opened(context.new_page(), [], [])
    shown.page.on("request", lambda asked: shown.asked.append(asked.url))
    shown.page.on("console", lambda message: shown.wrong.append(message.text))
    shown.page.on("pageerror", lambda error: shown.wrong.append(str(error)))
    shown.page.goto(file.as_uri())
    yield shown
    assert shown.wrong == []
    assert [url for url in shown.asked if not url.startswith("data:")] == [file.as_uri()]
    context.close()


def test_it_can_be_read_by_everybody(opened: Opened) -> None:
    shown = opened.page
    assert shown.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), "no scrolling sideways"
    small = "[...document.querySelectorAll('svg text')].map(t => t.getBoundingClientRect().height).filter(h => h < 7)"
    assert shown.evaluate(small) == [], "what figures say is large enough"
    images = shown.locator("img, [role=img]")
    assert images.count() > 20
    assert all((one.get_attribute("alt") or one.get_attribute("aria-label")) for one in images.all())
    checked = Axe().run(shown, options={"runOnly": TAGS})
    assert checked.violations_count == 0, checked.generate_report()


def test_intents_are_text_whatever_they_hold(opened: Opened, found: dict[str, Any]) -> None:
    shown = opened.page
    assert shown.title() == "tiny@2 against tiny@1: go"
    assert shown.locator("script").count() == 0
    texts = shown.locator(".answers bdi").all_text_contents()
    assert [text for text in texts if text in HOSTILE] == texts
    assert set(texts) == set(HOSTILE)
    assert shown.locator("h1 bdi").text_content() == HOSTILE[0]
    assert "SIMULATED" in (shown.get_by_role("note").text_content() or "")


def test_the_page_has_every_number_that_decides(whole: Outcome) -> None:
    made = report.build(whole)
    words = re.sub(r"\s+", " ", page(made, whole.plan.photos))
    for criterion in made["criteria"]:
        assert escape(criterion["words"]) in words
    assert "SIMULATED" not in words
    assert f"<td>{made['current']['behaviours']['passed']}</td>" in words


def test_a_round_is_shown_with_the_rows_that_it_added_itself(whole: Outcome) -> None:
    made = copy.deepcopy(report.build(whole))
    made["rounds"][1]["augment"] |= {"added": 3, "additions": 4711}
    drawn = figures.rounds(made).svg
    assert "3 rows added" in drawn
    assert "4,711" not in drawn


def test_a_log_of_which_unexported_answers_were_kept_says_so(found: dict[str, Any], whole: Outcome) -> None:
    taken = {**found, "collect": {**found["collect"], "rule": {**RULE, "unexported": True}}}
    words = "17 of 627 rows, one a tool, have the newest answer, for nobody exported any"
    assert words in page(taken, whole.plan.photos)
    assert words not in page(found, whole.plan.photos)
    drawn = [figures.funnel(made).svg for made in (found, taken)]
    assert ["some tool never exported" in svg for svg in drawn] == [True, False]
    assert ["some tool never answered readably" in svg for svg in drawn] == [False, True]


def test_without_photos_it_says_so(whole: Outcome, found: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(RealityError, match="there is no folder"):
        page(copy.deepcopy(found), tmp_path / "none")
