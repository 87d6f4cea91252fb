"""Small real clips for the tests of video, and what is in a clip."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import skimage.data
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.container import OutputContainer
from av.video.frame import VideoFrame
from av.video.reformatter import Interpolation
from av.video.stream import VideoStream
from numpy.typing import NDArray
from PIL import Image

BT709, BT601 = 1, 6
LIMITED, FULL = 1, 2
TICKS = 600
"""Time stamps a second."""

_EXACT = (
    Interpolation.BICUBIC | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT | Interpolation.FULL_CHR_H_INP
)


@dataclass(frozen=True)
class Kind:
    """How a clip is made; by itself without loss."""

    size: tuple[int, int] = (64, 48)
    count: int = 10
    times: Sequence[int] = ()
    """The frames' time stamps in ticks; else 25 frames a second."""
    codec: str = "libx264"
    pixels: str = "yuv420p"
    options: dict[str, str] = field(default_factory=lambda: {"crf": "0", "preset": "ultrafast"})
    matrix: int = BT709
    range: int = LIMITED
    primaries: int = 1
    transfer: int = 1
    rotation: int = 0
    sample_aspect: Fraction = Fraction(1)
    sound: tuple[str, ...] = ()
    """A codec a stream."""
    metadata: dict[str, str] = field(default_factory=dict)
    chapters: tuple[str, ...] = ()
    """A title each; half a second long."""
    faststart: bool = False
    """The index comes before the pictures (MP4, MOV)."""


USUAL = Kind()


def pictures(size: tuple[int, int], count: int) -> list[NDArray[np.uint8]]:
    """A photo that moves, [H, W, 3] each. Its colours stay away from the ends of the range."""
    photo = Image.fromarray(skimage.data.astronaut()).resize((size[0] + 2 * count, size[1] + count))
    pixels = (40 + np.asarray(photo, np.float32) * (170 / 255)).round().astype(np.uint8)
    return [pixels[i : i + size[1], 2 * i : 2 * i + size[0]] for i in range(count)]


def clip(file: Path, kind: Kind = USUAL) -> Path:
    """Write a clip of that kind; the file's ending says into which container."""
    options = {"movflags": "+faststart"} if kind.faststart else {}
    with av.open(str(file), "w", container_options=options) as container:
        container.metadata.update(kind.metadata)
        video, sounds = _video_stream(container, kind), [_sound_stream(container, codec) for codec in kind.sound]
        half = {"time_base": Fraction(1, 1000), "start": 0, "end": 500}
        container.set_chapters(
            [
                half | {"id": n, "start": 500 * n, "end": 500 * n + 500, "metadata": {"title": title}}
                for n, title in enumerate(kind.chapters)
            ]
        )
        for stream in sounds:
            _encode_sound(container, stream, seconds=kind.times[-1] / TICKS if kind.times else kind.count / 25)
        for number, picture in enumerate(pictures(kind.size, kind.count)):
            frame = _in_colour(np.ascontiguousarray(picture), kind.pixels, kind.matrix, kind.range)
            frame.pts = kind.times[number] if kind.times else number * TICKS // 25
            frame.time_base = Fraction(1, TICKS)
            container.mux(video.encode(frame))
        container.mux(video.encode(None))
    return file


def _video_stream(container: OutputContainer, kind: Kind) -> VideoStream:
    stream = container.add_stream(kind.codec, 25, kind.options, time_base=Fraction(1, TICKS))
    assert isinstance(stream, VideoStream)
    codec = stream.codec_context
    codec.width, codec.height = kind.size
    codec.pix_fmt = kind.pixels
    codec.color_range, codec.colorspace = kind.range, kind.matrix
    codec.color_primaries, codec.color_trc = kind.primaries, kind.transfer
    codec.sample_aspect_ratio = kind.sample_aspect
    if kind.rotation:
        stream.set_display_rotation(kind.rotation)
    return stream


def _sound_stream(container: OutputContainer, codec: str) -> AudioStream:
    stream = container.add_stream(codec, 48_000)
    assert isinstance(stream, AudioStream)
    return stream


def _encode_sound(container: OutputContainer, stream: AudioStream, seconds: float) -> None:
    time = np.arange(round(48_000 * seconds)) / 48_000
    wave = np.sin(2 * np.pi * (300 + 50 * stream.index) * time).astype(np.float32)
    frame = AudioFrame.from_ndarray(np.stack([wave, wave]), "fltp", "stereo")
    frame.sample_rate = 48_000
    frame.pts = 0
    container.mux(stream.encode(frame))
    container.mux(stream.encode(None))


@dataclass(frozen=True)
class Content:
    """What comes out of a file."""

    frames: list[VideoFrame]
    codec: str
    sample_aspect: Fraction | None
    sounds: list[list[tuple[float, bytes]]]
    """Of each stream the packets: seconds and bytes."""
    metadata: dict[str, str]
    chapters: list[tuple[float, float, str]]

    @property
    def times(self) -> list[float]:
        return [frame.time or 0.0 for frame in self.frames]

    @property
    def duration(self) -> float:
        last = self.frames[-1]
        return float((last.pts or 0) + last.duration) * float(last.time_base or 0)


def content(file: Path) -> Content:
    with av.open(str(file)) as container:
        video, start = container.streams.video[0], (container.start_time or 0) / av.time_base
        sounds: dict[int, list[tuple[float, bytes]]] = {stream.index: [] for stream in container.streams.audio}
        frames: list[VideoFrame] = []
        for packet in container.demux():
            if packet.stream.index == video.index:
                frames += [frame for frame in packet.decode() if isinstance(frame, VideoFrame)]
            elif packet.stream.index in sounds and packet.size:
                sounds[packet.stream.index].append((float((packet.pts or 0) * packet.time_base) - start, bytes(packet)))
        chapters = [
            (
                float(chapter["start"] * (base := chapter["time_base"] or Fraction(1))),
                float(chapter["end"] * base),
                chapter["metadata"].get("title", ""),
            )
            for chapter in container.chapters()
        ]
        return Content(
            frames,
            video.codec_context.name,
            video.sample_aspect_ratio,
            list(sounds.values()),
            dict(container.metadata),
            chapters,
        )


def planes(frame: VideoFrame) -> list[NDArray[np.uint16]]:
    """The numbers of a frame, a plane a channel."""
    found = []
    for plane, component in zip(frame.planes, frame.format.components, strict=True):
        samples = np.frombuffer(memoryview(plane), np.uint8 if component.bits == 8 else np.uint16)  # type: ignore[arg-type]
        found.append(samples.reshape(plane.height, -1)[:, : plane.width].astype(np.uint16))
    return found


def rgb(frame: VideoFrame) -> NDArray[np.int16]:
    """A frame as RGB of 8 bits, [H, W, 3]; the tags of the frame are believed."""
    return frame.reformat(format="rgb24", dst_color_range=FULL, interpolation=_EXACT).to_ndarray().astype(np.int16)


def coded(picture: NDArray[np.uint8], like: VideoFrame) -> VideoFrame:
    """RGB of 8 bits, [H, W, 3], coded as another frame is."""
    return _in_colour(picture, like.format.name, like.colorspace, like.color_range)


def _in_colour(picture: NDArray[np.uint8], pixels: str, matrix: int, colour_range: int) -> VideoFrame:
    return VideoFrame.from_ndarray(picture).reformat(
        format=pixels, dst_colorspace=matrix, dst_color_range=colour_range, interpolation=_EXACT
    )
