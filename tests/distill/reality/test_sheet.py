"""The contact sheet: the right pictures in the right places, and words that can be read."""

import numpy as np
import pytest
from PIL import Image, ImageChops

from app.distill.reality.sheet import PICTURE, ROWS, contact_sheets, font, in_words, printable, wrapped
from app.distill.reality.trials import Trial, trials
from tests.distill.reality.helpers import pair, photo, some_trials


def sheets(shown: list[Trial]) -> list[Image.Image]:
    return list(contact_sheets(shown, "What teacher and student make of it", "tiny@1"))


def place_of(pixels: np.ndarray, sheet: Image.Image) -> tuple[int, int]:
    """The left upper corner of a picture on a sheet, where it is found to the bit."""
    whole = np.asarray(sheet)
    height, width = pixels.shape[:2]
    for top, left in np.argwhere((whole == pixels[0, 0]).all(axis=-1)):
        if np.array_equal(whole[top : top + height, left : left + width], pixels):
            return int(top), int(left)
    raise AssertionError("the picture is not on the sheet")


def test_original_teacher_and_student_stand_side_by_side() -> None:
    [trial] = some_trials(1)
    [sheet] = sheets([trial])
    places = [place_of(pixels, sheet) for pixels in (trial.source, trial.teacher)]
    # The student of look 0 changes nothing: its edit is found where the original is, left of the teacher's.
    assert places[0][0] == places[1][0]
    assert places[1][1] - places[0][1] > PICTURE
    right = sheet.crop((places[1][1] + PICTURE, 0, sheet.width, sheet.height))
    assert place_of(trial.student, right)[0] == places[0][0]


def test_rows_stand_below_each_other() -> None:
    shown = some_trials(3)
    [sheet] = sheets(shown)
    tops = [place_of(trial.teacher, sheet)[0] for trial in shown]
    assert tops == sorted(set(tops))


def test_many_intents_take_several_sheets() -> None:
    shown = some_trials(1) * (2 * ROWS + 1)
    made = sheets(shown)
    assert len(made) == 3
    assert made[0].height > made[2].height


def test_photos_of_any_shape_fit() -> None:
    shapes = [photo("wide", 600, 100), photo("tall", 100, 600), photo("dot", 1, 1)]
    for shape in shapes:
        [sheet] = sheets(list(trials([pair()], [shape], PICTURE)))
        assert sheet.width < 2000
        assert sheet.height < 700


def test_an_intent_is_written_on_the_sheet() -> None:
    [one], [other] = sheets(some_trials(1)), sheets(list(trials([pair("another look", 0, 20)], [photo()], 24)))
    assert ImageChops.difference(one, other).getbbox() is not None


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("golden hour", "golden hour"),
        ("más ödländisch weiß", "mas odlandisch weiss"),
        ("🔥 gym", "[fire] gym"),
        ("noir\u200b", "noir"),
        ("電影 noir", "?? noir"),
        ("“quoted”…", "“quoted”…"),
    ],
)
def test_words_are_written_in_the_glyphs_that_there_are(text: str, shown: str) -> None:
    assert printable(text) == shown


def test_long_words_are_wrapped_and_cut() -> None:
    face = font(20)
    lines = wrapped("a very long look that goes on and on " * 5, face, 200, 3)
    assert len(lines) == 3
    assert lines[-1].endswith("…")
    assert all(face.getlength(line) <= 200 for line in lines)
    [endless] = wrapped("x" * 200, face, 200, 3)
    assert face.getlength(endless) <= 200
    assert wrapped("short", face, 200, 3) == ["short"]


@pytest.mark.parametrize(("apart", "words"), [(0, "the same"), (1, "very close"), (3, "close"), (6, "plain to see")])
def test_a_difference_is_told_in_words(apart: float, words: str) -> None:
    assert in_words(apart) == words
