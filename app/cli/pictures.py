"""`recolor apply`: photos and videos under a look."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.progress import Progress

from app.cli.console import Model, err, progress
from app.cli.looks import chosen_grade
from app.grade import Grade

if TYPE_CHECKING:
    from app.cli.media import Job

# Larger than the service allows: here it is one's own machine, and cameras have 200 megapixels.
_MOST_BYTES, _MOST_PIXELS = 2**30, 250_000_000

_INTERRUPTED = 130
"""128 and the number of SIGINT, as shells have it."""


def apply(
    pictures: Annotated[
        list[str] | None, typer.Argument(help='Photos, videos, folders of them, or patterns: "*.jpg".')
    ] = None,
    look: Annotated[
        str, typer.Argument(help='The look, e.g. "golden hour"; comes last.', show_default="with --grade: none")
    ] = "",
    output: Annotated[Path, typer.Option("--output", "-o", help="A file for one picture, otherwise a folder.")] = ...,  # type: ignore[assignment]
    strength: Annotated[int, typer.Option(min=0, max=100, help="How much of the look, in percent.")] = 100,
    grade_file: Annotated[Path | None, typer.Option("--grade", help="JSON of a grade, instead of a look.")] = None,
    force: Annotated[bool, typer.Option("--force", "-f", help="Replace files that exist.")] = False,
    model: Model = "",
) -> None:
    """Give photos and videos a look. What is read is never changed.

    Read: JPEG, PNG, WebP, TIFF, HEIC, AVIF; MP4, MOV, MKV, WebM and older kinds of video.
    Written: what the file's ending says; in a folder what it was, or .jpg and .mp4.
    Kept: size, EXIF data, sound, rotation, time stamps. Ctrl-C leaves nothing half-written.

    recolor apply photo.jpg "golden hour" -o graded.jpg
    recolor apply photo.heic "less harsh" -o graded.png --strength 70
    recolor apply clip.mov "teal and orange" -o graded.mp4
    recolor apply holiday/ "more/*.jpg" "faded summer" -o graded/
    recolor apply holiday/ --grade look.json -o graded/
    """
    from app.cli.media import jobs_of

    names, look = _parted([word for word in [*(pictures or []), look] if word], grade_file is not None)
    jobs = jobs_of(names, output, force)
    done = failed = 0
    try:
        grade = chosen_grade(look, grade_file, model)
        with _ctrl_c() as cancel, progress() as shown:
            overall = shown.add_task("rendering", total=len(jobs), visible=len(jobs) > 1 or not jobs[0].is_video)
            for job in jobs:
                if cancel.is_set():
                    raise KeyboardInterrupt
                whole = _render(job, grade, strength, shown, cancel)
                done, failed = done + whole, failed + (not whole)
                shown.advance(overall)
    except KeyboardInterrupt:
        _say(f"interrupted; {done} of {len(jobs)} are written, none of them half")
        raise typer.Exit(_INTERRUPTED) from None
    if failed:
        raise typer.Exit(1)


def _parted(words: list[str], has_grade: bool) -> tuple[list[str], str]:
    """The pictures' names, and the look: the last word where there is no grade."""
    from app.cli.media import is_name, is_picture

    if has_grade and words and is_name(words[-1]):
        return words, ""
    if not has_grade and len(words) > 1 and not is_picture(words[-1]):
        return words[:-1], words[-1]
    raise typer.BadParameter("give either a look or --grade; a look comes after the pictures", param_hint="LOOK")


@contextmanager
def _ctrl_c() -> Iterator[Event]:
    """An event that Ctrl-C sets, beside raising KeyboardInterrupt, which is lost inside a library's callback."""
    pressed = Event()

    def interrupt(*_: object) -> None:
        pressed.set()
        raise KeyboardInterrupt

    usual = signal.signal(signal.SIGINT, interrupt)
    try:
        yield pressed
    finally:
        signal.signal(signal.SIGINT, usual)


def _render(job: "Job", grade: Grade, strength: int, shown: Progress, cancel: Event) -> bool:
    """Whether it succeeded; if not, why is said. Raises KeyboardInterrupt."""
    from app.render import PhotoError
    from app.render.video import CancelledError, VideoError

    try:
        if job.is_video:
            _render_video(job, grade, strength, shown, cancel)
        else:
            _render_photo(job, grade, strength)
    except CancelledError:
        raise KeyboardInterrupt from None
    except (PhotoError, VideoError, OSError) as error:
        _say(f"{job.source}: {error}")
        return False
    return True


def _render_photo(job: "Job", grade: Grade, strength: int) -> None:
    from app.cli.media import PHOTOS
    from app.render import render_photo
    from app.render.draft import draft
    from app.render.photo import PhotoLimits

    limits = PhotoLimits(_MOST_BYTES, _MOST_PIXELS)
    rendered = render_photo(job.source.read_bytes(), grade, strength, limits, PHOTOS[job.target.suffix.lower()])
    with draft(job.target) as file:
        file.write_bytes(rendered.data)


def _render_video(job: "Job", grade: Grade, strength: int, shown: Progress, cancel: Event) -> None:
    from app.render.video import render_video

    task = shown.add_task(escape(job.source.name), total=None)
    try:
        left_out = render_video(
            job.source,
            job.target,
            grade,
            strength,
            progress=lambda done, total: shown.update(task, completed=done, total=total),
            cancel=cancel,
        )
    finally:
        shown.remove_task(task)
    if left_out:
        _say(f"{job.target}: without what {job.target.suffix} cannot hold: {', '.join(left_out)}")


def _say(words: str) -> None:
    err.print(f"recolor: {words}", markup=False, highlight=False, soft_wrap=True)
