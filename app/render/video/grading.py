"""A grade on single frames, by FFmpeg's filters.

    pointwise:  Y'CbCr -> RGB -> lut3d, trilinear -> Y'CbCr
    spatial:    Y'CbCr -> RGB -> `apply_grade` -> Y'CbCr
    neither:    the frame as it is

RGB has 8 bits a channel for sources of 8, else 16. swscale converts with rounding and full chroma, which it does not
by itself: there it darkens a picture by one step of 255.
"""

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, cast

import av
import numpy as np
from av.filter import Graph
from av.video.frame import VideoFrame
from numpy.typing import NDArray

from app.grade import Grade
from app.render import cube
from app.render.pipeline import apply_grade, compile_lut, is_pointwise, is_spatial
from app.render.video.clip import Clip
from app.render.video.encoders import Encoder
from app.render.video.errors import VideoError

FrameGrader = Callable[[VideoFrame], VideoFrame]

_EXACT = "bicubic+accurate_rnd+full_chroma_int+full_chroma_inp"
_Step = tuple[str, dict[str, str]]  # a filter and its options


def frame_grader(clip: Clip, encoder: Encoder, grade: Grade, strength: float) -> FrameGrader:
    """What turns a decoded frame into the frame to encode, with its time stamps and whatever else it carries.

    Raises VideoError for pixels that cannot be converted.
    """
    if strength == 0 or not (is_pointwise(grade) or is_spatial(grade)):
        return _Filters(clip, _to_encoder(clip, encoder))
    if is_spatial(grade):
        return _Pipeline(clip, encoder, grade, strength)
    with TemporaryDirectory(prefix="recolor-") as folder:
        file = Path(folder) / "look.cube"
        file.write_text(cube.write(compile_lut(grade, strength=strength)), encoding="ascii")
        lut = ("lut3d", {"file": str(file), "interp": "trilinear"})
        return _Filters(clip, [*_to_rgb("gbrp16le" if clip.is_deep else "gbrp"), lut, *_to_encoder(clip, encoder)])


class _Filters:
    """A chain of filters that gives one frame for one frame."""

    def __init__(self, clip: Clip, steps: list[_Step], pixels: str = "") -> None:
        """Raises VideoError for pixels that FFmpeg cannot convert.

        `pixels` are those of the frames that come, where they are not the clip's.
        """
        width, height = clip.size
        source = {
            "video_size": f"{width}x{height}",
            "pix_fmt": pixels or clip.pixels,
            "time_base": str(clip.time_base),
            "colorspace": "gbr" if pixels else str(clip.colours.source.matrix),
            "range": "pc" if pixels else clip.colours.source.range_name,
        }
        self._graph = Graph()
        chain = [("buffer", source), *steps, ("buffersink", {})]
        try:
            self._graph.link_nodes(*(self._graph.add(name, None, **options) for name, options in chain))
            self._graph.configure()
        except av.FFmpegError as error:
            text = f"Pixels of this kind ({clip.pixels}) are not handled; convert the video to H.264."
            raise VideoError("unsupported", text) from error

    def __call__(self, frame: VideoFrame) -> VideoFrame:
        self._graph.vpush(frame)
        return self._graph.vpull()


class _Pipeline:
    """Frames as arrays through `apply_grade`."""

    def __init__(self, clip: Clip, encoder: Encoder, grade: Grade, strength: float) -> None:
        pixels = "rgb48le" if clip.is_deep else "rgb24"
        self._type = np.dtype("<u2" if clip.is_deep else "u1")
        self._to_rgb = _Filters(clip, _to_rgb(pixels))
        self._to_encoder = _Filters(clip, _to_encoder(clip, encoder), pixels)
        self._grade, self._strength = grade, strength

    def __call__(self, frame: VideoFrame) -> VideoFrame:
        rgb_frame = self._to_rgb(frame)
        rgb_frame.make_writable()
        rgb = self._pixels(rgb_frame)
        rgb[:] = apply_grade(rgb, self._grade, self._strength)
        return self._to_encoder(rgb_frame)

    def _pixels(self, frame: VideoFrame) -> NDArray[Any]:
        """The memory of the frame itself, [H, W, 3]."""
        plane = frame.planes[0]
        samples: NDArray[Any] = np.frombuffer(memoryview(cast("Any", plane)), self._type)
        rows = samples.reshape(frame.height, plane.line_size // samples.itemsize)
        return rows[:, : frame.width * 3].reshape(frame.height, frame.width, 3)


def _to_rgb(pixels: str) -> list[_Step]:
    return [("scale", {"flags": _EXACT, "out_range": "pc"}), ("format", {"pix_fmts": pixels})]


def _to_encoder(clip: Clip, encoder: Encoder) -> list[_Step]:
    (width, height), coding = encoder.size, clip.colours.target
    return [
        ("crop", {"w": str(width), "h": str(height), "x": "0", "y": "0"}),
        ("scale", {"flags": _EXACT, "out_color_matrix": coding.matrix_name, "out_range": coding.range_name}),
        ("format", {"pix_fmts": encoder.pixels}),
    ]
