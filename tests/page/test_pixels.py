"""The picture that the page draws is the one that the renderer makes of the same pixels."""

from io import BytesIO
from typing import Any

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Page

from app.grade import Grade
from app.render import apply_grade
from tests.api.service import Service
from tests.page.browser import after, before, choose_sample, set_slider, teach, type_look, wait_for_size

POINTWISE: dict[str, Any] = {
    "light": {"adjust": {"exposure": 25, "contrast": 30, "highlights": -20, "shadows": 20, "linearOffset": 10}},
    "colours": {"adjust": {"temperature": 40, "tint": 15, "saturation": 30, "vibrance": 20, "hue": 60}},
    "ranges": {"selective_adjust": {"green": {"saturation": -60, "luminance": 30}, "blue": {"luminance": -50}}},
    "preset": {"filter": {"name": "cyberpunk", "intensity": 80}},
    "all tools": {
        "adjust": {"exposure": -15, "contrast": 25, "temperature": -20},
        "selective_adjust": {"orange": {"saturation": 40, "luminance": 10}},
        "filter": {"name": "teal_and_orange_3", "intensity": 60},
    },
    "black and white": {"adjust": {"saturation": -100}},
}
SPATIAL: dict[str, Any] = {
    "structure": {"adjust": {"structure": 80}},
    "bloom": {"adjust": {"bloom": 80}},
    "sharpen": {"adjust": {"sharpen": 80}},
    "all three, and the rest": {
        "adjust": {"exposure": 10, "contrast": 20, "structure": 50, "bloom": 50, "sharpen": 50},
        "filter": {"name": "lovely_day", "intensity": 60},
    },
}


def difference(page: Page, grade: Grade, strength: int = 100) -> np.ndarray[Any, np.dtype[np.int16]]:
    """Of the page's picture from the renderer's, channel by channel, in 1/255."""
    wanted = apply_grade(before(page), grade, strength)
    return np.abs(after(page).astype(np.int16) - wanted)


def test_no_look_changes_no_bit(page: Page) -> None:
    assert np.array_equal(after(page), before(page))


@pytest.mark.parametrize("name", POINTWISE)
def test_a_pointwise_grade_is_drawn_within_two_of_255(page: Page, service: Service, name: str) -> None:
    grade = Grade.parse(POINTWISE[name])
    teach(service, name, grade)
    type_look(page, name)
    assert difference(page, grade).max() <= 2


@pytest.mark.parametrize("name", SPATIAL)
def test_spatial_steps_are_drawn_as_the_renderer_does(page: Page, service: Service, name: str) -> None:
    grade = Grade.parse(SPATIAL[name])
    teach(service, name, grade)
    choose_sample(page, "An astronaut in an orange suit")
    type_look(page, name)
    off = difference(page, grade)
    assert off.mean() <= 1
    assert np.percentile(off, 99.9) <= 6


def test_a_picture_smaller_than_the_copy_for_wide_blurs_is_drawn_alike(page: Page, service: Service) -> None:
    grade = Grade.parse(SPATIAL["all three, and the rest"])
    teach(service, "small", grade)
    pixels = np.random.default_rng(7).integers(0, 256, (6, 9, 3), dtype=np.uint8)
    file = BytesIO()
    Image.fromarray(pixels).resize((270, 180), Image.Resampling.BICUBIC).save(file, "PNG")
    page.locator("#file").set_input_files({"name": "s.png", "mimeType": "image/png", "buffer": file.getvalue()})
    wait_for_size(page, 270, 180)
    type_look(page, "small")
    off = difference(page, grade)
    assert off.mean() <= 1
    assert np.percentile(off, 99.9) <= 6


@pytest.mark.parametrize("name", ["all tools", "all three, and the rest"])
def test_the_strength_is_drawn_as_the_renderer_blends_it(page: Page, service: Service, name: str) -> None:
    grade = Grade.parse((POINTWISE | SPATIAL)[name])
    teach(service, name, grade)
    type_look(page, name)
    set_slider(page, "Strength", 45)
    assert np.percentile(difference(page, grade, 45), 99.9) <= 6
    set_slider(page, "Strength", 0)
    assert np.array_equal(after(page), before(page))
    set_slider(page, "Strength", 100)
