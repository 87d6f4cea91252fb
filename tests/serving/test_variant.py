"""Which variant a project gets: read from the settings, kept for ever, split as it was meant."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from app.serving.variant import CONTROL, TEACHER, Experiment, Variant, read_experiment, rivals_in
from app.settings import Settings
from tests.serving.helpers import settings

PROJECTS = [f"project-{number}" for number in range(2000)]


def experiment(**percents: float) -> Experiment:
    return Experiment("looks", [Variant(name, percent, f"{name}@1") for name, percent in percents.items()])


def split(of: Experiment) -> dict[str, str]:
    return {project: of.variant_of(project) for project in PROJECTS}


def test_an_experiment_is_read_from_its_name_and_its_variants() -> None:
    found = read_experiment(settings(experiment="looks", variants=" bolder:10=mini@2, teacher:2.5=teacher "))
    assert found == Experiment("looks", [Variant("bolder", 10, "mini@2"), Variant("teacher", 2.5, TEACHER)])
    assert found.percents == {"control": 87.5, "bolder": 10, "teacher": 2.5}
    assert read_experiment(settings()) is None


@pytest.mark.parametrize(
    ("name", "variants", "said"),
    [
        ("looks", None, "go together"),
        (None, "bolder:10=mini@2", "go together"),
        ("Looks!", "bolder:10=mini@2", "is no name"),
        ("l" * 33, "bolder:10=mini@2", "is no name"),
        ("looks", "bolder=mini@2:10", "'bolder=mini@2:10' is no variant"),
        ("looks", "Bolder:10=mini@2", "'Bolder:10=mini@2' is no variant"),
        ("looks", "bolder:-10=mini@2", "expected name:percent=model"),
        ("looks", "bolder:nan=mini@2", "expected name:percent=model"),
        ("looks", "bolder:0=mini@2", "bolder has 0%"),
        ("looks", "bolder:10=mini", "bolder: 'mini' is not of the form name@version"),
        ("looks", "b:10=mini@2,b:10=mini@3", "a name is there twice"),
        ("looks", "control:90=mini@1,b:10=mini@2", "which is RECOLOR_MODEL"),
        ("looks", "a:60=mini@2,b:40=mini@3", "100% of the projects leave none to control"),
        ("looks", ",", "names 0 variants"),
        ("looks", ",".join(f"v{number}:1=mini@2" for number in range(9)), "names 9 variants"),
    ],
)
def test_what_is_no_experiment_is_named(name: str | None, variants: str | None, said: str) -> None:
    with pytest.raises(ValueError, match="RECOLOR_") as refused:
        read_experiment(settings(experiment=name, variants=variants))
    assert said in str(refused.value)


def test_every_student_is_loaded_once() -> None:
    several = {"experiment": "looks", "variants": "a:10=mini@2,b:10=mini@2,same:10=scripted@1,t:10=teacher"}
    assert rivals_in(settings(**several)) == ["mini@2"]
    assert rivals_in(settings()) == []
    assert rivals_in(settings(backend="remote", **several)) == ["mini@2"]
    with pytest.raises(ValueError, match="mini@2 would be a second engine of vLLM"):
        rivals_in(settings(backend="vllm", **several))
    with pytest.raises(ValueError, match="RECOLOR_REMOTE_MODEL names one model"):
        rivals_in(settings(backend="remote", remote_model="llama", **several))
    assert rivals_in(Settings(model="llama@1", backend="vllm", experiment="looks", variants="t:5=teacher")) == []


def test_a_project_keeps_its_variant_in_every_process_and_every_version() -> None:
    of = experiment(a=20, b=20)
    letters = "".join(of.variant_of(project)[0] for project in PROJECTS[:12])
    assert letters == "cbbccbcccacb"
    assert [of.variant_of(odd) for odd in ("Größe 🌅", "\ud800")] == ["control", "b"]


def test_projects_are_split_as_it_was_meant() -> None:
    of = experiment(a=10, b=5, c=25)
    counts = Counter(split(of).values())
    for name, percent in of.percents.items():
        expected = len(PROJECTS) * percent / 100
        assert abs(counts[name] - expected) < 4 * (expected * (1 - percent / 100)) ** 0.5, name


@given(st.floats(0.1, 49), st.floats(0.1, 49), st.floats(0.1, 49))
@hypothesis_settings(max_examples=10)
def test_a_share_that_changes_moves_projects_only_out_of_the_control_or_back(a: float, b: float, wider: float) -> None:
    before, after = split(experiment(a=a, b=b)), split(experiment(a=wider, b=b))
    moved = {(before[project], after[project]) for project in PROJECTS if before[project] != after[project]}
    assert moved <= ({(CONTROL, "a")} if wider > a else {("a", CONTROL)})
    after = split(experiment(a=a, b=wider))
    moved = {(before[project], after[project]) for project in PROJECTS if before[project] != after[project]}
    assert moved <= ({(CONTROL, "b")} if wider > b else {("b", CONTROL)})


def test_another_experiment_splits_anew() -> None:
    first = split(experiment(a=50))
    second = split(Experiment("other", [Variant("a", 50, "a@1")]))
    alike = sum(first[project] == second[project] for project in PROJECTS)
    assert abs(alike - len(PROJECTS) / 2) < 4 * (len(PROJECTS) / 4) ** 0.5
