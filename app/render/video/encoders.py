"""How graded video is encoded.

| file | 8 bits a channel | more |
|---|---|---|
| .mp4, .m4v, .mov, .mkv | H.264 (x264, CRF 18, preset fast) | H.265 with 10 bits (x265, CRF 20, preset fast) |
| .webm | VP9 (libvpx, CRF 24) | refused |

These are qualities at which a difference to the grade is hard to see, for a graded clip is often edited further. Ten
bits go into H.265 and not into H.264, whose 10-bit profile few devices decode. Chroma is sampled as in the source.
H.264 and H.265 have no odd sizes where chroma is subsampled: the last column or row is left out then.
"""

from dataclasses import dataclass
from pathlib import Path

from app.render.video.clip import Clip
from app.render.video.errors import VideoError

CONTAINERS = {".mp4": "mp4", ".m4v": "mp4", ".mov": "mov", ".mkv": "matroska", ".webm": "webm"}
"""What is written, by the file's ending: FFmpeg's names."""

H264 = {"crf": "18", "preset": "fast"}
H265 = {"crf": "20", "preset": "fast", "x265-params": "log-level=none"}
VP9 = {"crf": "24", "deadline": "good", "cpu-used": "4", "row-mt": "1"}

_TOO_FEW_TO_REORDER = 8
"""x265 with B-frames gives the frames of a clip shorter than its reordering time stamps out of the blue."""


@dataclass(frozen=True, slots=True)
class Encoder:
    """A codec with its settings.

    Attributes:
        codec: FFmpeg's name of the encoder.
        pixels: the pixel format that is encoded, by FFmpeg's name.
        size: width and height that are encoded.
        options: of the encoder.
        tag: the codec's four letters in MP4 and MOV, where the usual ones would not play everywhere.
    """

    codec: str
    pixels: str
    size: tuple[int, int]
    options: dict[str, str]
    tag: str | None = None


def container_of(target: Path) -> str:
    """Raises VideoError for an ending that is not written."""
    try:
        return CONTAINERS[target.suffix.lower()]
    except KeyError:
        text = f"Videos are not written as {target.suffix or 'a file without an ending'}; use {', '.join(CONTAINERS)}."
        raise VideoError("unsupported", text) from None


def encoder_of(clip: Clip, container: str) -> Encoder:
    """Raises VideoError if the container cannot hold the clip."""
    if container == "webm":
        if clip.is_deep:
            text = "WebM is written with 8 bits a channel, and the video has more; write .mp4, .mov or .mkv."
            raise VideoError("unsupported", text)
        return Encoder("libvpx-vp9", f"yuv{clip.chroma}p", clip.size, VP9)
    size = _even(clip)
    if clip.is_deep:
        tag = None if container == "matroska" else "hvc1"  # Apple's players ignore the usual hev1
        options = H265
        if clip.frames is not None and clip.frames < _TOO_FEW_TO_REORDER:
            options = options | {"x265-params": options["x265-params"] + ":bframes=0"}
        return Encoder("libx265", f"yuv{clip.chroma}p10le", size, options, tag)
    options = H264
    if clip.field_order:
        options = options | {"flags": "+ildct+ilme", "x264-params": f"{clip.field_order}=1"}
    return Encoder("libx264", f"yuv{clip.chroma}p", size, options)


def _even(clip: Clip) -> tuple[int, int]:
    width, height = clip.size
    if clip.chroma != "444":
        width -= width % 2
    if clip.chroma == "420":
        height -= height % 2
    if not width or not height:
        text = f"The video is too small ({clip.size[0]} x {clip.size[1]} pixels) to be encoded as H.264; write .webm."
        raise VideoError("unsupported", text)
    return width, height
