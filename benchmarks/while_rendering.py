"""What photos cost everybody else: ``python -m benchmarks.while_rendering``.

Over real HTTP at a client, one request at a time, on the machine of the service: `POST /recolor`, uncached and cached,
alone and while a second client has 12-megapixel photos rendered by `POST /render`, one after another without pause.
Round by round in turns, so that a change of the machine's speed meets both. And `POST /lut` with 33 points, alone, for
grades of which none was asked for before. The photos' grade has a spatial step, which takes the renderer longest.
Not covered: many callers at once, networks, several workers.
"""

import json
import multiprocessing
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from http.client import HTTPConnection
from io import BytesIO
from itertools import islice
from multiprocessing.connection import Connection
from statistics import median
from time import perf_counter

import numpy as np
from PIL import Image
from skimage import data as photos

from app.grade import Grade
from app.grade.example import GRADE
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
from benchmarks.intents import examples_to_ask, new_intents
from benchmarks.service import connected, service

WARM_UP = 20
"""Requests before the first that counts."""

ASKED, QUICK_ASKED = 100, 4
"""Intents of a round alone, and others while photos are rendered; and LUTs in each of their two forms."""

PHOTO_SIZE, QUICK_PHOTO_SIZE = (4000, 3000), (400, 300)
PHOTO_GRADE = {**GRADE.plain(), "adjust": {**GRADE.plain()["adjust"], "structure": 20}}

PATIENCE = 300
"""Seconds for a photo: on a machine that is busy otherwise the worker, which gives way to everybody, takes long."""

UNCACHED, CACHED = "uncached", "cached"
ALONE, RENDERING = "alone", "while rendering"
LUTS = {"LUT as .cube": "text/plain", "LUT as texture": "application/octet-stream"}


@dataclass(slots=True)
class Samples:
    """Milliseconds by what was measured, a list a round."""

    rounds: dict[str, list[list[float]]] = field(default_factory=dict)

    def add(self, name: str, milliseconds: list[float]) -> None:
        self.rounds.setdefault(name, []).append(milliseconds)

    def ratios(self, kind: str) -> list[float]:
        """How many times longer the median of each round is while photos are rendered."""
        pairs = zip(self.rounds[f"{kind}, {RENDERING}"], self.rounds[f"{kind}, {ALONE}"], strict=True)
        return [median(rendering) / median(alone) for rendering, alone in pairs]


def main(rounds: Rounds = 5, quick: Quick = False, results: Results = RESULTS) -> None:
    """/recolor alone and while photos are rendered, and /lut."""
    rounds, asked, size = (1, QUICK_ASKED, QUICK_PHOTO_SIZE) if quick else (rounds, ASKED, PHOTO_SIZE)
    photo, intents = photo_of(size), new_intents()
    grades = iter([example.grade for example in examples_to_ask()])
    measured = Samples()
    with service(render_seconds=PATIENCE) as running, connected(running.port) as connection:
        for intent in islice(intents, WARM_UP):
            _recolor(connection, intent)
        for _ in rounds_of(rounds, "while rendering"):
            _measure_recolor(connection, ALONE, islice(intents, asked), measured)
            with rendering(running.port, photo, measured):
                _measure_recolor(connection, RENDERING, islice(intents, asked), measured)
            for name, media_type in LUTS.items():
                measured.add(name, [_lut(connection, grade, media_type) for grade in islice(grades, asked)])
    _report(measured).publish(results, rounds=rounds, asked=asked, photo=f"{size[0]} x {size[1]}", quick=quick)


def photo_of(size: tuple[int, int]) -> bytes:
    """A JPEG of so many pixels, with a photo's shapes and a camera's noise."""
    image = np.asarray(Image.fromarray(photos.coffee()).resize(size, Image.Resampling.BICUBIC), np.float32)
    noise = np.random.default_rng(1).normal(0, 3, image.shape).astype(np.float32)
    output = BytesIO()
    Image.fromarray((image + noise).clip(0, 255).astype(np.uint8)).save(output, "JPEG", quality=92)
    return output.getvalue()


@contextmanager
def rendering(port: int, photo: bytes, measured: Samples) -> Iterator[None]:
    """Photos are rendered from before the block begins until it has ended; each one's time is a sample."""
    ours, theirs = multiprocessing.get_context("spawn").Pipe()
    client = multiprocessing.get_context("spawn").Process(target=_render_photos, args=(port, photo, theirs))
    client.start()
    theirs.close()
    try:
        if not ours.poll(PATIENCE) or ours.recv() != "rendering":
            raise BenchmarkError("no photo was rendered")
        yield
        ours.send("stop")
        measured.add("photo", ours.recv())
    except EOFError:
        raise BenchmarkError("photos were no longer rendered") from None
    finally:
        client.kill()
        client.join()


def _render_photos(port: int, photo: bytes, commands: Connection) -> None:
    """In a process of its own, so that the other client's clock does not wait for this one."""
    milliseconds: list[float] = []
    with connected(port) as connection:
        connection.timeout = PATIENCE
        _render(connection, photo)  # the first one may start the worker
        commands.send("rendering")
        while not milliseconds or not commands.poll():
            milliseconds.append(_render(connection, photo))
    commands.send(milliseconds)


def _render(connection: HTTPConnection, photo: bytes) -> float:
    """Milliseconds of one photo."""
    part = '--limit\r\nContent-Disposition: form-data; name="{}"\r\n\r\n'
    text = part.format("grade") + json.dumps(PHOTO_GRADE) + "\r\n" + part.format("image")
    form = text.encode() + photo + b"\r\n--limit--\r\n"
    return _post(connection, "/render", form, {"Content-Type": "multipart/form-data; boundary=limit"})[0]


def _lut(connection: HTTPConnection, grade: Grade, media_type: str) -> float:
    """Milliseconds of a LUT with 33 points."""
    body = json.dumps({"grade": grade.plain()}).encode()
    return _post(connection, "/lut", body, {"Content-Type": "application/json", "Accept": media_type})[0]


def _measure_recolor(connection: HTTPConnection, when: str, intents: Iterator[str], measured: Samples) -> None:
    """Every intent twice; those that the student cannot read cost no forward pass and do not count."""
    samples: dict[str, list[float]] = {UNCACHED: [], CACHED: []}
    for intent in intents:
        for kind in (UNCACHED, CACHED):
            milliseconds, answer = _recolor(connection, intent)
            if answer["failed"]:
                break
            if answer["cached"] is not (kind == CACHED):
                raise BenchmarkError(f"an answer that should have been {kind} was not")
            samples[kind].append(milliseconds)
    for kind, milliseconds in samples.items():
        measured.add(f"{kind}, {when}", milliseconds)


def _recolor(connection: HTTPConnection, intent: str) -> tuple[float, dict[str, object]]:
    """Milliseconds, and the answer."""
    body = json.dumps({"intent": intent}).encode()
    milliseconds, content = _post(connection, "/recolor", body, {"Content-Type": "application/json"})
    return milliseconds, json.loads(content)


def _post(connection: HTTPConnection, path: str, body: bytes, headers: dict[str, str]) -> tuple[float, bytes]:
    """Milliseconds, and what came back. Raises BenchmarkError."""
    began = perf_counter()
    connection.request("POST", path, body, headers)
    response = connection.getresponse()
    content = response.read()
    milliseconds = (perf_counter() - began) * 1000
    if response.status != 200:
        raise BenchmarkError(f"{path} was answered with {response.status}: {content.decode(errors='replace')[:200]}")
    return milliseconds, content


def _report(measured: Samples) -> Report:
    spreads = {name: Spread.of(rounds) for name, rounds in measured.rounds.items()}
    medians = {kind: measured.ratios(kind) for kind in (UNCACHED, CACHED)}
    # Of all samples: a round has too few for its own.
    tails = {kind: spreads[f"{kind}, {RENDERING}"].p99 / spreads[f"{kind}, {ALONE}"].p99 for kind in (UNCACHED, CACHED)}
    comparison = [
        (kind, f"{median(ratios):.2f}", f"{min(ratios):.2f} .. {max(ratios):.2f}", f"{tails[kind]:.2f}")
        for kind, ratios in medians.items()
    ]
    return Report(
        "while_rendering",
        [
            table("Latency, ms", ("", *SPREAD_COLUMNS), [(name, *spread.cells()) for name, spread in spreads.items()]),
            table(
                "How many times longer /recolor takes while photos are rendered",
                ("", "p50, median of rounds", "p50, rounds", "p99"),
                comparison,
            ),
        ],
        {
            "milliseconds": {name: asdict(spread) for name, spread in spreads.items()},
            "ratios_of_p50": medians,
            "ratio_of_p99": tails,
        },
        _targets(spreads),
    )


def _targets(spreads: dict[str, Spread]) -> Sequence[Target]:
    """What is promised of /recolor alone is to hold while photos are rendered, too."""
    return [
        Target("uncached while rendering, p50", spreads[f"{UNCACHED}, {RENDERING}"].p50, 25, "ms"),
        Target("uncached while rendering, p99", spreads[f"{UNCACHED}, {RENDERING}"].p99, 60, "ms"),
        Target("cached while rendering, p50", spreads[f"{CACHED}, {RENDERING}"].p50, 2, "ms"),
        *(Target(f"{name}, p50", spreads[name].p50, 30, "ms") for name in LUTS),
    ]


if __name__ == "__main__":
    run(main)
