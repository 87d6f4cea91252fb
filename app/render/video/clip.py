"""What a video file holds, found before any work begins."""

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Literal, cast

import av
from av.container import InputContainer
from av.stream import Disposition
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from app.render.video.colours import Colours
from app.render.video.errors import VideoError, damaged, readable

Chroma = Literal["420", "422", "444"]
FieldOrder = Literal["tff", "bff"]

# Only containers of moving pictures: neither stills nor playlists, which could name other files.
_CONTAINERS = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpeg,asf,flv,ogg,mxf,nut"
_STILL_BRANDS = ("hei", "mif", "avif", "jpeg")
_FIELD_ORDERS: dict[int, FieldOrder] = {2: "tff", 3: "bff", 4: "tff", 5: "bff"}
_USUAL_RATE = Fraction(25)


@dataclass(frozen=True, slots=True)
class Clip:
    """The video stream that is graded.

    Attributes:
        stream: its index in the file.
        time_base: seconds a tick of its time stamps.
        size: width and height in pixels, as stored (before any rotation).
        pixels: FFmpeg's name of the pixel format, e.g. ``yuv420p10le``.
        depth: bits a channel.
        chroma: how densely colour is sampled; the nearest of the usual ways.
        colours: what its numbers mean.
        sample_aspect: width of a pixel by its height; 0 where the file does not say.
        orientation: the display matrix (nine numbers, as FFmpeg has it); None: shown as stored.
        field_order: of interlaced video, which field comes first; None: progressive.
        rate: frames a second, on average.
        frames: how many there are, estimated where the file does not say; None: not even that.
    """

    stream: int
    time_base: Fraction
    size: tuple[int, int]
    pixels: str
    depth: int
    chroma: Chroma
    colours: Colours
    sample_aspect: Fraction
    orientation: tuple[int, ...] | None
    field_order: FieldOrder | None
    rate: Fraction
    frames: int | None

    @property
    def is_deep(self) -> bool:
        """More than 8 bits a channel."""
        return self.depth > 8


def open_video(file: Path) -> InputContainer:
    """Raises VideoError, and OSError where there is no such file."""
    file = file.absolute()
    if file.is_dir() or not file.stat().st_size:
        raise VideoError("unsupported", f"{file.name} is a folder or empty; give a video file.")
    options = {"format_whitelist": _CONTAINERS}
    try:
        with readable(file.name):
            container = av.open(str(file), "r", container_options=options, metadata_errors="replace")
    except VideoError as error:
        if isinstance(error.__cause__, av.error.ArgumentError):  # not on the list
            text = f"{file.name} is no video: not MP4, MOV, MKV, WebM, AVI, MPEG or another kind that is known."
            raise VideoError("unsupported", text) from error
        raise
    if container.metadata.get("major_brand", "").startswith(_STILL_BRANDS):
        container.close()
        raise VideoError("unsupported", f"{file.name} is a still picture; render it as a photo.")
    return container


def inspect(file: Path) -> Clip:
    """Decode the first frame to learn what the headers only promise. Raises VideoError, OSError."""
    with open_video(file) as container:
        stream = _moving_pictures(container)
        return _described(container, stream, _first_frame(container, stream))


def _moving_pictures(container: InputContainer) -> VideoStream:
    """The file's main video stream; not the picture of an album."""
    still = Disposition.attached_pic | Disposition.still_image | Disposition.timed_thumbnails
    streams = [stream for stream in container.streams.video if not stream.disposition & still]
    if not container.streams:
        raise damaged("Nothing is in the file")
    if not streams:
        raise VideoError(
            "unsupported", "There are no moving pictures in the file, or it is damaged; give a whole video."
        )
    stream = max(streams, key=lambda stream: bool(stream.disposition & Disposition.default))
    if stream.codec_context is None:
        raise VideoError(
            "unsupported", "The video is damaged, or of a kind that cannot be decoded here; convert it to H.264."
        )
    return stream


def _first_frame(container: InputContainer, stream: VideoStream) -> VideoFrame:
    """What cannot be decoded before it is passed over: recordings of broadcasts begin in the middle."""
    with readable("The file"):
        for packet in container.demux(stream):
            try:
                if frames := packet.decode():
                    return frames[0]
            except av.error.InvalidDataError:
                continue
    raise damaged("No frame can be decoded")


def _described(container: InputContainer, stream: VideoStream, frame: VideoFrame) -> Clip:
    if frame.format.is_bayer:
        raise VideoError("unsupported", "This is a camera's raw video; develop it first.")
    rate = stream.average_rate or stream.guessed_rate or _USUAL_RATE
    duration = _duration(container, stream)
    return Clip(
        stream=stream.index,
        time_base=stream.time_base or Fraction(1, av.time_base),
        size=(frame.width, frame.height),
        pixels=frame.format.name,
        depth=max(component.bits for component in frame.format.components),
        chroma=_chroma(frame),
        colours=Colours.of(frame),
        sample_aspect=stream.sample_aspect_ratio or Fraction(0),
        orientation=_orientation(frame),
        field_order=_FIELD_ORDERS.get(stream.codec_context.field_order) if frame.interlaced_frame else None,
        rate=rate,
        frames=round(duration * rate) if duration else None,
    )


def _duration(container: InputContainer, stream: VideoStream) -> Fraction | None:
    """Seconds."""
    if stream.duration and stream.time_base:
        return stream.duration * stream.time_base
    return Fraction(container.duration, av.time_base) if container.duration else None


def _chroma(frame: VideoFrame) -> Chroma:
    if len(frame.format.components) < 3 and not frame.format.has_palette:
        return "420"  # grey, which need not stay grey
    narrow = frame.format.chroma_width(frame.width) < frame.width
    low = frame.format.chroma_height(frame.height) < frame.height
    return ("420" if low else "422") if narrow else "444"


def _orientation(frame: VideoFrame) -> tuple[int, ...] | None:
    matrix = cast("Mapping[str, bytes]", frame.side_data).get("DISPLAYMATRIX")
    return None if matrix is None else struct.unpack("=9i", bytes(matrix))
