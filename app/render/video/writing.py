"""The graded video's file: encoded frames beside copied packets."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import av
from av.codec.context import Flags, ThreadType
from av.container import InputContainer, OutputContainer
from av.packet import Packet
from av.stream import Stream
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from app.render.video.clip import Clip
from app.render.video.encoders import Encoder
from app.render.video.errors import VideoError
from app.render.video.remux import Remux

_HELD_BACK = 100
"""Frames that an encoder holds back, at most."""
_USUAL_WAIT, _LONGEST_WAIT = 10, 300
"""Seconds."""


@contextmanager
def writer(file: Path, container: str, source: InputContainer, clip: Clip, encoder: Encoder) -> Iterator["Writer"]:
    """A writer whose file is complete at the end, and gone after an error.

    Raises VideoError for what the container cannot hold, OSError where the file cannot be written.
    """
    muxer = av.open(str(file.absolute()), "w", format=container, container_options=_options(container, source, clip))
    try:
        opened = Writer(muxer, source, clip, encoder)
        yield opened
        opened.finish()
    except BaseException:
        # Removed before it is closed: closing would first move the index of half a file to its front.
        file.unlink(missing_ok=True)
        with suppress(av.FFmpegError):
            muxer.close()
        raise


class Writer:
    """What `writer` opens.

    Attributes:
        left_out: streams of the source that the container cannot hold, in words.
    """

    def __init__(self, muxer: OutputContainer, source: InputContainer, clip: Clip, encoder: Encoder) -> None:
        self._muxer = muxer
        self._clip = clip
        self._last: int | None = None  # the latest frame's time stamp
        self._pictures = _encoded_stream(muxer, clip, encoder)
        self._remux = Remux(source, muxer, clip.stream)
        self._remux.describe(source, source.streams[clip.stream], self._pictures)
        self.left_out = self._remux.left_out

    def copy(self, packet: "Packet[Stream]") -> None:
        """A packet of a stream that is not graded. Raises OSError, VideoError."""
        if packet.size and packet.stream.index in self._remux:
            with _writable(f"a packet of its {packet.stream.type}"):
                self._remux.copy(packet)

    def encode(self, frame: VideoFrame) -> None:
        """A frame with the source's time stamp. Raises OSError, VideoError."""
        frame.pts = self._remux.ticks(frame.pts or 0, self._clip.time_base)
        if self._last is None or frame.pts > self._last:  # of two frames at one time, one can be shown
            self._last = frame.pts
            with _writable("a frame"):
                self._muxer.mux(self._pictures.encode(frame))

    def finish(self) -> None:
        """Raises OSError, VideoError."""
        with _writable("the end"):
            self._muxer.mux(self._pictures.encode(None))
            self._muxer.close()


def _encoded_stream(muxer: OutputContainer, clip: Clip, encoder: Encoder) -> VideoStream:
    stream = muxer.add_stream(encoder.codec, clip.rate, encoder.options, time_base=clip.time_base)
    if not isinstance(stream, VideoStream):
        raise TypeError(f"{encoder.codec} encodes no video")
    codec, tags = stream.codec_context, clip.colours.tags
    codec.width, codec.height = encoder.size
    codec.pix_fmt = encoder.pixels
    codec.sample_aspect_ratio = clip.sample_aspect
    codec.color_range, codec.colorspace = tags.range, tags.matrix
    codec.color_primaries, codec.color_trc = tags.primaries, tags.transfer
    codec.flags |= Flags.frame_duration  # the last one's, too, which nothing else tells
    codec.thread_type = ThreadType.AUTO  # by itself av has the threads share one frame: slower, and larger files
    if encoder.tag:
        codec.codec_tag = encoder.tag
    stream.set_display_matrix(clip.orientation)
    return stream


def _options(container: str, source: InputContainer, clip: Clip) -> dict[str, str]:
    """Of the muxer."""
    # Sound waits for the pictures of its time, which the encoder holds back; by itself for ten seconds at most.
    wait = min(float(_HELD_BACK / clip.rate), _LONGEST_WAIT)
    options = {"max_interleave_delta": str(round(max(wait, _USUAL_WAIT) * av.time_base))}
    if container in {"mp4", "mov"}:
        # The index comes first, so that a browser can play what it has not wholly loaded. Phones describe their clips
        # by names (com.apple.quicktime.model, ...) that are written only if asked for.
        phone = any(key.lower().startswith("com.") for key in source.metadata)
        options["movflags"] = "+faststart+use_metadata_tags" if phone else "+faststart"
    return options


@contextmanager
def _writable(part: str) -> Iterator[None]:
    """What the system says about the disk becomes a plain OSError, what encoder or muxer say a VideoError."""
    try:
        yield
    except av.FFmpegError as error:
        if error.errno in errno.errorcode and error.errno != errno.EINVAL:
            raise OSError(error.errno, error.strerror) from error
        text = f"The video cannot be written: {part} was refused ({error.strerror}). Try .mkv, or another video."
        raise VideoError("unsupported", text) from error
