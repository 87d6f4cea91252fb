"""Agreement beyond chance, by the published examples."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.distill.reality.agreement import fleiss_kappa, krippendorff_alpha

# Krippendorff, "Computing Krippendorff's alpha-reliability" (2011), example C: four observers, twelve units.
OBSERVERS = ("123321412...", "1233224125.3", ".3332342251.", "12332441251.")
UNITS = [[observer[unit] for observer in OBSERVERS if observer[unit] != "."] for unit in range(12)]

# Fleiss (1971): fourteen raters put ten subjects into five classes.
CLASSES = """
0 0 0 0 14
0 2 6 4 2
0 0 3 5 6
0 3 9 2 0
2 2 8 1 1
7 7 0 0 0
3 2 6 3 0
2 5 3 2 2
6 5 2 1 0
0 2 2 3 7
"""
SUBJECTS = [
    [class_ for class_, times in enumerate(line.split()) for _ in range(int(times))]
    for line in CLASSES.strip().splitlines()
]

units = st.lists(st.lists(st.sampled_from("abn"), max_size=4), max_size=12)


def test_alpha_of_the_published_example() -> None:
    assert krippendorff_alpha(UNITS) == pytest.approx(0.743, abs=5e-4)


def test_kappa_of_the_published_example() -> None:
    assert fleiss_kappa(SUBJECTS) == pytest.approx(0.210, abs=5e-4)


def test_units_with_one_answer_or_none_change_nothing() -> None:
    more = [*UNITS, ["7"], []]
    assert krippendorff_alpha(more) == krippendorff_alpha(UNITS)
    assert fleiss_kappa([*SUBJECTS, [0], []]) == fleiss_kappa(SUBJECTS)


def test_kappa_leaves_out_units_that_somebody_did_not_answer() -> None:
    assert fleiss_kappa([*SUBJECTS, [0] * 13]) == fleiss_kappa(SUBJECTS)


@pytest.mark.parametrize("measure", [krippendorff_alpha, fleiss_kappa])
@pytest.mark.parametrize("nothing", [[], [[]], [["a"], ["b"]], [["a", "a"], ["a", "a"]]])
def test_nothing_to_agree_on_has_no_agreement(measure, nothing: list[list[str]]) -> None:
    assert measure(nothing) is None


@given(units)
def test_both_are_at_most_one_and_one_where_all_agree(answers: list[list[str]]) -> None:
    for measure in (krippendorff_alpha, fleiss_kappa):
        found = measure(answers)
        assert found is None or found <= 1 + 1e-12
        agreed = measure([unit[:1] * len(unit) for unit in answers])
        assert agreed is None or agreed == pytest.approx(1)
