"""`recolor collect`: the rule, the engines, and logs with something wrong in them."""

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import hypothesis.strategies as st
import ibis
import pytest
from hypothesis import given, settings
from ibis.config import Config
from typer.testing import CliRunner

from app.cli import cli
from app.distill.collect import rule as rules
from app.distill.collect.collecting import Collection, collect, write_dataset
from app.distill.collect.errors import LogError
from app.distill.collect.log import open_log
from app.distill.collect.rule import Rule
from app.distill.collect.vetting import vet
from app.distill.dataset import read_dataset
from app.distill.evaluate import SUBSETS
from app.settings import CHECKOUT
from tests.distill.loop.logs import (
    BRIGHT,
    DIM,
    Said,
    Tool,
    jsonl,
    parquet,
    reference,
    request,
    stored,
    together,
)
from tests.events.postgres import Cluster

BOUND = Rule(by="bound")


def collected(where: str, rule: Rule | None = None) -> Collection:
    with open_log(where) as log:
        return collect(log, rule or Rule())


def exposures(found: Collection) -> dict[str, int]:
    return {row["intent"]: row["adjust"]["exposure"] for row in found.dataset}


def rivals(*counts: tuple[str, int, int]) -> tuple[list[Tool], list[Said]]:
    """Answers to one intent: settings, serves, exports."""
    return together(
        *(
            request(f"{output}{number}", "dusk", output, exported=number < exports, second=number)
            for output, serves, exports in counts
            for number in range(serves)
        )
    )


def test_the_answer_with_the_highest_export_rate_is_kept(tmp_path: Path) -> None:
    found = collected(parquet(tmp_path / "log", *rivals((DIM, 10, 4), (BRIGHT, 3, 2))))
    assert found.dataset == [
        {
            "intent": "dusk",
            "adjust": {"exposure": 20},
            "selective_adjust": None,
            "filter": {"name": "vivid", "intensity": 40},
            "popularity": 4,
            "calls": 13,
            "seen": {
                "adjust": {"exports": 2, "serves": 3},
                "selective_adjust": {"exports": 6, "serves": 13},
                "filter": {"exports": 6, "serves": 13},
            },
        }
    ]


def test_one_of_one_does_not_beat_95_of_100_by_the_bound(tmp_path: Path) -> None:
    log = parquet(tmp_path / "log", *rivals((DIM, 100, 95), (BRIGHT, 1, 1)))
    assert exposures(collected(log)) == {"dusk": 20}
    assert exposures(collected(log, BOUND)) == {"dusk": -20}
    assert collected(log).funnel.rules_differ == 1


def test_the_lower_bound_is_wilsons() -> None:
    from statsmodels.stats.proportion import proportion_confint

    counts = ibis.memtable({"exports": [1.0, 95.0, 3.0, 7.0], "serves": [1.0, 100.0, 50.0, 7.0]})
    bound = rules.lower_bound(counts.exports / counts.serves, counts.serves, 0.95)
    expected = [proportion_confint(int(e), int(n), 0.1, "wilson")[0] for e, n in ((1, 1), (95, 100), (3, 50), (7, 7))]
    found = counts.select(bound=bound).to_pyarrow()["bound"].to_pylist()
    assert sorted(found) == pytest.approx(sorted(expected))


def test_of_equal_rates_more_exports_win_and_then_the_newer(tmp_path: Path) -> None:
    assert exposures(collected(parquet(tmp_path / "a", *rivals((DIM, 4, 2), (BRIGHT, 2, 1))))) == {"dusk": -20}
    older, newer = (request(name, "dusk", name, exported=True, second=when) for name, when in ((DIM, 1), (BRIGHT, 2)))
    assert exposures(collected(parquet(tmp_path / "b", *together(newer, older)))) == {"dusk": 20}


def test_what_was_never_exported_is_dropped_and_counted(tmp_path: Path) -> None:
    served, feedback = together(
        request("1", "dusk", DIM, exported=True), request("2", "dawn", DIM), request("3", "noon", DIM, source="student")
    )
    funnel = collected(parquet(tmp_path / "log", served, feedback)).funnel
    assert (funnel.calls, funnel.intents, funnel.kept, funnel.rows) == (3, 3, 1, 3)
    assert (funnel.without_exports, funnel.without_source) == (1, 1)


def test_what_was_never_exported_can_be_kept_where_no_rival_was(tmp_path: Path) -> None:
    served, feedback = together(
        *(request(name, "dusk", name, second=when) for name, when in ((DIM, 1), (BRIGHT, 2))),
        *(
            request(f"d{name}", "dawn", name, exported=name == DIM, second=when)
            for name, when in ((DIM, 1), (BRIGHT, 2))
        ),
        request("3", "noon", DIM, source="student"),
    )
    log = parquet(tmp_path / "log", served, feedback)
    for by in ("rate", "bound"):
        found = collected(log, Rule(by=by, unexported=True))  # type: ignore[arg-type]
        assert exposures(found) == {"dusk": 20, "dawn": -20}
        assert (found.funnel.kept, found.funnel.without_exports, found.funnel.without_source) == (2, 0, 1)
        assert found.funnel.unexported == 3


def test_a_tool_that_nobody_kept_gets_its_newest_answer_beside_one_that_was_exported(tmp_path: Path) -> None:
    served, _ = together(request("1", "dusk", DIM), request("2", "dusk", BRIGHT, second=9))
    said = [Said("1", "adjust", "exported"), Said("1", "selective_adjust", "exported"), Said("1", "filter", "removed")]
    log = parquet(tmp_path / "log", served, said)
    assert collected(log).funnel.incomplete == 1
    found = collected(log, Rule(by="bound", unexported=True))
    assert exposures(found) == {"dusk": -20}
    assert found.dataset[0]["filter"] == {"name": "vivid", "intensity": 40}
    assert (found.funnel.incomplete, found.funnel.kept, found.funnel.unexported) == (0, 1, 1)


def test_what_is_lost_though_unexported_answers_are_kept_was_not_answered(tmp_path: Path) -> None:
    served, said = together(request("1", "dusk", '{"exposure": 900}'), request("2", "dawn", DIM))
    lost = [Tool("3", tool, "noon", '{"exposure": 900}') for tool in ("adjust", "filter")]
    log = parquet(tmp_path / "log", [*served, *lost], said)
    funnel = collected(log, Rule(unexported=True)).funnel
    assert (funnel.intents, funnel.kept, funnel.without_exports, funnel.incomplete) == (3, 1, 1, 1)
    done = CliRunner().invoke(cli, ["collect", log, "--unexported", "-o", str(tmp_path / "set.jsonl")])
    rows = [" ".join(line.split()) for line in done.output.splitlines()]
    assert "− never answered readably 1" in rows
    assert "− some tool never answered readably 1" in rows
    assert "of them with an answer that nobody exported 3" in rows
    assert "never exported" not in done.output


def test_the_student_counts_where_it_is_eligible(tmp_path: Path) -> None:
    log = parquet(tmp_path / "log", *request("3", "noon", DIM, source="student", exported=True))
    assert not collected(log).dataset
    assert exposures(collected(log, Rule(("teacher", "student")))) == {"noon": -20}


def test_intents_are_folded_by_case_and_spaces(tmp_path: Path) -> None:
    served, feedback = together(
        request("1", "Golden  Hour", DIM, exported=True),
        request("2", " golden hour ", BRIGHT),
        request("3", "GOLDEN\thour", BRIGHT, exported=True, second=9),
    )
    found = collected(parquet(tmp_path / "log", served, feedback))
    assert exposures(found) == {"golden hour": -20}
    assert found.dataset[0]["calls"] == 3


def test_an_unused_tool_shares_the_export_of_its_request(tmp_path: Path) -> None:
    served, _ = request("1", "dusk", DIM)
    said = [Said("1", "adjust", "exported"), Said("1", "selective_adjust", "removed"), Said("1", "filter", "exported")]
    assert collected(parquet(tmp_path / "a", served, said)).dataset[0]["selective_adjust"] is None


def test_an_intent_of_which_a_used_tool_was_always_removed_is_incomplete(tmp_path: Path) -> None:
    served, _ = request("1", "dusk", DIM)
    said = [Said("1", "adjust", "exported"), Said("1", "selective_adjust", "exported"), Said("1", "filter", "removed")]
    funnel = collected(parquet(tmp_path / "a", served, said)).funnel
    assert (funnel.incomplete, funnel.kept) == (1, 0)


def test_calls_become_the_subsets_r3_and_r5(tmp_path: Path) -> None:
    asked = {"once": 1, "twice": 2, "thrice": 3, "four": 4, "five": 5, "often": 30}
    requests = [
        request(f"{name}{n}", name, DIM, exported=True, second=n) for name, times in asked.items() for n in range(times)
    ]
    found = collected(parquet(tmp_path / "log", *together(*requests)))
    assert found.calls is not None
    assert (found.calls.r3, found.calls.r5, found.calls.most) == (4, 2, 30)
    write_dataset(found, tmp_path / "dataset.jsonl")
    rows = read_dataset(tmp_path / "dataset.jsonl")
    for subset, least in (("r3", 3), ("r5", 5)):
        belong = {row.intent for row in rows if row.popularity >= SUBSETS[subset]}
        assert belong == {name for name, times in asked.items() if times >= least}


EVENTS = st.lists(
    st.builds(
        Tool,
        event_id=st.sampled_from([str(number) for number in range(12)]),
        tool=st.sampled_from(["adjust", "filter"]),
        intent=st.sampled_from(["dusk", "Dusk ", "dawn  light"]),
        output=st.none() | st.sampled_from([DIM, BRIGHT]),
        source=st.sampled_from(["teacher", "teacher", "student"]),
        second=st.integers(0, 3),
    ),
    max_size=25,
    unique_by=lambda tool: (tool.event_id, tool.tool),
)
SAID = st.lists(
    st.builds(
        Said,
        event_id=st.sampled_from([str(number) for number in range(14)]),
        tool=st.sampled_from(["adjust", "filter"]),
        outcome=st.sampled_from(["exported", "exported", "removed", "discarded"]),
    ),
    max_size=25,
    unique=True,
)


def _fitting(served: list[Tool]) -> list[Tool]:
    """Outputs that their tools take, written as the rule writes them."""
    of_filter = {DIM: '{"name": "vivid", "intensity": 10}', BRIGHT: '{"name": "winter", "intensity": 20}', None: None}
    of_adjust = {DIM: '{"exposure": -20}', BRIGHT: '{"exposure": 20}', None: None}
    chosen = {"filter": of_filter, "adjust": of_adjust}
    return [
        Tool(one.event_id, one.tool, one.intent, chosen[one.tool][one.output], one.source, one.second) for one in served
    ]


def _winners(where: str, served: list[Tool], rule: Rule) -> dict[tuple[str, str], str | None]:
    with open_log(where) as log:
        candidates = rules.candidates(rules.events(log.served, log.feedback), rule)
        outputs = {(one.tool, one.output) for one in served if one.output}
        rows = log.engine.to_pyarrow(rules.kept(candidates, vet(outputs).table(), rule)).to_pylist()
    return {(row["intent"], row["tool"]): row["settings"] for row in rows if row["by_rate"]}


@pytest.mark.parametrize("rule", [Rule(), Rule(unexported=True)])
@given(served=EVENTS, feedback=SAID)
@settings(max_examples=20)
def test_the_query_keeps_what_the_plain_rule_keeps(rule: Rule, served: list[Tool], feedback: list[Said]) -> None:
    served = _fitting(served)
    with tempfile.TemporaryDirectory() as folder:
        found = _winners(parquet(Path(folder), served, feedback), served, rule)
    assert found == reference(served, feedback, rule)


def test_every_engine_and_format_gives_the_same(tmp_path: Path, postgres: Cluster) -> None:
    served, feedback = together(
        rivals((DIM, 7, 3), (BRIGHT, 4, 3)),
        request("x", "dawn", DIM, exported=True, second=5),
        request("y", "dawn", BRIGHT, exported=True, second=6),
        request("z", "noon", DIM),
    )
    expected = collected(parquet(tmp_path / "parquet", served, feedback))
    assert expected.funnel.kept == 2
    for where in (
        jsonl(tmp_path / "jsonl", served, feedback),
        stored(f"sqlite:///{tmp_path / 'events.sqlite3'}", served, feedback),
        stored(postgres.database(), served, feedback),
    ):
        found = collected(where)
        assert (found.dataset, found.funnel, found.problems) == (expected.dataset, expected.funnel, {}), where


def test_an_export_of_the_event_store_is_a_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    url = stored(f"sqlite:///{tmp_path / 'events.sqlite3'}", *rivals((DIM, 3, 2), (BRIGHT, 2, 0)))
    monkeypatch.setenv("RECOLOR_EVENTS_URL", url)
    exported = CliRunner().invoke(cli, ["events", "export", "-o", str(tmp_path / "log.jsonl")])
    assert exported.exit_code == 0, exported.output
    done = CliRunner().invoke(cli, ["collect", str(tmp_path / "log.jsonl"), "-o", str(tmp_path / "set.jsonl")])
    assert done.exit_code == 0, done.output
    assert [row.intent for row in read_dataset(tmp_path / "set.jsonl")] == ["dusk"]
    manifest = json.loads((tmp_path / "set.json").read_text(encoding="utf-8"))
    assert manifest["funnel"]["calls"] == 5
    assert manifest["rule"] == {"sources": ["teacher"], "by": "rate", "confidence": 0.95, "unexported": False}


class SparkOptions(Config):
    treat_nan_as_null: bool = False


@pytest.mark.parametrize("rule", [Rule(), Rule(unexported=True)])
@pytest.mark.parametrize("dialect", ["duckdb", "postgres", "pyspark", "bigquery"])
def test_the_same_expression_compiles_for_engines_that_are_not_here(
    dialect: str, rule: Rule, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Ibis registers this option of its Spark backend only where Spark is installed.
    monkeypatch.setattr(ibis.options, "pyspark", SparkOptions())
    served, feedback, vetted = (
        ibis.table(columns, name=name)
        for name, columns in (("served", rules.SERVED), ("feedback", rules.FEEDBACK), ("vetted", rules.VETTED))
    )
    events = rules.events(served, feedback)
    query = str(ibis.to_sql(rules.kept(rules.candidates(events, rule), vetted, rule), dialect=dialect))
    assert "ROW_NUMBER()" in query
    assert "LEFT OUTER JOIN" in query


def test_bad_lines_are_counted_and_the_rest_is_used(tmp_path: Path) -> None:
    where = Path(jsonl(tmp_path / "log", *request("1", "dusk", DIM, exported=True)))
    good = json.loads((where / "served.jsonl").read_text(encoding="utf-8").splitlines()[0])
    bad = [
        '{"event_id": ',
        "[1, 2]",
        "42",
        '{"a": "\x01"}',
        json.dumps(good | {"event_id": "2", "tool": "sharpen"}),
        json.dumps(good | {"event_id": "3", "intent": "  "}),
        json.dumps(good | {"event_id": "4", "time": "yesterday"}),
        json.dumps(good | {"event_id": "5", "intent": None}),
        json.dumps(good | {"event_id": "6", "output": {"exposure": 900}}),
        json.dumps(good | {"event_id": "7", "output": {"exposure": 1.5}}),
        json.dumps(good | {"event_id": "8", "output": "no JSON"}),
        "",
    ]
    with (where / "served.jsonl").open("a", encoding="utf-8") as file:
        file.write("\n".join(bad) + "\n")
    with (where / "served.jsonl").open("ab") as binary:
        binary.write(b'{"intent": "\xff\xfe"}\n')
    found = collected(str(where))
    assert exposures(found) == {"dusk": -20}
    assert found.problems == {
        "lines of served that are no JSON object": 5,
        "served tools that do not exist": 1,
        "served tools with something missing or unreadable": 3,
        "different outputs that no tool takes": 3,
    }
    assert any("900" in refused for refused in found.refused)


def test_repeated_and_contradicting_events_and_stray_feedback_are_counted(tmp_path: Path) -> None:
    served, feedback = together(request("1", "dusk", DIM, exported=True), request("2", "dawn", DIM, exported=True))
    clash = Tool("2", "adjust", "dawn", BRIGHT)
    stray = [Said("9", "adjust", "exported"), Said("1", "sharpen", "exported"), Said("1", "adjust", "liked")]
    found = collected(parquet(tmp_path / "log", [*served, served[0], clash], [*feedback, feedback[0], *stray]))
    assert [row["intent"] for row in found.dataset] == ["dusk"]
    assert found.dataset[0]["seen"]["adjust"] == {"exports": 1, "serves": 1}
    assert found.problems == {
        "served tools that are there again": 1,
        "served tools that contradict each other": 2,
        "rows of feedback that cannot be read": 2,
        "rows of feedback that are there again": 1,
        "requests with feedback that were never served": 1,
    }


def test_an_empty_log_and_one_without_exports_are_told_and_write_nothing(tmp_path: Path) -> None:
    for name, (served, feedback) in {"empty": ([], []), "unloved": request("1", "dusk", DIM)}.items():
        output = tmp_path / f"{name}.jsonl"
        done = CliRunner().invoke(cli, ["collect", parquet(tmp_path / name, served, feedback), "-o", str(output)])
        assert done.exit_code == 1
        assert "no intent can be kept" in done.output
        assert "calls" in done.output
        assert "nan" not in done.output.lower()
        assert not output.exists()


def test_feedback_may_be_missing_as_a_whole(tmp_path: Path) -> None:
    where = Path(parquet(tmp_path / "log", *request("1", "dusk", DIM, exported=True)))
    (where / "feedback.parquet").unlink()
    assert collected(str(where)).funnel.without_exports == 1


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda folder: folder / "missing.jsonl", "there is no event log"),
        (lambda folder: folder, "has no file served"),
        (lambda folder: _file(folder / "log.parquet", "no parquet"), "cannot be read"),
        (lambda folder: _file(folder / "log.sqlite3", "no database at all, but long enough"), "not a database"),
        (lambda folder: _file(folder / "log.sqlite3", ""), "no such table: served"),
        (lambda folder: "postgresql://nobody@127.0.0.1:1/none", "cannot be read"),
    ],
)
def test_what_is_no_log_is_one_clear_line(make: Callable[[Path], object], said: str, tmp_path: Path) -> None:
    with pytest.raises(LogError, match=said):
        collected(str(make(tmp_path)))


def _file(file: Path, text: str) -> Path:
    file.write_text(text, encoding="utf-8")
    return file


def test_without_the_extra_it_says_what_to_install(tmp_path: Path) -> None:
    program = "import sys; sys.modules['ibis'] = None; from app.cli import main; main()"
    command = [sys.executable, "-c", program, "collect", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=CHECKOUT)
    assert done.returncode == 1
    assert done.stderr.strip() == "recolor: ibis is not installed: pip install 'recolor[loop]'"
