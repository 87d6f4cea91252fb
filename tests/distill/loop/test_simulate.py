"""`recolor simulate`: traffic that is known to be simulated, and from which the loop finds the better answers."""

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from app.cli import cli
from app.distill.collect.collecting import Collection, collect
from app.distill.collect.log import open_log
from app.distill.collect.rule import Rule
from app.distill.dataset import Example, read_dataset
from app.distill.simulate.traffic import EXPORTED, traffic
from app.distill.simulate.world import Manners, World, build, distance
from app.distill.simulate.writing import into_files, into_store
from app.events.database import Database
from app.events.overview import overview
from app.events.store import EventStore
from app.grade import TOOLS, Grade, fold
from app.settings import CHECKOUT

TEACHER = CHECKOUT / "model_store" / "datasets" / "teacher.jsonl"


@pytest.fixture(scope="module")
def rows() -> list[Example]:
    return read_dataset(TEACHER)[:300]


@pytest.fixture(scope="module")
def world(rows: list[Example]) -> World:
    return build(rows, [], Manners(), seed=3)


def collected(where: str) -> Collection:
    with open_log(where) as log:
        return collect(log, Rule())


def nothing(done: int) -> None:
    """No progress is shown."""


def test_popular_intents_are_asked_more_often(world: World, rows: list[Example]) -> None:
    (part,) = traffic(world, 20_000, seed=1)
    counts = np.bincount(part.intents, minlength=len(rows))
    popularity = {fold(row.intent): row.popularity for row in rows}
    ranks = [popularity[intent] for intent in world.intents]
    assert ranks == sorted(ranks, reverse=True)
    assert counts[0] / counts[9] == pytest.approx(10, rel=0.3)  # Zipf with exponent 1


def test_the_teacher_varies_and_users_export_what_is_close(world: World) -> None:
    (part,) = traffic(world, 20_000, seed=1)
    means = world.distances.mean(axis=1)
    assert len({world.answers["adjust"][answer] for answer in range(world.manners.rivals)}) > 1
    exported = part.verdicts == EXPORTED
    assert means[part.answers[exported]].mean() < 0.8 * means[part.answers].mean()


def test_without_noise_every_answer_is_the_reference(rows: list[Example]) -> None:
    still = build(rows[:20], [], Manners(noise=0), seed=1)
    assert still.distances == pytest.approx(0)


def test_a_teacher_that_misreads_answers_another_intent(rows: list[Example]) -> None:
    world = build(rows, [], Manners(noise=0, misread=0.25), seed=1)
    references = {row.grade for row in rows}
    answers = [
        Grade.of(dict(zip(TOOLS, settings, strict=True))) for settings in zip(*world.answers.values(), strict=True)
    ]
    assert set(answers) <= references
    wrong = (world.distances > 1e-9).any(axis=1).mean()
    assert 0.2 < wrong < 0.3


def test_the_alternate_answer_is_among_the_rivals(rows: list[Example]) -> None:
    alternate = Example(rows[0].intent, Grade.parse({"filter": {"name": "negative", "intensity": 85}}))
    world = build(rows[:5], [alternate], Manners(), seed=1)
    assert alternate.grade.filter in world.answers["filter"]


def test_the_same_seed_is_the_same_traffic_and_another_is_not(world: World, tmp_path: Path) -> None:
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        into_files(tmp_path / name, ".parquet", world, traffic(world, 500, seed), seed, nothing)
    a, b, c = (pq.read_table(tmp_path / name / "served.parquet") for name in "abc")
    assert a.equals(b)
    assert not a["intent"].equals(c["intent"])


def test_files_and_event_store_hold_the_same_and_every_row_says_that_it_is_simulated(
    world: World, tmp_path: Path
) -> None:
    url = f"sqlite:///{tmp_path / 'events.sqlite3'}"
    store = EventStore(Database(url))
    store.prepare()
    for _ in range(2):  # again, it adds nothing
        into_store(store, world, traffic(world, 700, 1), 1, nothing)
    found = overview(store.database)
    store.close()
    assert found.requests == 700
    assert {one.variant for one in found.projects} == {"simulated"}
    into_files(tmp_path / "parquet", ".parquet", world, traffic(world, 700, 1), 1, nothing)
    into_files(tmp_path / "jsonl", ".jsonl", world, traffic(world, 700, 1), 1, nothing)
    served = pq.read_table(tmp_path / "parquet" / "served.parquet")
    assert set(served["simulated"].to_pylist()) == {True}
    assert set(served["variant"].to_pylist()) == {"simulated"}
    expected = collected(url)
    assert expected.funnel.simulated == expected.funnel.calls == 700
    assert expected.funnel.kept > 30
    for folder in ("parquet", "jsonl"):
        assert collected(str(tmp_path / folder)).dataset == expected.dataset


def test_what_is_collected_is_closer_to_the_reference_than_what_was_served(
    world: World, rows: list[Example], tmp_path: Path
) -> None:
    into_files(tmp_path, ".parquet", world, traffic(world, 10_000, 1), 1, nothing)
    reference = {fold(row.intent): row.grade for row in rows}
    kept = []
    for row in collected(str(tmp_path)).dataset:
        grade = Grade.parse({tool: row[tool] for tool in TOOLS})
        kept.append(np.mean([distance(tool, grade, reference[row["intent"]]) for tool in TOOLS]))
    assert np.mean(kept) < 0.7 * world.distances.mean()


def test_the_command_says_that_all_of_it_is_simulated(tmp_path: Path) -> None:
    data = tmp_path / "teacher.jsonl"
    data.write_text("\n".join(TEACHER.read_text(encoding="utf-8").splitlines()[:50]), encoding="utf-8")
    command = ["simulate", str(tmp_path / "log"), "-n", "200", "--data", str(data)]
    done = CliRunner().invoke(cli, command)
    assert done.exit_code == 0, done.output
    assert "SIMULATED" in done.output
    counted = CliRunner().invoke(cli, ["collect", str(tmp_path / "log"), "-o", str(tmp_path / "set.jsonl")])
    assert "of which 200 simulated" in counted.output


@pytest.mark.parametrize(
    ("where", "said"), [("mysql://host/log", "neither sqlite nor postgresql"), ("{file}", "is a file; name a folder")]
)
def test_a_place_that_cannot_be_written_is_one_clear_line(where: str, said: str, tmp_path: Path) -> None:
    file = tmp_path / "teacher.jsonl"
    file.write_text('{"intent": "dusk", "adjust": {"exposure": -20}}\n', encoding="utf-8")
    done = CliRunner().invoke(cli, ["simulate", where.format(file=file), "--data", str(file)])
    assert done.exit_code == 1
    assert said in done.output.replace("\n", " ")
