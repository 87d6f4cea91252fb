"""Experiments: the numbers of the literature, honest at every look, and nothing odd in makes NaN out."""

import json
import math
import re
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import numpy as np
import pytest
from click.testing import Result
from hypothesis import given, settings
from PIL import Image
from scipy.stats import norm
from typer.testing import CliRunner

from app.cli import cli
from app.distill.experiment.analysis import Report, analyse, compare, sample_size
from app.distill.experiment.counts import PUBLISHED, Arm, ExperimentError, read_arm
from app.events.database import Database
from app.events.store import EventStore
from tests.events.helpers import NOW, Feedback, record, serve


def report(*arms: Arm, lift: float = 0.02, effect: float = 0.03) -> Report:
    return analyse(arms, arms[0].name, lift, 0.8, effect)


def recolor(*arguments: object) -> Result:
    return CliRunner().invoke(cli, [str(argument) for argument in arguments], env={"COLUMNS": "120"})


def test_ratio_and_interval_are_those_of_katz() -> None:
    found = report(Arm("control", 200, 1000), Arm("canary", 260, 1000)).comparisons[0]
    assert found.estimate is not None
    error = math.sqrt(1 / 260 - 1 / 1000 + 1 / 200 - 1 / 1000)
    assert found.estimate.ratio == pytest.approx(1.3)
    assert found.estimate.low == pytest.approx(1.3 * math.exp(-1.959964 * error))
    assert found.estimate.high == pytest.approx(1.3 * math.exp(1.959964 * error))
    z = (0.26 - 0.2) / math.sqrt(0.23 * 0.77 * 2 / 1000)
    assert found.p == pytest.approx(2 * norm.sf(z))


def test_few_exports_are_tested_exactly() -> None:
    from scipy.stats import fisher_exact

    found = report(Arm("control", 1, 20), Arm("canary", 4, 20)).comparisons[0]
    assert found.p == pytest.approx(fisher_exact([[4, 16], [1, 19]]).pvalue)


def test_who_looks_once_is_surer_than_who_looks_every_day() -> None:
    found = report(Arm("control", 3000, 10_000), Arm("canary", 3300, 10_000)).comparisons[0]
    assert found.estimate is not None
    assert found.p < found.always_p < 0.05
    assert 1 < found.estimate.always_low < found.estimate.low
    assert found.estimate.high < found.estimate.always_high
    assert found.verdict == "better"


def test_the_sequential_interval_leaves_out_one_exactly_where_its_p_is_below_five_percent() -> None:
    for exported in range(2900, 3400, 50):
        found = compare(Arm("control", 3000, 10_000), Arm("canary", exported, 10_000), p=1, effect=0.03)
        assert (found.verdict != "undecided") == (found.always_p < 0.05)


def test_looking_every_day_at_no_effect_is_wrong_in_at_most_one_of_twenty() -> None:
    generator = np.random.default_rng(5)
    once = always = 0
    for _ in range(200):
        days = generator.binomial(500, 0.3, size=(2, 30)).cumsum(axis=1)
        looks = [
            compare(Arm("a", int(a), 500 * day), Arm("b", int(b), 500 * day), p=1, effect=0.03)
            for day, (a, b) in enumerate(days.T, 1)
        ]
        once += any(look.estimate.low > 1 or look.estimate.high < 1 for look in looks if look.estimate)
        always += any(look.verdict != "undecided" for look in looks)
    assert always / 200 <= 0.05
    assert once / 200 > 0.15  # what the other interval must not be used for


def test_an_uneven_split_is_noticed_and_an_intended_one_is_not() -> None:
    off = report(Arm("control", 300, 1000), Arm("canary", 390, 1300))
    assert off.split_p is not None
    assert off.split_p < 0.001
    assert any("split is off" in note for note in off.notes)
    meant = report(Arm("control", 2700, 9000, weight=9), Arm("canary", 310, 1010, weight=1))
    assert meant.split_p is not None
    assert meant.split_p > 0.5


def test_the_sample_size_has_the_power_that_was_asked_for() -> None:
    needed = sample_size(0.3, 0.05, 0.8)
    assert needed is not None
    spread = math.sqrt((0.3 * 0.7 + 0.315 * 0.685) / needed)
    assert norm.sf(norm.ppf(0.975) - 0.015 / spread) == pytest.approx(0.8, abs=0.01)
    assert sample_size(0.9, 0.2, 0.8) is None
    assert sample_size(0.3, 0, 0.8) is None


def test_over_several_variants_p_is_holms() -> None:
    arms = [Arm("control", 300, 1000), Arm("a", 345, 1000), Arm("b", 300, 1000)]
    alone = report(*arms[:2]).comparisons[0].p
    together = report(*arms).comparisons
    assert together[0].p == pytest.approx(2 * alone)
    assert together[1].p == 1


@given(st.lists(st.integers(0, 50).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))), min_size=0, max_size=4))
@settings(max_examples=15)
def test_whatever_was_counted_nothing_is_nan(counts: list[tuple[int, int]]) -> None:
    arms = [Arm(f"v{number}", exported, started) for number, (exported, started) in enumerate(counts)]
    found = analyse(arms, "v0", 0.02, 0.8, 0.03)
    json.dumps(found.plain(), allow_nan=False)
    assert found.notes or all(arm.exported for arm in arms)


def test_one_variant_and_none_started_are_named() -> None:
    assert report(Arm("control", 3, 10)).notes == ["nothing to compare: there is one variant"]
    notes = report(Arm("control", 3, 10), Arm("canary", 0, 0)).notes
    assert "canary: no project was started" in notes
    done = recolor("experiment", "report", "control=3/10", "canary=0/0")
    assert done.exit_code == 0
    assert "no project was started" in done.output
    assert not re.search(r"\bnan\b", done.output, re.IGNORECASE)


def test_published_experiments_follow_from_their_counts_and_an_assumed_rate() -> None:
    teacher, flan = (report(*experiment.arms(0.3)).comparisons[0] for experiment in PUBLISHED)
    assert teacher.estimate is not None
    assert flan.estimate is not None
    assert (round(teacher.estimate.ratio, 3), round(flan.estimate.ratio, 2)) == (0.961, 0.99)
    assert (teacher.verdict, flan.verdict) == ("worse", "undecided")
    done = recolor("experiment", "report", "--published", "--completion", "0.3")
    assert "94,317" in done.output
    assert "assumed" in done.output


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["control=12/10"], "12 of 10 projects"),
        (["control:1/2"], "expected name=exported/started"),
        (["a=1/2", "a=1/2"], "is there twice"),
        (["a=1/2", "b=1/2", "--control", "c"], "no variant 'c'"),
        (["a=1/2", "b=1/2", "--weights", "a=1"], "--weights names a"),
        (["a=1/2", "b=1/2", "--weights", "a=1,b=-1"], "is not positive"),
        (["a=1/2", "b=1/2", "--weights", "a,b"], "are no weights"),
        (["--published"], "go together"),
        (["a=1/2", "--experiment", "e"], "without other counts"),
        (["--published", "--completion", "1"], "is not between 0 and 1"),
    ],
)
def test_counts_that_cannot_be_are_one_clear_line(arguments: list[str], said: str) -> None:
    done = recolor("experiment", "report", *arguments)
    assert done.exit_code == 1
    assert said in done.output
    assert "Traceback" not in done.output


def test_the_event_store_s_own_counts_are_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    url = f"sqlite:///{tmp_path / 'events.sqlite3'}"
    store = EventStore(Database(url))
    store.prepare()
    for number in range(40):
        variant = ("control", "canary")[number % 2]
        store.write([record(serve(f"r{number}", project_id=f"p{number}", variant=variant))])
        if number % 4 == 0:
            store.write([record(Feedback(f"r{number}", "exported"))])
    store.close()
    monkeypatch.setenv("RECOLOR_EVENTS_URL", url)
    files = tmp_path / "e.json", tmp_path / "e.png"
    done = recolor("experiment", "report", "--json", files[0], "--chart", files[1])
    assert done.exit_code == 0, done.output
    found = json.loads(files[0].read_text(encoding="utf-8"))
    counts = {one["name"]: (one["started"], one["exported"]) for one in found["variants"]}
    assert counts == {"control": (20, 10), "canary": (20, 0)}
    assert found["control"] == "control"
    with Image.open(files[1]) as picture:
        assert picture.format == "PNG"


@pytest.fixture
def two_experiments(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the event store; of the second, the control has 90 projects and the canary 10, and one has changed over."""
    url = f"sqlite:///{tmp_path / 'events.sqlite3'}"
    store = EventStore(Database(url))
    store.prepare()
    told = [serve("old", project_id="p0", experiment="first")]
    for number in range(100):
        variant = "control" if number % 10 else "canary"
        told.append(serve(f"r{number}", project_id=f"p{number}", variant=variant, experiment="second"))
    told.append(serve("moved", project_id="p1", variant="canary", experiment="second"))
    events = [*told, Feedback("moved", "exported"), Feedback("old", "exported")]
    store.write([record(event, NOW + second) for second, event in enumerate(events)])
    store.close()
    monkeypatch.setenv("RECOLOR_EVENTS_URL", url)


def reported(folder: Path, *arguments: str) -> dict[str, Any]:
    done = recolor("experiment", "report", "--json", folder / "report.json", *arguments)
    assert done.exit_code == 0, done.output
    return json.loads((folder / "report.json").read_text(encoding="utf-8")) | {"output": done.output}


@pytest.mark.usefixtures("two_experiments")
def test_the_last_experiment_is_reported_or_the_one_that_is_named(tmp_path: Path) -> None:
    last, named = reported(tmp_path), reported(tmp_path, "--experiment", "first")
    assert "Experiment: second" in last["output"]
    assert {one["name"]: (one["started"], one["exported"]) for one in last["variants"]} == {
        "canary": (10, 0),
        "control": (90, 1),
    }
    assert "1 projects were served under several variants, and count for their first one" in last["notes"]
    assert [(one["name"], one["started"], one["exported"]) for one in named["variants"]] == [("control", 1, 1)]
    unknown = recolor("experiment", "report", "--experiment", "third")
    assert (unknown.exit_code, "knows no experiment 'third' (there: first, second)" in unknown.output) == (1, True)


@pytest.mark.usefixtures("two_experiments")
def test_the_split_is_checked_against_the_settings_of_the_experiment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert any("the split is off" in note for note in reported(tmp_path)["notes"])
    monkeypatch.setenv("RECOLOR_EXPERIMENT", "second")
    monkeypatch.setenv("RECOLOR_VARIANTS", "canary:10=recolor-mini@2")
    assert reported(tmp_path)["split_p"] == pytest.approx(1)
    monkeypatch.setenv("RECOLOR_VARIANTS", "canary:10=recolor-mini@2,late:20=teacher")
    notes = reported(tmp_path)["notes"]
    assert "late: no project was started" in notes
    assert any("the split is off" in note for note in notes)
    monkeypatch.setenv("RECOLOR_VARIANTS", "canary:110=recolor-mini@2")
    done = recolor("experiment", "report")
    assert (done.exit_code, "recolor: RECOLOR_VARIANTS: 110%" in done.output) == (1, True)


def test_a_variant_is_read_from_its_counts() -> None:
    assert read_arm("student v2=5/10") == Arm("student v2", 5, 10)
    with pytest.raises(ExperimentError):
        read_arm("=5/10")
