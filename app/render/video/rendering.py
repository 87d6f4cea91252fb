"""From a video file to the graded video file: decode -> grade -> encode, one frame after the other."""

from collections.abc import Callable
from pathlib import Path
from threading import Event

from app.grade import Grade
from app.render.draft import draft
from app.render.video.clip import inspect, open_video
from app.render.video.encoders import container_of, encoder_of
from app.render.video.errors import CancelledError, damaged
from app.render.video.grading import frame_grader
from app.render.video.reading import Reader
from app.render.video.writing import writer

Progress = Callable[[int, int | None], None]
"""Told after each frame: how many are done, and of how many (estimated; None: unknown)."""


def render_video(
    source: Path,
    target: Path,
    grade: Grade,
    strength: float = 100,
    *,
    progress: Progress | None = None,
    cancel: Event | None = None,
) -> tuple[str, ...]:
    """Write the video under a grade; the target's ending says into which container.

    The target is written as a draft beside it and appears when it is whole; a file of that name is replaced then.

    Returns:
        What the container cannot hold and was left out, in words: subtitles, attachments, a camera's data.

    Raises:
        VideoError: for what cannot be rendered.
        OSError: where the source cannot be read or the target not be written.
        CancelledError: soon after `cancel` is set.
    """
    container = container_of(target)
    clip = inspect(source)
    encoder = encoder_of(clip, container)
    graded = frame_grader(clip, encoder, grade, strength)
    done = 0
    with draft(target) as file, open_video(source) as opened, writer(file, container, opened, clip, encoder) as output:
        reader = Reader(opened, clip)
        for packet in reader.packets():
            if cancel is not None and cancel.is_set():
                raise CancelledError
            if packet.stream.index != clip.stream:
                output.copy(packet)
                continue
            for frame in reader.frames(packet):
                output.encode(graded(frame))
                done += 1
                if progress is not None:
                    progress(done, clip.frames and max(done, clip.frames))
        if not done:
            raise damaged("No frame can be decoded")
    return tuple(output.left_out)
