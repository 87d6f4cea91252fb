"""Every benchmark runs end to end against the real service and the stored student; how fast is not asked here."""

import json
import math
import os
import runpy
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import redirect_stdout
from io import StringIO
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from app.grade import fold
from app.settings import CHECKOUT
from benchmarks.harness import BenchmarkError, Spread, Target
from benchmarks.intents import examples_to_ask, new_intents
from benchmarks.picture import PICTURE
from benchmarks.picture import main as picture
from benchmarks.service import service

QUICK_CONCURRENT_REQUESTS = 32


def quick(name: str, folder: Path, *options: str) -> dict[str, Any]:
    """The results of a benchmark's quick run."""
    command = [sys.executable, "-m", f"benchmarks.{name}", "--quick", "--results", str(folder), *options]
    streams: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, cwd=CHECKOUT, start_new_session=True, **streams) as process:
        try:
            out, err = process.communicate()
        except BaseException:
            # Together with the service that it has started.
            os.killpg(process.pid, signal.SIGKILL)
            raise
    assert process.returncode == 0, out + err
    return results_of(name, folder, out)


def quick_study(name: str, folder: Path, *options: str, results: str = "") -> dict[str, Any]:
    """As `quick`, in this process, which has imported what trains and has read the data: for what starts no service.

    `results` names them where the benchmark's name does not.
    """
    threads = torch.get_num_threads()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(StringIO()) as out:
        patch.setattr(sys, "argv", [name, "--quick", "--results", str(folder), *options])
        with pytest.raises(SystemExit) as ended:
            runpy.run_module(f"benchmarks.{name}", run_name="__main__")
    torch.set_num_threads(threads)
    assert not ended.value.code, out.getvalue()
    return results_of(results or name, folder, out.getvalue())


def results_of(name: str, folder: Path, out: str) -> dict[str, Any]:
    """The results as they lie there, with what every benchmark tells."""
    found: dict[str, Any] = json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))
    assert found["how"]["quick"] is True
    assert {"cpu", "cores", "torch", "date"} <= found["machine"].keys()
    assert all(math.isfinite(number) and number >= 0 for number in numbers(found["results"]))
    for target in found["targets"]:
        assert target["name"] in out
    return found


def numbers(node: Any) -> Iterator[float]:
    if isinstance(node, Mapping):
        node = list(node.values())
    if isinstance(node, list):
        for part in node:
            yield from numbers(part)
    else:
        yield node


def test_collect_finds_better_answers_than_were_served(tmp_path: Path) -> None:
    written = quick_study("collect", tmp_path)["results"]
    assert written["distance_kept"] < written["distance_served"]
    stored = quick_study("collect", tmp_path, "--log", "sqlite", results="collect-sqlite")["results"]
    assert stored["funnel"] == written["funnel"]


def test_what_is_collected_is_closer_to_the_reference_than_what_was_served(tmp_path: Path) -> None:
    result = quick_study("closed_loop", tmp_path, "--folder", str(tmp_path / "runs"))["results"]["seed 1"]
    collected, same, every = (result[name] for name in ("collected", "random, same intents", "random, all intents"))
    assert collected["distance"] < same["distance"]
    assert 0 < collected["rows"] == same["rows"] < every["rows"]


def test_a_round_of_augmentation_adds_rows_for_mistakes(tmp_path: Path) -> None:
    found = quick_study("low_data", tmp_path, "--folder", str(tmp_path / "runs"))["results"]
    eighth, augmented = found["1/8, seed 1"], found["1/8 + augmentation, seed 1"]
    assert augmented["rows"] == eighth["rows"] + augmented["added"]
    assert 0 < augmented["added"] <= augmented["mistakes"] <= eighth["rows"]
    assert Image.open(tmp_path / "low_data.png").width > 0


def test_latency_compares_the_service_with_generating_json(tmp_path: Path) -> None:
    written = quick("latency", tmp_path)
    results, targets = written["results"], {target["name"]: target for target in written["targets"]}
    milliseconds = results["milliseconds"]

    asked = milliseconds["uncached, at the client"]["samples"]
    assert asked + results["left_out_as_unreadable"] == 12
    assert milliseconds["cached, at the client"]["samples"] == asked
    # What is inside cannot take longer than what is around it.
    assert milliseconds["uncached, in the service"]["p50"] <= milliseconds["uncached, at the client"]["p50"]
    assert milliseconds["uncached, in the student"]["p50"] <= milliseconds["uncached, in the service"]["p50"]
    for baseline in ("json, tuned vocabulary", "json, stock vocabulary"):
        ratio = milliseconds[baseline]["p50"] / milliseconds["uncached, at the client"]["p50"]
        assert targets[f"faster than {baseline}"]["measured"] == pytest.approx(ratio)
    tuned, stock = (results["mean_tokens"][f"json, {kind} vocabulary"] for kind in ("tuned", "stock"))
    assert 14 < tuned < stock, "adjust alone has 14 values"


def test_throughput_batches_what_comes_at_once(tmp_path: Path) -> None:
    results = quick("throughput", tmp_path)["results"]
    for concurrency in ("1", "8", "32"):
        assert results["milliseconds"][concurrency]["samples"] == QUICK_CONCURRENT_REQUESTS
        assert results["service_cpu_seconds"][concurrency][0] > 0
    assert results["prompts_per_batch"]["1"] == [3]
    assert 3 < results["prompts_per_batch"]["32"][0] <= 96


def test_startup_measures_a_process_with_a_student_in_it(tmp_path: Path) -> None:
    results = quick("startup", tmp_path)["results"]
    assert len(results["ready_seconds"]) == 1
    assert 100 < results["ready_mib"][0] <= results["peak_mib"][0], "torch alone has more"
    assert results["used_mib"][0] <= results["peak_mib"][0]


def test_decoding_tells_the_stages_of_a_call(tmp_path: Path) -> None:
    results = quick("decoding", tmp_path)["results"]
    assert results["stage_milliseconds"]["encoder"] > 0
    assert results["stage_milliseconds"]["decoder"] > 0
    assert results["batch_milliseconds"].keys() == {"1", "2", "4", "8", "16", "32"}
    for tokens in results["tokens_per_answer"].values():
        assert 1 <= tokens["filter"] <= 2
        assert 1 <= tokens["adjust"] <= 14


def test_events_measures_both_sides_and_stores_every_serve(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "benchmarks.events", "--quick", "--results", str(tmp_path)]
    subprocess.run(command, cwd=CHECKOUT, check=True, capture_output=True)
    written = json.loads((tmp_path / "events.json").read_text(encoding="utf-8"))
    samples = {name: spread["samples"] for name, spread in written["results"]["milliseconds"].items()}
    assert samples == {"with events": 20, "without events": 20}
    assert written["results"]["serves_per_second"][0] > 0


def test_redis_is_measured_beside_none_and_while_it_hangs(program: Callable[[str], str], tmp_path: Path) -> None:
    program("redis-server")
    results = quick("redis", tmp_path)["results"]
    samples = {name: spread["samples"] for name, spread in results["milliseconds"].items()}
    assert samples.pop("the first to meet that") == 1
    assert len(samples) == 6
    assert all(3 <= count <= 5 for count in samples.values()), "of five each, but for what no student can read"


def test_while_rendering_compares_recolor_alone_and_beside_photos(tmp_path: Path) -> None:
    results = quick("while_rendering", tmp_path)["results"]
    milliseconds = results["milliseconds"]
    for kind in ("uncached", "cached"):
        alone, rendering = (milliseconds[f"{kind}, {when}"] for when in ("alone", "while rendering"))
        assert results["ratios_of_p50"][kind] == [pytest.approx(rendering["p50"] / alone["p50"])]
        assert results["ratio_of_p99"][kind] == pytest.approx(rendering["p99"] / alone["p99"])
    assert milliseconds["photo"]["samples"] >= 1
    for form in (".cube", "texture"):
        assert milliseconds[f"LUT as {form}"]["samples"] == 4


def test_page_measures_every_slider_until_its_picture_is_drawn(program: Callable[[str], str], tmp_path: Path) -> None:
    program("chromium")
    written = quick("page", tmp_path)
    results = written["results"]
    assert results["milliseconds"].keys() == results["pictures_per_second"].keys()
    assert {spread["samples"] for spread in results["milliseconds"].values()} == {2}
    assert min(results["pixels"]) > 100
    assert all(target["measured"] > 0 for target in written["targets"])


def test_rolling_restart_counts_requests_and_failures_by_phase(program: Callable[[str], str], tmp_path: Path) -> None:
    program("haproxy")
    results = quick("rolling_restart", tmp_path, "--rate", "5")["results"]
    assert results["requests"].keys() == results["failures"].keys() == {"before", "during", "after"}
    assert sum(results["failures"].values()) == 0
    assert all(spread["samples"] for spread in results["milliseconds"].values())


def test_a_service_that_does_not_start_is_told_in_its_own_words(tmp_path: Path) -> None:
    with pytest.raises(BenchmarkError, match=r"did not start: .*no-such@1"), service(model="no-such@1"):
        pass


def test_no_intent_is_asked_twice() -> None:
    new = {fold(intent) for intent in islice(new_intents(), 6000)}
    examples = examples_to_ask()
    known = {fold(example.intent) for example in examples}
    assert len(new) == 6000
    assert not new & known
    assert len(known) == len(examples) == 1000


def test_the_spread_is_of_all_samples_and_of_the_rounds() -> None:
    spread = Spread.of([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0, 7.0]])
    assert (spread.samples, spread.p50, spread.iqr) == (7, 4.0, 3.0)
    assert (spread.lowest_median, spread.highest_median) == (2.0, 5.5)
    with pytest.raises(BenchmarkError):
        Spread.of([[1.0], []])


def test_a_target_is_met_on_its_own_side() -> None:
    assert Target("latency", 25, 25, "ms").met
    assert not Target("latency", 25.1, 25, "ms").met
    assert Target("ratio", 10, 10, "x", at_least=True).met
    assert not Target("ratio", 9.9, 10, "x", at_least=True).met


def test_the_picture_of_the_readme_can_be_made_anew(tmp_path: Path) -> None:
    picture(tmp_path / "picture.jpg")
    assert (tmp_path / "picture.jpg").stat().st_size <= 250_000
    with Image.open(tmp_path / "picture.jpg") as made, Image.open(PICTURE) as committed:
        assert made.size == committed.size


def test_render_measures_photos_and_a_lut(tmp_path: Path) -> None:
    spreads = quick("render", tmp_path)["results"]["milliseconds"]
    assert len(spreads) == 4
    assert all(spread["p50"] > 0 for spread in spreads.values())


def test_gpu_runs_with_nothing_but_pytorch_and_transformers(tmp_path: Path) -> None:
    """Shown on the CPU, by tiny networks: the numbers mean nothing."""
    bare = (
        "import runpy, sys; sys.modules.update(dict.fromkeys(['pydantic', 'rich', 'app'])); "
        f"sys.argv = ['gpu', '--device', 'cpu', '--quick', '--results', {str(tmp_path)!r}]; "
        "runpy.run_path('benchmarks/gpu.py', run_name='__main__')"
    )
    done = subprocess.run([sys.executable, "-c", bare], cwd=CHECKOUT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    rows = json.loads((tmp_path / "gpu.json").read_text(encoding="utf-8"))["results"]
    assert [row["name"] for row in rows if row["name"] in done.stdout] == [row["name"] for row in rows]
    letters, written, *_ = rows
    assert 0 < letters["roofline_ms"] < written["roofline_ms"]
    assert all(0 < row["p50_ms"] <= row["p99_ms"] for row in rows)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_gpu_says_that_there_is_none() -> None:
    command = [sys.executable, "-m", "benchmarks.gpu"]
    done = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert "finds no GPU" in done.stderr
