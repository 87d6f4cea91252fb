"""What is compared with what, and how it is summed up."""

import pytest

from app.distill.reality.difference import Difference, difference, lab
from app.distill.reality.distances import (
    APART,
    APART_THERE,
    TWO_TEACHERS,
    Measurement,
    Summary,
    by_domain,
    measure,
    summaries,
)
from app.grade import Grade
from tests.distill.reality.helpers import pair, photo, warm

WITH_FILTER = Grade.parse({"adjust": {"temperature": 40}, "filter": {"name": "winter", "intensity": 60}})


def found(measurements: list[Measurement], between: str, intent: str = "golden hour") -> Measurement:
    [one] = [each for each in measurements if (each.between, each.intent) == (between, intent)]
    return one


def test_the_distance_is_that_between_the_rendered_pictures() -> None:
    given, shown = pair(), photo()
    apart = found(measure([given], [shown]), APART).apart
    assert apart == difference(lab(shown.under(given.student)), lab(shown.under(given.teacher)))
    assert apart.mean > 0.5


def test_each_reference_is_measured_beside() -> None:
    measured = measure([pair(student=0, teacher=40), pair("noir", student=-40, teacher=-40)], [photo()])
    assert found(measured, "student and original").apart.mean == 0
    assert found(measured, APART).apart.mean == pytest.approx(found(measured, "teacher and original").apart.mean)
    assert found(measured, APART, "noir").apart.mean == 0
    other = found(measured, "teacher and teacher, another intent").apart
    assert other.mean > found(measured, APART).apart.mean, "from warm to cold is farther than from warm to nothing"
    assert other.mean == pytest.approx(found(measured, "teacher and teacher, another intent", "noir").apart.mean)


def test_one_intent_alone_has_no_other_to_be_compared_with() -> None:
    assert "teacher and teacher, another intent" not in {each.between for each in measure([pair()], [photo()])}


def test_a_second_answer_is_measured_with_the_student_on_the_same_intents() -> None:
    measured = measure([pair(second=warm(35)), pair("noir", student=-90)], [photo()])
    sums = summaries(measured)
    assert (sums[APART].pictures, sums[APART_THERE].pictures, sums[TWO_TEACHERS].pictures) == (2, 1, 1)
    assert sums[APART_THERE].mean == found(measured, APART).apart.mean
    assert 0 < sums[TWO_TEACHERS].mean < sums[APART_THERE].mean


def test_a_tool_counts_with_what_its_settings_alone_change() -> None:
    measured = measure([pair(student=40, teacher=WITH_FILTER)], [photo()])
    assert found(measured, "adjust").apart == Difference(0, 0)
    assert found(measured, "selective_adjust").apart == Difference(0, 0)
    assert found(measured, "filter").apart == found(measured, APART).apart
    assert found(measured, "filter").apart.mean > 1


def test_every_pair_is_measured_on_every_photo_and_progress_is_told() -> None:
    done: list[int] = []
    measured = measure([pair(), pair("noir")], [photo("a"), photo("b", 8, 8)], done.append)
    assert done == [1, 2, 3, 4]
    assert {(each.intent, each.photo) for each in measured} == {
        (intent, name) for intent in ("golden hour", "noir") for name in "ab"
    }


def test_a_summary_is_over_pictures() -> None:
    summary = Summary.of([Difference(mean, 50) for mean in (1, 2, 3, 4, 10)])
    assert summary == Summary(5, 4, 3, pytest.approx(8.8))
    assert Summary.of([]) is None


def test_domains_are_summed_up_apart() -> None:
    measured = measure([pair(), pair("noir", student=40, domain="cinema")], [photo()])
    sums = by_domain(measured)
    assert list(sums) == ["cinema", "light"]
    assert sums["cinema"][APART].mean == 0
    assert sums["light"][APART].mean == found(measured, APART).apart.mean
