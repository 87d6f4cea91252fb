"""The scores, by hand: how far a student's grades are from the teacher's."""

from math import sqrt

import pytest

from app.distill.dataset import Example, read_dataset
from app.distill.scores import harmonic, score, spurious_parameters
from app.grade import Grade, fold
from tests.distill.conftest import DATASETS

TWO_TEACHERS = 0.834
SPURIOUS = 1.42


def grade(**tools: object) -> Grade:
    return Grade.parse(tools)


def adjust(**parameters: int) -> Grade:
    return grade(adjust=parameters)


def lut(name: str, intensity: int = 40) -> Grade:
    return grade(filter={"name": name, "intensity": intensity})


def test_the_whole_by_hand() -> None:
    given = [
        grade(
            adjust={"contrast": 50},
            selective_adjust={"red": {"saturation": 100}},
            filter={"name": "vivid", "intensity": 40},
        ),
        grade(selective_adjust={"blue": {"luminance": 10}}, filter={"name": "winter", "intensity": 10}),
    ]
    wanted = [
        grade(
            adjust={"contrast": 50, "exposure": 50},
            selective_adjust={"red": {"saturation": 50}},
            filter={"name": "vivid", "intensity": 90},
        ),
        lut("north", 10),
    ]
    scores = score(given, wanted)
    found = {tool: (own.selection, own.quality, own.final) for tool, own in scores.tools.items()}
    assert found["adjust"] == pytest.approx((1, 1 / sqrt(2), 2 * (sqrt(2) - 1)))
    assert found["selective_adjust"] == pytest.approx((2 / 3, 1, 4 / 5))
    assert found["filter"] == pytest.approx((1, 1 / 2, 2 / 3))
    assert scores.overall == pytest.approx((2 * (sqrt(2) - 1) + 4 / 5 + 2 / 3) / 3)
    assert scores.spurious == 1 / 2
    assert scores.rows == 2


def test_selection_is_the_f1_of_use() -> None:
    used, unused = adjust(contrast=10), Grade()
    found = score([used, used, used, unused, unused], [used, unused, unused, used, unused]).tools["adjust"]
    assert (found.precision, found.recall) == pytest.approx((1 / 3, 1 / 2))
    assert found.selection == pytest.approx(2 / 5)
    assert found.quality == pytest.approx(1)


def test_a_parameter_counts_by_its_share_of_its_range() -> None:
    half = score([adjust(hue=180)], [adjust(hue=180, contrast=50)]).tools["adjust"]
    assert half.quality == pytest.approx(1 / sqrt(2))
    amount = score([adjust(bloom=30)], [adjust(bloom=30, contrast=-40)]).tools["adjust"]
    assert amount.quality == pytest.approx(3 / 5)


def test_quality_asks_for_the_direction_and_not_for_the_strength() -> None:
    found = score([adjust(contrast=5, exposure=10)], [adjust(contrast=40, exposure=80)]).tools["adjust"]
    assert found.quality == pytest.approx(1)


def test_the_opposite_is_worth_nothing() -> None:
    found = score([adjust(temperature=30)], [adjust(temperature=-30)]).tools["adjust"]
    assert (found.selection, found.quality, found.final) == pytest.approx((1, -1, 0))


def test_a_preset_is_right_or_wrong_whatever_its_intensity() -> None:
    found = score([lut("vivid", 10), lut("vivid")], [lut("vivid", 100), lut("ultra")]).tools["filter"]
    assert found.quality == 1 / 2


def test_quality_is_taken_over_the_rows_where_both_use_the_tool() -> None:
    found = score([lut("vivid"), lut("winter"), Grade()], [lut("vivid"), Grade(), lut("north")]).tools["filter"]
    assert (found.selection, found.quality) == (1 / 2, 1)


def test_no_rows_have_no_scores() -> None:
    scores = score([], [])
    assert (scores.rows, scores.overall, scores.spurious) == (0, 0, 0)


@pytest.mark.parametrize(("a", "b", "mean"), [(1, 1, 1), (0.5, 1, 2 / 3), (0, 1, 0), (0.9, -0.5, 0), (0, 0, 0)])
def test_the_harmonic_mean(a: float, b: float, mean: float) -> None:
    assert harmonic(a, b) == pytest.approx(mean)


@pytest.mark.parametrize(
    ("given", "wanted", "count"),
    [
        (adjust(contrast=10), adjust(contrast=90), 0),
        (adjust(contrast=10, hue=5, tint=-5), adjust(contrast=10), 2),
        (adjust(contrast=10), adjust(exposure=10), 1),
        (adjust(contrast=10), Grade(), 1),
        (Grade(), adjust(contrast=10), 0),
        (lut("vivid"), lut("ultra"), 0),
        (lut("vivid"), Grade(), 1),
        (grade(adjust={"tint": 5}, selective_adjust={"red": {"luminance": 5, "saturation": 5}}), Grade(), 3),
    ],
)
def test_a_spurious_parameter_is_set_where_the_teacher_leaves_zero(given: Grade, wanted: Grade, count: int) -> None:
    assert spurious_parameters(given, wanted) == count


def test_two_teachers_agree_as_published(teacher: list[Example]) -> None:
    """The reference for any student, from a dataset that was written apart from these lines."""
    first = {fold(row.intent): row.grade for row in teacher}
    second = [row for row in read_dataset(DATASETS / "alternates.jsonl") if fold(row.intent) in first]
    assert len(second) == 771
    found = score([row.grade for row in second], [first[fold(row.intent)] for row in second])
    assert found.overall == pytest.approx(TWO_TEACHERS, abs=0.001)
    assert found.spurious == pytest.approx(SPURIOUS, abs=0.01)
