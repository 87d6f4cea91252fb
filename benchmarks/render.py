"""Speed and memory of the renderer on a photo of 12 megapixels: ``python -m benchmarks.render``.

`apply_grade` alone: no file is read or written, no codec is in the time. The photo is one of scikit-image's, enlarged,
with grain; the LUT is compiled within the time, as it is for every photo. Beside it the LUT alone, and what the most
demanding grade adds to the memory of the process. Video: `benchmarks.video`; over HTTP: `benchmarks.while_rendering`;
in the page: `benchmarks.page`.
"""

import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from time import perf_counter

import numpy as np
import skimage.data
import torch
from numpy.typing import NDArray
from PIL import Image

from app.grade import Grade
from app.grade.example import GRADE
from app.render import apply_grade, compile_lut
from benchmarks.harness import (
    RESULTS,
    SPREAD_COLUMNS,
    THREADS,
    BenchmarkError,
    Quick,
    Report,
    Results,
    Rounds,
    Spread,
    Target,
    Threads,
    rounds_of,
    run,
    table,
)

SIZE = (4000, 3000)
REPEATS = 3
"""Of each case in one round."""
SPATIAL = Grade.parse(
    GRADE.plain() | {"adjust": GRADE.plain()["adjust"] | {"bloom": 30, "sharpen": 30, "structure": 30}}
)
MEMORY = """
from benchmarks.render import SPATIAL, photo, memory_mib, forget_peak
from app.render import apply_grade
picture = photo(); apply_grade(picture[:64].copy(), SPATIAL)
forget_peak(); before = memory_mib("VmRSS")
apply_grade(picture, SPATIAL)
print(memory_mib("VmHWM") - before)
"""


def main(rounds: Rounds = 3, threads: Threads = THREADS, quick: Quick = False, results: Results = RESULTS) -> None:
    """Milliseconds of a 12-megapixel photo, pointwise and with spatial steps, 8 bits and floats, and of a LUT."""
    torch.set_num_threads(threads)
    rounds, repeats = (1, 1) if quick else (rounds, REPEATS)
    picture = photo((400, 300) if quick else SIZE)
    deep = (picture / np.float32(255)).astype(np.float32)
    cases: dict[str, Callable[[], object]] = {
        "pointwise, 8 bits": lambda: apply_grade(picture, GRADE),
        "pointwise, floats (16 bits)": lambda: apply_grade(deep, GRADE),
        "bloom, sharpen and structure, 8 bits": lambda: apply_grade(picture, SPATIAL),
        "LUT of 33 points": lambda: compile_lut(GRADE),
    }
    for case in cases.values():
        case()
    taken: dict[str, list[list[float]]] = {name: [] for name in cases}
    for _ in rounds_of(rounds, "rendering"):
        for name, case in cases.items():
            taken[name].append([_milliseconds(case) for _ in range(repeats)])
    spreads = {name: Spread.of(samples) for name, samples in taken.items()}
    memory = 0.0 if quick else _memory()
    limits = (600, 600, 1500, 30)
    Report(
        name="render",
        tables=[
            table(
                f"{picture.shape[1]} x {picture.shape[0]} pixels, milliseconds",
                ("", *SPREAD_COLUMNS),
                [(name, *spread.cells()) for name, spread in spreads.items()],
            ),
            table("Memory beside the photo", ("", "MiB"), [("bloom, sharpen and structure, 8 bits", f"{memory:.0f}")]),
        ],
        results={"milliseconds": {name: asdict(spread) for name, spread in spreads.items()}, "memory_mib": memory},
        targets=[Target(name, spreads[name].p50, limit, "ms") for name, limit in zip(cases, limits, strict=True)],
    ).publish(results, rounds=rounds, threads=threads, quick=quick)


def photo(size: tuple[int, int] = SIZE) -> NDArray[np.uint8]:
    """A real photo at that size (width, height), with grain."""
    enlarged = Image.fromarray(skimage.data.astronaut()).resize(size, Image.Resampling.BICUBIC)
    grain = np.random.default_rng(1).integers(-4, 5, (size[1], size[0], 3))
    return np.clip(np.asarray(enlarged, np.int16) + grain, 0, 255).astype(np.uint8)


def memory_mib(field: str) -> float:
    """Memory of this process: ``VmRSS`` is resident now, ``VmHWM`` was its peak."""
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    return int(status.partition(f"{field}:")[2].split()[0]) / 1024


def forget_peak() -> None:
    """From now on the peak is counted anew."""
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")


def _milliseconds(case: Callable[[], object]) -> float:
    begun = perf_counter()
    case()
    return 1000 * (perf_counter() - begun)


def _memory() -> float:
    """In a process of its own, whose peak is this grade's."""
    done = subprocess.run([sys.executable, "-c", MEMORY], capture_output=True, text=True, check=False)
    if done.returncode:
        raise BenchmarkError(f"the memory was not measured: {done.stderr.strip().splitlines()[-1]}")
    return float(done.stdout)


if __name__ == "__main__":
    run(main)
