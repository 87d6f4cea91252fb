"""The benchmark of video runs end to end; how fast is not asked here."""

from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks.video import OURS, THEIRS, WITH_SPATIAL
from tests.benchmarks.test_benchmarks_run import quick


def test_video_is_compared_with_ffmpeg(tmp_path: Path, program: Callable[[str], str]) -> None:
    program("ffmpeg")
    written = quick("video", tmp_path)
    speeds = written["results"]["frames_per_second"]
    assert speeds.keys() == {OURS, THEIRS, WITH_SPATIAL}
    assert all(speed["p50"] > 0 for speed in speeds.values())
    (target,) = written["targets"]
    assert target["measured"] == pytest.approx(speeds[OURS]["p50"] / speeds[THEIRS]["p50"])
