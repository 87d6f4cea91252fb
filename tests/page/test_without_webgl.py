"""A browser without WebGL2: the service renders, and the page says so."""

import numpy as np
import pytest
from playwright.sync_api import Browser, expect

from app.grade import Grade
from tests.api.service import Service
from tests.page.browser import AT_REST, new_page, open_page, teach, type_look

WITHOUT_WEBGL = """
const original = HTMLCanvasElement.prototype.getContext;
HTMLCanvasElement.prototype.getContext = function (kind, ...rest) {
    return kind === "webgl2" ? null : original.call(this, kind, ...rest);
};
"""


@pytest.mark.usefixtures("renderer")
def test_the_service_renders_the_picture(browser: Browser, service: Service) -> None:
    teach(service, "grey", Grade.parse({"adjust": {"saturation": -100}}))
    with new_page(browser, service) as (page, watch):
        page.add_init_script(WITHOUT_WEBGL)
        open_page(page)
        expect(page.locator("#privacy")).to_contain_text("no WebGL2: to show a look, the photo is sent to this server")
        type_look(page, "grey")
        page.wait_for_selector(AT_REST)
        pixel = (
            "(id) => [...document.getElementById(id).getContext('2d').getImageData(250, 375, 1, 1).data].slice(0, 3)"
        )
        assert np.ptp(page.evaluate(pixel, "after")) <= 3
        assert np.ptp(page.evaluate(pixel, "before")) > 10
        assert any(request.url.endswith("/render") for request in watch.requests)
