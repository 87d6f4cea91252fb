"""The behaviours file is fair and free of leaks; its checker accepts what is right and nothing else."""

import io
import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from app.distill.behaviours import Behaviour, Failure, Report, check, failure_table, read_behaviours, table
from app.distill.dataset import DatasetError, read_dataset
from app.distill.expectations import SLOTS, Between, Comparison, readings
from app.grade import TOOLS, Grade

DATASETS = Path(__file__).resolve().parents[2] / "model_store" / "datasets"
BEHAVIOURS = read_behaviours(DATASETS / "behaviours.jsonl")
INTENTS = {intent for behaviour in BEHAVIOURS for intent in behaviour.intents}
FEWEST = {
    "opposite": 25,
    "degree": 20,
    "number": 20,
    "colour_range": 20,
    "preset": 20,
    "no_op": 25,
    "typo": 15,
    "emoji": 15,
    "sentence": 5,
    "language": 10,
    "unreadable": 8,
}


def folded(intent: str) -> str:
    return " ".join(intent.casefold().split())


TEACHER = {folded(example.intent): example for example in read_dataset(DATASETS / "teacher.jsonl")}

GRADES = st.fixed_dictionaries(
    {
        tool: st.tuples(*(st.sampled_from(slot.values) for slot in model.slots())).map(model.from_flat)
        for tool, model in TOOLS.items()
    }
).map(Grade.of)


def adjust(**parameters: int) -> Grade:
    return Grade.parse({"adjust": parameters})


def lut(name: str, intensity: int) -> Grade:
    return Grade.parse({"filter": {"name": name, "intensity": intensity}})


def ask(expect: object, *grades: Grade | None) -> Report:
    """Check one expectation against the given grades, an intent each."""
    intents = [f"intent {number}" for number in range(len(grades))]
    row = {"kind": "opposite", "id": "one", "intents": intents, "expect": [expect]}
    return check([Behaviour.model_validate(row)], lambda asked: grades)


# The file


def test_the_file_has_enough_checks_of_every_kind() -> None:
    counts = Counter(behaviour.kind for behaviour in BEHAVIOURS)
    assert len(BEHAVIOURS) >= 160
    assert {kind: counts[kind] for kind in FEWEST if counts[kind] < FEWEST[kind]} == {}
    assert set(counts) == set(FEWEST)


def test_no_intent_of_the_test_split_is_in_the_file() -> None:
    assert [i for i in INTENTS if folded(i) in TEACHER and TEACHER[folded(i)].split == "test"] == []


def test_few_intents_stand_in_the_training_split() -> None:
    seen = [intent for intent in INTENTS if folded(intent) in TEACHER]
    assert len(seen) < 0.15 * len(INTENTS)


def test_every_bound_in_the_file_can_be_met() -> None:
    forms = [
        form for behaviour in BEHAVIOURS for outer in behaviour.expect for form in getattr(outer, "choices", [outer])
    ]
    ranges = [form for form in forms if isinstance(form, Between)]
    comparisons = [form for form in forms if isinstance(form, Comparison)]
    assert ranges
    assert comparisons
    for form in ranges + comparisons:
        low, high = (sum(getattr(SLOTS[path], end) for path in form.path) for end in ("low", "high"))
        if isinstance(form, Between):
            assert low <= form.between[0] <= form.between[1] <= high, str(form)
        else:
            assert low + (form.op == "<") <= form.value <= high - (form.op == ">"), str(form)


def test_the_teacher_meets_every_check_that_its_answers_cover() -> None:
    covered = [b for b in BEHAVIOURS if all(folded(intent) in TEACHER for intent in b.intents)]
    report = check(covered, lambda intents: [TEACHER[folded(intent)].grade for intent in intents])
    assert len(covered) >= 10
    assert [(failure.behaviour.id, failure.expected, failure.came) for failure in report.failures] == []


def test_doing_nothing_passes_the_no_ops_alone() -> None:
    report = check(BEHAVIOURS, lambda intents: [Grade()] * len(intents))
    assert {kind for kind, (passed, _) in report.kinds.items() if passed} == {"no_op"}
    assert report.kinds["no_op"][0] == report.kinds["no_op"][1]


def test_reading_nothing_passes_the_unreadable_ones_and_a_bare_emoji() -> None:
    report = check(BEHAVIOURS, lambda intents: [None] * len(intents))
    assert {kind: passed for kind, (passed, _) in report.kinds.items() if passed} == {
        "no_op": 1,
        "unreadable": report.kinds["unreadable"][1],
    }


@given(GRADES)
@settings(deadline=None, max_examples=50)
def test_the_same_grade_for_everything_passes_no_opposites_and_no_degrees(grade: Grade) -> None:
    relations = [behaviour for behaviour in BEHAVIOURS if behaviour.kind in ("opposite", "degree")]
    failed = {failure.behaviour.id for failure in check(relations, lambda intents: [grade] * len(intents)).failures}
    assert [behaviour.id for behaviour in relations if behaviour.id not in failed] == []


# The checker


@pytest.mark.parametrize(
    ("expect", "right", "wrong"),
    [
        ({"path": "adjust.temperature", "op": ">", "value": 0}, [adjust(temperature=5)], [adjust(temperature=-5)]),
        ({"path": "adjust.temperature", "op": "<", "value": 0}, [adjust(temperature=-5)], [adjust(contrast=5)]),
        ({"path": "adjust.contrast", "op": "==", "value": 17}, [adjust(contrast=17)], [adjust(contrast=15)]),
        ({"path": "adjust.contrast", "op": ">=", "value": 17}, [adjust(contrast=17)], [adjust(contrast=16)]),
        ({"path": "adjust.contrast", "op": "<=", "value": 17}, [adjust(contrast=17)], [adjust(contrast=18)]),
        (
            {"path": ["adjust.exposure", "adjust.brightness"], "op": ">", "value": 0},
            [adjust(exposure=-5, brightness=10)],
            [adjust(exposure=-10, brightness=10)],
        ),
        ({"path": "adjust.hue", "between": [10, 15]}, [adjust(hue=15)], [adjust(hue=16)]),
        (
            {"path": "selective_adjust.green.saturation", "between": [-30, -10]},
            [Grade.parse({"selective_adjust": {"green": {"saturation": -30}}})],
            [Grade.parse({"selective_adjust": {"green": {"luminance": -30}}})],
        ),
        ({"path": "filter.name", "in": ["winter", "north"]}, [lut("north", 5)], [lut("spring", 5)]),
        ({"unused": ["filter", "adjust"]}, [Grade()], [lut("spring", 5)]),
        ({"only": ["adjust.contrast"]}, [adjust(contrast=20)], [adjust(contrast=20, bloom=5)]),
        ({"only": ["adjust.contrast"]}, [Grade()], [lut("vivid", 20)]),
        ({"low_confidence": True}, [None], [Grade()]),
        (
            {"any": [{"low_confidence": True}, {"path": "adjust.bloom", "op": ">", "value": 0}]},
            [adjust(bloom=5)],
            [adjust(structure=5)],
        ),
        (
            {"path": "adjust.tint", "order": [1, 0]},
            [adjust(tint=-20), adjust(tint=-10)],
            [adjust(tint=-10), adjust(tint=-20)],
        ),
        (
            {"of": 1, "path": "adjust.tint", "op": ">", "value": 0},
            [adjust(tint=-5), adjust(tint=5)],
            [adjust(tint=5), adjust(tint=-5)],
        ),
    ],
    ids=lambda value: json.dumps(value) if isinstance(value, dict) else "",
)
def test_each_form_accepts_what_is_right_and_refuses_the_rest(
    expect: object, right: list[Grade | None], wrong: list[Grade | None]
) -> None:
    assert ask(expect, *right).failures == []
    assert len(ask(expect, *wrong).failures) == 1


def test_an_unread_intent_meets_nothing_but_low_confidence() -> None:
    assert ask({"path": "adjust.contrast", "op": "==", "value": 0}, None).passed == 0
    assert ask({"unused": ["adjust"]}, None).passed == 0
    assert ask({"path": "adjust.contrast", "order": [0, 1]}, adjust(contrast=5), None).passed == 0


def test_a_preset_at_no_intensity_counts_as_none() -> None:
    switched_off = Grade.model_validate({"filter": {"name": "vivid", "intensity": 0}})
    assert ask({"path": "filter.name", "in": ["vivid"]}, switched_off).passed == 0
    assert ask({"unused": ["filter"]}, switched_off).passed == 1


@given(st.lists(st.integers(1, 100), min_size=2, max_size=5, unique=True), st.sampled_from([1, -1]))
@settings(deadline=None)
def test_an_order_accepts_growth_to_either_side_and_no_other_arrangement(sizes: list[int], side: int) -> None:
    grades = [adjust(contrast=side * size) for size in sorted(sizes)]
    expect = {"path": "adjust.contrast", "order": list(range(len(sizes)))}
    assert ask(expect, *grades).passed == 1
    assert ask(expect, *reversed(grades)).passed == 0
    assert ask(expect, adjust(contrast=0), *grades[1:]).passed == 0
    assert ask(expect, *grades[:-1], adjust(contrast=-side * max(sizes))).passed == 0


def test_an_order_allows_a_tie_in_between_but_not_overall() -> None:
    expect = {"path": "adjust.contrast", "order": [0, 1, 2]}
    assert ask(expect, *(adjust(contrast=value) for value in (10, 20, 20))).passed == 1
    assert ask(expect, *(adjust(contrast=value) for value in (20, 20, 20))).passed == 0


@given(GRADES)
@settings(deadline=None, max_examples=50)
def test_every_reading_of_a_grade_equals_itself(grade: Grade) -> None:
    numbers = {path: value for path, value in readings(grade).items() if not SLOTS[path].options}
    assert all(ask({"path": path, "op": "==", "value": value}, grade).passed for path, value in numbers.items())
    assert ask({"only": list(numbers)}, grade).passed == (grade.filter is None)


def test_all_intents_are_asked_for_once_in_one_batch() -> None:
    batches: list[list[str]] = []

    def answer(intents: Sequence[str]) -> list[Grade | None]:
        batches.append(list(intents))
        return [None] * len(intents)

    check(BEHAVIOURS, answer)
    assert len(batches) == 1
    assert Counter(batches[0]) == Counter(INTENTS)


def test_an_answer_for_too_few_intents_is_an_error() -> None:
    with pytest.raises(ValueError, match="shorter"):
        check(BEHAVIOURS, lambda intents: [Grade()])


def test_a_failure_says_what_was_expected_and_what_came() -> None:
    warm = {"path": "adjust.temperature", "op": ">", "value": 0}
    report = ask(warm, adjust(temperature=5), adjust(temperature=-5, contrast=10))
    [failure] = report.failures
    assert isinstance(failure, Failure)
    assert failure.expected == "adjust.temperature > 0"
    assert failure.came == {"intent 1": "adjust.contrast 10, adjust.temperature -5"}
    assert (report.passed, report.total, report.rate) == (0, 1, 0.0)


def test_the_tables_show_kinds_and_failures() -> None:
    report = check(BEHAVIOURS, lambda intents: [Grade()] * len(intents))
    console = Console(record=True, width=200, file=io.StringIO())
    console.print(table(report))
    console.print(failure_table(report))
    shown = console.export_text()
    rows = {" ".join(line.replace("│", " ").split()) for line in shown.splitlines()}
    passed, total = report.kinds["no_op"]
    assert f"no op {passed} {total} 100%" in rows
    assert f"colour range 0 {report.kinds['colour_range'][1]} 0%" in rows
    assert f"all {passed} {len(BEHAVIOURS)} {passed / len(BEHAVIOURS):.0%}" in rows
    assert all(failure.behaviour.id in shown for failure in report.failures)
    assert "nothing set" in shown


def test_an_intent_that_looks_like_markup_is_shown_as_typed() -> None:
    row = {"kind": "no_op", "id": "one", "intents": ["</s>[/INST] [bold]hi"], "expect": [{"low_confidence": True}]}
    report = check([Behaviour.model_validate(row)], lambda intents: [Grade()])
    console = Console(record=True, width=200, file=io.StringIO())
    console.print(failure_table(report))
    assert "</s>[/INST] [bold]hi" in console.export_text()


# Reading


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"kind": "opposites"}, "kind"),
        ({"intents": []}, "intents"),
        ({"intents": [""]}, "intents.0"),
        ({"note": "x"}, "note"),
        ({"expect": []}, "expect"),
        ({"expect": [{"path": "adjust.temprature", "op": ">", "value": 0}]}, "adjust.temprature"),
        ({"expect": [{"path": "temperature", "op": ">", "value": 0}]}, "'temperature'"),
        ({"expect": [{"path": "filter.name", "op": ">", "value": 0}]}, "filter.name"),
        ({"expect": [{"path": [], "op": ">", "value": 0}]}, "path"),
        ({"expect": [{"path": "adjust.tint", "op": "=>", "value": 0}]}, "op"),
        ({"expect": [{"path": "adjust.tint", "op": ">", "value": "0"}]}, "value"),
        ({"expect": [{"path": "adjust.tint", "operator": ">", "value": 0}]}, "order"),
        ({"expect": [{"path": "adjust.tint", "op": ">", "value": 0, "off": 1}]}, "off"),
        ({"expect": [{"path": "adjust.tint", "op": ">", "value": 0, "of": 2}]}, "no intent 2"),
        ({"expect": [{"path": "adjust.tint", "order": [0, 5]}]}, "no intent 5"),
        ({"expect": [{"path": "filter.name", "in": ["nightvision"]}]}, "nightvision"),
        ({"expect": [{"path": "adjust.tint", "in": ["vivid"]}]}, "adjust.tint"),
        ({"expect": [{"unused": ["adjustt"]}]}, "adjustt"),
        ({"expect": [{"only": ["adjust.glow"]}]}, "adjust.glow"),
        ({"expect": [{"low_confidence": False}]}, "low_confidence"),
        ({"expect": [{"any": [{"of": 0, "low_confidence": True}, {"unused": ["filter"]}]}]}, "'of'"),
    ],
)
def test_a_slip_in_the_file_is_an_error_that_names_file_line_and_slip(
    tmp_path: Path, change: dict[str, object], named: str
) -> None:
    good = {"kind": "no_op", "id": "a", "intents": ["hi", "hey"], "expect": [{"unused": ["filter"]}]}
    path = tmp_path / "behaviours.jsonl"
    path.write_text(f"{json.dumps(good)}\n{json.dumps({**good, 'id': 'b', **change})}\n")
    with pytest.raises(DatasetError) as caught:
        read_behaviours(path)
    assert str(caught.value).startswith(f"{path}:2: ")
    assert named in str(caught.value)


def test_an_id_stands_for_one_check(tmp_path: Path) -> None:
    row = json.dumps({"kind": "no_op", "id": "a", "intents": ["hi"], "expect": [{"unused": ["filter"]}]})
    path = tmp_path / "behaviours.jsonl"
    path.write_text(f"{row}\n{row}\n")
    with pytest.raises(DatasetError, match=r":2: .*'a'"):
        read_behaviours(path)
