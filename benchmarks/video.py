"""Speed of graded video: ``python -m benchmarks.video``.

A clip of 1080p (a photo that moves, with grain, and sound) under a pointwise grade: by `render_video`, and in the same
run, in turns, by the ffmpeg program with `-vf lut3d` of the same LUT and the same settings of the same codec. Both read
and write files and copy the sound. ffmpeg's interpolation is its default, tetrahedral; ours is trilinear. Beside it a
grade with spatial steps, which FFmpeg has nothing like.
Not covered: other codecs and sizes, and decoders of the graphics card.
"""

import shutil
import subprocess
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter

import av
import numpy as np
import skimage.data
from av.audio.frame import AudioFrame
from av.video.frame import VideoFrame
from PIL import Image

from app.grade import Grade
from app.render import compile_lut, write_cube
from app.render.video import render_video
from app.render.video.encoders import H264
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

SIZE, FRAMES, RATE = (1920, 1080), 120, 30
SPATIAL_FRAMES = 30
WANTED = 0.7
"""Of the speed of ffmpeg's lut3d."""

POINTWISE = Grade.parse(
    {
        "adjust": {"contrast": 10, "highlights": 20, "shadows": -10, "saturation": 15, "temperature": 30},
        "filter": {"name": "faded_HighNoon", "intensity": 40},
    }
)
SPATIAL = Grade.parse({"adjust": {"contrast": 10, "temperature": 30, "bloom": 30, "sharpen": 20, "structure": 20}})

OURS, THEIRS, WITH_SPATIAL = "render_video", "ffmpeg lut3d", "render_video, spatial steps"


@dataclass(frozen=True, slots=True)
class Speeds:
    """Frames a second by what was measured, a list a round of one number each."""

    rounds: dict[str, list[list[float]]]

    @property
    def ratios(self) -> list[float]:
        """Ours to ffmpeg's, of each round."""
        return [ours[0] / theirs[0] for ours, theirs in zip(self.rounds[OURS], self.rounds[THEIRS], strict=True)]


def main(rounds: Rounds = 3, quick: Quick = False, results: Results = RESULTS) -> None:
    """1080p video under a grade, against plain ffmpeg with the same LUT and codec."""
    size, frames = ((320, 180), 12) if quick else (SIZE, FRAMES)
    speeds = measure(1 if quick else rounds, size, frames)
    report(speeds, size).publish(results, rounds=rounds, frames=frames, quick=quick)


def measure(rounds: int, size: tuple[int, int] = SIZE, frames: int = FRAMES) -> Speeds:
    """Raises BenchmarkError where there is no ffmpeg, or it fails."""
    if shutil.which("ffmpeg") is None:
        raise BenchmarkError("ffmpeg is not installed, so there is nothing to compare with")
    speeds = Speeds({OURS: [], THEIRS: [], WITH_SPATIAL: []})
    with TemporaryDirectory(prefix="recolor-") as name:
        folder = Path(name)
        source = moving_photo(folder / "source.mp4", size, frames)
        short = moving_photo(folder / "short.mp4", size, min(frames, SPATIAL_FRAMES))
        (folder / "look.cube").write_text(write_cube(compile_lut(POINTWISE)), encoding="ascii")
        for _ in rounds_of(rounds, "video"):
            for what, count, work in (
                (OURS, frames, lambda: render_video(source, folder / "ours.mp4", POINTWISE)),
                (THEIRS, frames, lambda: _by_ffmpeg(folder)),
                (WITH_SPATIAL, min(frames, SPATIAL_FRAMES), lambda: render_video(short, folder / "s.mp4", SPATIAL)),
            ):
                speeds.rounds[what].append([count / _seconds(work)])
    return speeds


def moving_photo(file: Path, size: tuple[int, int] = SIZE, frames: int = FRAMES) -> Path:
    """A clip of a photo across which the camera moves, with grain as of a camera, and a second of sound for each."""
    width, height = size
    photo = Image.fromarray(skimage.data.astronaut()).resize((width + 4 * frames, height + 3 * frames))
    pixels = np.asarray(photo, np.int16)
    grain = np.random.default_rng(1).normal(0, 3, (height + 32, width + 32, 1)).round().astype(np.int16)
    with av.open(str(file), "w") as container:
        video = container.add_stream("libx264", RATE, H264, width=width, height=height, pix_fmt="yuv420p")
        sound = container.add_stream("aac", 48_000)
        noise = np.random.default_rng(2).normal(0, 0.1, (2, 48_000 * frames // RATE)).astype(np.float32)
        hum = AudioFrame.from_ndarray(noise, "fltp", "stereo")
        hum.sample_rate = 48_000
        container.mux([*sound.encode(hum), *sound.encode(None)])
        for number in range(frames):
            seen = pixels[3 * number :, 4 * number :][:height, :width]
            speckle = grain[number * 7 % 32 :, number * 13 % 32 :][:height, :width]
            frame = VideoFrame.from_ndarray((seen + speckle).clip(0, 255).astype(np.uint8))
            container.mux(video.encode(frame))
        container.mux(video.encode(None))
    return file


def _by_ffmpeg(folder: Path) -> None:
    settings = [word for name, value in H264.items() for word in (f"-{name}", value)]
    command = ["ffmpeg", "-v", "error", "-y", "-i", "source.mp4", "-vf", "lut3d=look.cube", "-c:v", "libx264"]
    command += [*settings, "-pix_fmt", "yuv420p", "-c:a", "copy", "-movflags", "+faststart", "theirs.mp4"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        raise BenchmarkError(f"ffmpeg failed: {done.stderr.strip()}")


def _seconds(work: Callable[[], object]) -> float:
    began = perf_counter()
    work()
    return perf_counter() - began


def report(speeds: Speeds, size: tuple[int, int] = SIZE) -> Report:
    spreads = {name: Spread.of(rounds) for name, rounds in speeds.rounds.items()}
    ratio = median(speeds.ratios)
    return Report(
        "video",
        [
            table(
                f"Frames a second, {size[0]} x {size[1]}",
                ("", *SPREAD_COLUMNS),
                [(name, *spread.cells()) for name, spread in spreads.items()],
            ),
        ],
        {
            "frames_per_second": {name: asdict(spread) for name, spread in spreads.items()},
            "ratios": speeds.ratios,
        },
        [Target("speed of ffmpeg's lut3d", ratio, WANTED, "x", at_least=True)],
    )


if __name__ == "__main__":
    run(main)
