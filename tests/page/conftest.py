from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from tests.api.service import Service, served
from tests.page.browser import ARGUMENTS, Watch, new_page, open_page


# Of the package, not the session: while Playwright is started no other test could run an event loop.
@pytest.fixture(scope="package")
def browser(program: Callable[[str], str]) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=program("chromium"), args=list(ARGUMENTS))
        yield chromium
        chromium.close()


@pytest.fixture(scope="package")
def service() -> Iterator[Service]:
    """A service that answers by script, without keys and limits."""
    with served() as running:
        yield running


@pytest.fixture(scope="module")
def kept(browser: Browser, service: Service) -> Iterator[Page]:
    """One page for all tests of a module, for those that leave nothing behind which the next would see."""
    with new_page(browser, service, viewport={"width": 800, "height": 700}) as (opened, _):
        open_page(opened)
        yield opened


@pytest.fixture
def watched(browser: Browser, service: Service) -> Iterator[tuple[Page, Watch]]:
    with new_page(browser, service) as opened:
        open_page(opened[0])
        yield opened


@pytest.fixture
def page(watched: tuple[Page, Watch]) -> Page:
    """The page, with its first photo."""
    return watched[0]


@pytest.fixture
def watch(watched: tuple[Page, Watch]) -> Watch:
    """What goes on in the page."""
    return watched[1]
