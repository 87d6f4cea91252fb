"""How fast the page's picture follows: ``python -m benchmarks.page``.

In Chromium without a graphics card (SwiftShader draws on the CPU), against the real service on the same cores. A slider
is moved by an event as a hand's, and the time is taken until the picture with the new value has been drawn, every
pixel of it: the request for the LUT, its computation, its upload and the drawing. What the screen then takes to show
it, at most one of its frames, is not in it. Moves come one at a time, from rest; and as a drag, an event every 16 ms,
where what counts is how many pictures there are a second.
Not covered: graphics cards, networks, photos of other shapes than the page's first sample.
"""

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from statistics import median
from typing import Any

import numpy as np
from playwright.sync_api import Page, sync_playwright

from benchmarks.harness import (
    RESULTS,
    SPREAD_COLUMNS,
    BenchmarkError,
    Quick,
    Report,
    Results,
    Rounds,
    Spread,
    Target,
    rounds_of,
    run,
    table,
)
from benchmarks.service import service

MOVES = 40
"""Single moves a round."""

DRAG_EVENTS = 120
"""Events of a drag: two seconds."""

WANTED_MS = 60
PATIENCE_MS = 240_000

BROWSER = ("--no-sandbox", "--enable-unsafe-swiftshader")
WINDOW = {"width": 1440, "height": 900}

CASES: Mapping[str, tuple[str, str]] = {
    "exposure": ("#adjust-exposure", ""),
    "green: luminance": ("#selective_adjust-green-luminance", ""),
    "preset's intensity": ("#filter-intensity", "vivid"),
    "bloom": ("#adjust-bloom", ""),
    "sharpen": ("#adjust-sharpen", ""),
    "structure": ("#adjust-structure", ""),
}
"""The slider that is moved, and the preset that is chosen before."""

POINTWISE = ("exposure", "green: luminance", "preset's intensity")

# The pixel is read back so that the time ends when all drawing has.
_SCRIPT = """
async ({ slider, moves, drag }) => {
    const canvas = document.getElementById("after");
    const gl = canvas.getContext("webgl2");
    const pixel = new Uint8Array(4);
    const input = document.querySelector(slider);
    const rest = (ms) => new Promise((done) => setTimeout(done, ms));
    const drawn = () => new Promise((done) => canvas.addEventListener("drawn", () => {
        gl.readPixels(0, 0, 1, 1, gl.RGBA, gl.UNSIGNED_BYTE, pixel);
        done(performance.now());
    }, { once: true }));
    const move = (value) => {
        input.value = value;
        input.dispatchEvent(new Event("input", { bubbles: true }));
    };
    const atRest = async () => {
        while (canvas.dataset.atRest !== "true") await rest(20);
    };
    const value = (index) => 5 + ((index * 37) % 90);
    const single = [];
    for (let index = 0; index < moves; index++) {
        await atRest();
        const began = performance.now();
        const drawing = drawn();
        move(value(index));
        single.push((await drawing) - began);
    }
    await atRest();
    let pictures = 0;
    const began = performance.now();
    const shown = () => {
        gl.readPixels(0, 0, 1, 1, gl.RGBA, gl.UNSIGNED_BYTE, pixel);
        pictures++;
    };
    canvas.addEventListener("drawn", shown);
    for (let index = 0; index < drag; index++) {
        move(5 + (index % 90));
        await rest(16);
    }
    canvas.removeEventListener("drawn", shown);
    return { single, pictures: (1000 * pictures) / (performance.now() - began) };
}
"""


def main(rounds: Rounds = 3, quick: Quick = False, results: Results = RESULTS) -> None:
    """A slider moved, to the new picture, in Chromium with software rendering."""
    chromium = shutil.which("chromium")
    if chromium is None:
        raise BenchmarkError("Chromium is not installed (Debian: apt install chromium)")
    rounds, moves, drag = (1, 2, 10) if quick else (rounds, MOVES, DRAG_EVENTS)
    single: dict[str, list[list[float]]] = {name: [] for name in CASES}
    pictures: dict[str, list[float]] = {name: [] for name in CASES}
    with service(rate_limit="none") as running, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=list(BROWSER), timeout=PATIENCE_MS)
        page = browser.new_page(viewport=WINDOW)  # type: ignore[arg-type]
        page.set_default_timeout(PATIENCE_MS)
        page.goto(f"http://127.0.0.1:{running.port}/")
        page.wait_for_selector("#after[data-at-rest=true]")
        size = page.evaluate("[document.getElementById('after').width, document.getElementById('after').height]")
        for _ in rounds_of(rounds, "page"):
            for name, (slider, preset) in CASES.items():
                _prepare(page, preset)
                measured = page.evaluate(_SCRIPT, {"slider": slider, "moves": moves, "drag": drag})
                single[name].append(measured["single"])
                pictures[name].append(measured["pictures"])
        browser.close()
    _report(single, pictures, size).publish(results, rounds=rounds, quick=quick)


def _prepare(page: Page, preset: str) -> None:
    """Start from no look, or from a preset."""
    reset = page.locator("#reset")
    if reset.is_enabled():
        reset.click()
    if preset:
        page.locator(f".preset:has([value={preset}])").click()
    page.wait_for_selector("#after[data-at-rest=true]")


def _report(
    single: Mapping[str, list[list[float]]], pictures: Mapping[str, list[float]], size: Sequence[int]
) -> Report:
    spreads = {name: Spread.of(rounds) for name, rounds in single.items()}
    p95 = {name: float(np.percentile(np.concatenate(rounds), 95)) for name, rounds in single.items()}
    title = f"Slider moved to new picture of {size[0]} x {size[1]} pixels, ms"
    rows: list[tuple[str, ...]] = [(name, *spread.cells()) for name, spread in spreads.items()]
    dragged = [(name, f"{median(rates):.1f}") for name, rates in pictures.items()]
    results: dict[str, Any] = {
        "milliseconds": {name: asdict(spread) | {"p95": p95[name]} for name, spread in spreads.items()},
        "pictures_per_second": dict(pictures),
        "pixels": list(size),
    }
    targets = [Target(f"{name}, p50", spreads[name].p50, WANTED_MS, "ms") for name in CASES]
    targets += [Target(f"{name}, p95", p95[name], WANTED_MS, "ms") for name in POINTWISE]
    return Report(
        "page",
        [
            table(title, ("", *SPREAD_COLUMNS), rows),
            table("Pictures a second while it is dragged", ("", "median of rounds"), dragged),
        ],
        results,
        targets,
    )


if __name__ == "__main__":
    run(main)
