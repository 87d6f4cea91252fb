from collections.abc import Callable, Iterator
from io import BytesIO

import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

from tests.api.service import Service, served
from tests.page.browser import ARGUMENTS, PATIENCE, Watch, new_page, open_page, start_over


# Of the package, not the session: while Playwright is started no other test could run an event loop.
@pytest.fixture(scope="package")
def browser(program: Callable[[str], str]) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path=program("chromium"), args=list(ARGUMENTS), timeout=1000 * PATIENCE
        )
        yield chromium
        chromium.close()


@pytest.fixture(scope="package")
def service() -> Iterator[Service]:
    """A service that answers by script, without keys and limits."""
    with served() as running:
        yield running


@pytest.fixture(scope="package")
def renderer(service: Service) -> None:
    """The service's process that renders photos has started, for which the page might not wait long enough."""
    photo = BytesIO()
    Image.new("RGB", (8, 8)).save(photo, "PNG")
    rendered = service.client.post("/render", files={"image": photo.getvalue()}, data={"grade": "{}"})
    assert rendered.status_code == 200, rendered.text


@pytest.fixture(scope="module")
def shared(browser: Browser, service: Service) -> Iterator[tuple[Page, Watch]]:
    with new_page(browser, service) as opened:
        open_page(opened[0])
        yield opened


@pytest.fixture
def page(shared: tuple[Page, Watch]) -> Iterator[Page]:
    """The page with its first photo and no look; other tests of the module have had it before."""
    page, watch = shared
    start_over(page)
    watch.requests.clear()
    yield page
    page.unroute_all()
    page.context.set_offline(False)


@pytest.fixture
def watch(page: Page, shared: tuple[Page, Watch]) -> Watch:
    """What goes on in the page during a test."""
    return shared[1]


@pytest.fixture
def fresh(browser: Browser, service: Service) -> Iterator[Page]:
    """The page as it is when it has just been opened."""
    with new_page(browser, service) as (opened, _):
        open_page(opened)
        yield opened
