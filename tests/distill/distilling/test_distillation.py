"""The whole journey, killed everywhere, and what it decides."""

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from app.distill.dataset import DatasetError, read_dataset
from app.distill.distilling import report
from app.distill.distilling.outcome import Outcome
from app.distill.distilling.page import page
from app.distill.distilling.plan import Limits, shown
from app.distill.distilling.seen import told, trained_on
from app.grade import fold
from app.students import ModelStoreError
from app.students.store import ModelStore, sha256
from tests.distill.distilling.runs import (
    SAMPLE,
    TEST,
    TRAIN,
    VALIDATION,
    KilledError,
    Told,
    Trainer,
    plan_of,
    run,
    teacher,
    told_of,
)
from tests.students.tiny import Tiny, write_lines


def copied(outcome: Outcome, tiny: Tiny, folder: Path, **changes: Any) -> Any:
    """The plan of a finished run, in a copy of its folder."""
    shutil.copytree(outcome.plan.folder, folder / "run")
    return plan_of(tiny, folder, **changes)


def test_it_goes_from_a_dataset_to_the_model_store(whole: Outcome, told: Told) -> None:
    assert [line for line in told.lines if not line.startswith("  ")] == whole.plan.stages[1:]
    assert whole.go
    assert whole.released
    stored = ModelStore(whole.plan.store).find("tiny@2")
    stored.verify()
    assert stored.manifest.files == whole.stages[f"train-{whole.chosen}"]["files"]
    assert stored.manifest.scores["test"]["scores"]["All"]["rows"] == TEST


def test_a_round_learns_from_its_mistakes_and_from_nothing_that_is_judged(whole: Outcome) -> None:
    folder = whole.plan.folder
    made = whole.stages["augment-1"]
    added = read_dataset(folder / "augment-1" / "additions.jsonl")
    assert 0 < made["added"] == len(added) == made["additions"]
    assert made["mistakes"] == made["added"] + sum(made["refused"].values())
    examples = [whole.stages[f"train-{n}"]["training"]["examples"] for n in (0, 1)]
    assert 0 < examples[1] - examples[0] <= len(added)  # what no student can read is left out
    rows = read_dataset(folder / "split" / "dataset.jsonl")
    tested = {f"{row.intent} once more" for row in rows if row.split == "test"}
    assert not tested & {row.intent for row in added}
    judged = [whole.stages[f"evaluate-{n}"]["validation"]["scores"]["All"]["rows"] for n in (0, 1)]
    assert judged == [VALIDATION, VALIDATION]


def test_the_best_round_on_the_validation_part_is_chosen(whole: Outcome) -> None:
    overalls = [whole.stages[f"evaluate-{n}"]["validation"]["scores"]["All"]["overall"] for n in (0, 1)]
    assert overalls[whole.chosen] == max(overalls)


def test_what_turned_adds_up(whole: Outcome) -> None:
    for part, rows in (("against_current", TEST), ("in_training", SAMPLE)):
        found = whole.stages["compare"][part]
        counts = [found[kind] for kind in ("mended", "broken", "still_wrong", "still_right")]
        assert sum(counts) == rows == found["rows"]
        for kind in ("mended", "broken"):
            assert len(found["examples"][kind]) == min(5, found[kind])


def test_killed_before_every_stage_it_comes_to_the_same(whole: Outcome, tiny: Tiny, tmp_path: Path) -> None:
    plan, train = plan_of(tiny, tmp_path), Trainer(tiny)
    for name in plan.stages[1:]:
        with pytest.raises(KilledError):
            run(tiny, plan, train, Told(die_at=name))
    outcome = run(tiny, plan, train)
    assert train.count == plan.rounds + 1
    assert told_of(outcome) == told_of(whole)
    weights = [ModelStore(one.plan.store).find("tiny@2").manifest.files for one in (outcome, whole)]
    assert weights[0] == weights[1]
    again = Told()
    assert told_of(run(tiny, plan, train, again)) == told_of(whole)
    assert again.lines == [f"{name}: kept" for name in plan.stages[1:]]


def test_killed_after_a_training_it_does_not_train_again(whole: Outcome, tiny: Tiny, tmp_path: Path) -> None:
    plan, train = copied(whole, tiny, tmp_path, rounds=0), Trainer(tiny)
    epoch = plan.folder / "train-0" / "training" / "epoch-01.safetensors"
    written = epoch.stat().st_mtime_ns
    (plan.folder / "train-0" / "result.json").unlink()  # the student lies in its store, but nobody has been told
    assert run(tiny, plan, train).stages["train-0"]["files"] == whole.stages["train-0"]["files"]
    assert train.count == 1
    assert epoch.stat().st_mtime_ns == written


def test_another_licence_is_written_without_training_again(whole: Outcome, tiny: Tiny, tmp_path: Path) -> None:
    plan = copied(whole, tiny, tmp_path, rounds=0)
    before = run(tiny, plan)
    epoch = plan.folder / "train-0" / "training" / "epoch-01.safetensors"
    written = epoch.stat().st_mtime_ns
    told, train, other = Told(), Trainer(tiny, licence="CC0-1.0"), replace(plan, data_licence="CC0-1.0")
    outcome = run(tiny, other, train, told)
    assert "train-0: finished again, with another --data-licence" in told.lines
    assert "evaluate-0: kept" in told.lines
    assert epoch.stat().st_mtime_ns == written
    assert outcome.seconds["train-0"] >= before.seconds["train-0"]
    stored = ModelStore(plan.store).find("tiny@2")
    stored.verify()
    assert stored.manifest.licence == report.build(outcome)["rounds"][0]["licence"] == "CC0-1.0"
    assert "CC0-1.0" in (stored.path / "README.md").read_text(encoding="utf-8")
    shutil.rmtree(epoch.parent)
    with pytest.raises(DatasetError, match=r"another --data-licence; --from train-0 makes it anew"):
        run(tiny, plan, train)


def test_fewer_rounds_need_no_training(whole: Outcome, tiny: Tiny, tmp_path: Path) -> None:
    train = Trainer(tiny)
    fewer = run(tiny, copied(whole, tiny, tmp_path, rounds=0), train)
    assert train.count == 0
    assert fewer.chosen == 0


def test_a_round_that_adds_nothing_is_not_trained(whole: Outcome, tiny: Tiny, tmp_path: Path) -> None:
    known = tmp_path / "known.jsonl"
    rows = read_dataset(whole.plan.folder / "split" / "dataset.jsonl")
    known.write_text("".join(json.dumps({"intent": row.intent, "similar": row.intent}) + "\n" for row in rows))
    train, told = Trainer(tiny), Told()
    outcome = run(tiny, copied(whole, tiny, tmp_path, rounds=2, replay=(known,)), train, told)
    assert train.count == 0
    for number in (1, 2):
        line = f"train-{number}, evaluate-{number}: skipped, no rows were added; as in round {number - 1}"
        assert line in told.lines
    assert outcome.chosen == 0
    found = report.build(outcome)
    assert [one["skipped"] for one in found["rounds"]] == [False, True, True]
    assert found["rounds"][0]["scores"] == found["rounds"][2]["scores"]
    assert "A round without added rows is not trained" in page(found, outcome.plan.photos)


def test_another_dataset_is_refused_where_it_would_cost_a_training(whole: Outcome, tiny: Tiny, tmp_path: Path) -> None:
    other = teacher(tmp_path / "other.jsonl", TRAIN - 4)
    plan, train, told = copied(whole, tiny, tmp_path, source=str(other), rounds=0), Trainer(tiny), Told()
    with pytest.raises(DatasetError, match=r"another dataset; --from train-0 makes it anew"):
        run(tiny, plan, train, told)
    assert told.lines == ["split: made anew, with another dataset"]
    assert train.count == 0
    assert (plan.folder / "train-0" / "result.json").exists()


def test_from_a_stage_on_all_is_done_anew(whole: Outcome, tiny: Tiny, tmp_path: Path) -> None:
    told = Told()
    run(tiny, copied(whole, tiny, tmp_path), told=told, again="compare")
    kept = [f"{name}: kept" for name in whole.plan.stages[1:-2]]
    assert told.lines == [*kept, "compare", "release"]


def test_two_calls_do_not_work_in_one_folder(whole: Outcome, tiny: Tiny, tmp_path: Path) -> None:
    plan = copied(whole, tiny, tmp_path)

    class Second(Told):
        def say(self, line: str) -> None:
            with pytest.raises(DatasetError, match="another `recolor distill` works in"):
                run(tiny, plan)
            super().say(line)

    told = Second()
    assert run(tiny, plan, told=told).go
    assert told.lines
    assert run(tiny, plan).go


def test_a_no_go_is_not_released_unless_one_says_so(whole: Outcome, tiny: Tiny, tmp_path: Path) -> None:
    plan = copied(whole, tiny, tmp_path, limits=Limits(margin=0, lost=0, slower=1e-6))
    outcome = run(tiny, plan)
    assert not outcome.go
    assert not outcome.released
    assert not plan.store.exists()
    found = report.build(outcome)
    assert {one["name"]: one["met"] for one in found["criteria"]}["latency, ms"] is False
    assert found["standing"] == "not released"
    anyway = run(tiny, replace(plan, anyway=True))
    assert anyway.released
    assert not anyway.go
    assert anyway.standing == "released, against the verdict"
    assert ModelStore(plan.store).find("tiny@2")


def test_what_an_earlier_call_released_is_not_denied(whole: Outcome, tiny: Tiny, tmp_path: Path) -> None:
    plan = copied(whole, tiny, tmp_path)
    assert run(tiny, plan).standing == "released"
    tighter = replace(plan, limits=Limits(margin=0, lost=0, slower=1e-6))
    found = report.build(run(tiny, tighter))
    earlier = "a no-go by the limits of this call, but was released by an earlier one"
    assert (found["go"], found["released"], found["standing"]) == (False, True, earlier)
    assert f"tiny@2 is {earlier}." in page(found, plan.photos)
    manifest = plan.store / "students" / "tiny" / "2" / "manifest.json"
    stored = json.loads(manifest.read_text(encoding="utf-8"))
    manifest.write_text(json.dumps(stored | {"files": {}}), encoding="utf-8")
    other = run(tiny, tighter)
    assert not other.released
    assert other.standing.endswith("is the student of an earlier call")


def test_what_was_removed_from_the_model_store_is_released_again(whole: Outcome, tiny: Tiny, tmp_path: Path) -> None:
    plan = copied(whole, tiny, tmp_path)
    run(tiny, plan)
    shutil.rmtree(plan.store)
    assert run(tiny, plan).released
    assert ModelStore(plan.store).find("tiny@2")


def test_a_version_that_exists_is_refused_before_anything_is_done(whole: Outcome, tiny: Tiny, tmp_path: Path) -> None:
    train = Trainer(tiny)
    with pytest.raises(ModelStoreError, match=r"tiny@2 exists in .*; choose another --version"):
        run(tiny, plan_of(tiny, tmp_path, store=whole.plan.store), train)
    with pytest.raises(ModelStoreError, match="another --version"):
        run(tiny, whole.plan, train, again="train-1")
    assert train.count == 0
    assert not (tmp_path / "run").exists()
    assert (whole.plan.folder / "train-1").exists()


def test_a_subset_leaves_the_test_rows_whole_and_other_datasets_add_no_test_rows(tiny: Tiny, tmp_path: Path) -> None:
    from app.distill.distilling.material import split

    rows = [json.loads(line) for line in teacher(tmp_path / "t.jsonl").read_text(encoding="utf-8").splitlines()]
    for index, row in enumerate(rows):
        row["subset"] = "half" if index % 2 else "other"
    source = tmp_path / "marked.jsonl"
    source.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    plan = plan_of(tiny, tmp_path, subset="half", also=[tmp_path / "t.jsonl"])
    made = split(plan, source, tmp_path)
    kept = read_dataset(tmp_path / "dataset.jsonl")
    assert [sum(row.split == name for row in kept) for name in ("test", "train")] == [TEST, (TRAIN + VALIDATION) // 2]
    assert made["also"] == TRAIN + VALIDATION == len(read_dataset(tmp_path / "additions.jsonl"))
    with pytest.raises(DatasetError, match="no rows to train on of subset 'third'"):
        split(replace(plan, subset="third"), source, tmp_path)


def rows_of(*lines: dict[str, Any]) -> list[str]:
    return [json.dumps(line) for line in lines]


def test_what_the_current_student_was_trained_on_is_known_by_its_datasets(tiny: Tiny, tmp_path: Path) -> None:
    data = write_lines(
        tmp_path / "t.jsonl", rows_of({"intent": "Dusk "}, {"intent": "dawn", "split": "test"}, {"intent": "noon"})
    )
    similar = write_lines(tmp_path / "s.jsonl", rows_of({"intent": "dusk", "similar": "Late  evening"}))
    manifest = tiny.stored.manifest.model_copy(update={"datasets": {"t": sha256(data), "s": sha256(similar)}})
    assert trained_on(manifest, [data, similar]) == {"dusk", "noon", "late evening"}
    assert trained_on(manifest, [data]) is None
    assert trained_on(manifest.model_copy(update={"datasets": {}}), [data]) is None


def test_test_rows_that_the_current_student_was_trained_on_are_told(whole: Outcome, tiny: Tiny, tmp_path: Path) -> None:
    assert whole.seen["rows"] is None
    assert "cannot be known" in whole.seen["words"]
    plan = copied(whole, tiny, tmp_path)
    (plan.store / "datasets").mkdir(parents=True)
    shutil.copyfile(tiny.teacher, plan.store / "datasets" / "teacher.jsonl")
    assert run(tiny, plan).seen["words"] == "tiny@1 was trained on none of the test rows."

    judged = [whole.stages[name]["test"] for name in ("current", "evaluate-0")]
    first, *others = (fold(row.intent) for row in whole.rows)
    found = told("tiny@1", frozenset([first]), whole.rows, *judged)
    assert found["rows"] == 1
    assert found["difference"]["overall"]["low"] <= found["difference"]["overall"]["high"]
    assert f"over the other {TEST - 1} the difference in overall is " in found["words"]
    every = told("tiny@1", frozenset([first, *others]), whole.rows, *judged)
    assert every["words"].endswith(f"on {TEST} of the test rows, which flatters it: on all of them.")


def test_passwords_stay_out_of_what_is_written() -> None:
    assert shown("postgresql://me:secret@host/db?password=secret") == "postgresql://me:***@host/db"
    assert shown("a/log.sqlite3") == "a/log.sqlite3"
    assert "secret" not in shown("://secret")
