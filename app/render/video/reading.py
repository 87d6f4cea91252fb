"""The packets of a video file, and the frames in them."""

from collections.abc import Iterator

import av
from av.codec.context import ThreadType
from av.container import InputContainer
from av.packet import Packet
from av.stream import Stream
from av.video.frame import PictureType, VideoFrame

from app.render.video.clip import Clip
from app.render.video.errors import VideoError, damaged, readable

_MISSING_SECONDS = 1.0
"""By so much a file may be shorter than its header says."""


class Reader:
    """Goes through a file once."""

    def __init__(self, container: InputContainer, clip: Clip) -> None:
        self._container = container
        self._clip = clip
        container.streams[clip.stream].codec_context.thread_type = ThreadType.AUTO  # several frames at once
        self._next: int | None = None  # the time stamp after the last frame

    def packets(self) -> Iterator["Packet[Stream]"]:
        """All packets. Raises VideoError where the file cannot be read, or ends before it should."""
        end = 0.0
        with readable("The file"):
            for packet in self._container.demux():
                if packet.pts is not None:
                    end = max(end, float((packet.pts + (packet.duration or 0)) * packet.time_base))
                yield packet
        # In other containers the duration is a guess.
        if self._container.duration and self._container.format.name.startswith(("mov", "matroska")):
            missing = (self._container.duration + (self._container.start_time or 0)) / av.time_base - end
            if missing > _MISSING_SECONDS:
                raise damaged(f"{missing:.0f} seconds are missing at the end")

    def frames(self, packet: "Packet[Stream]") -> Iterator[VideoFrame]:
        """The frames of a packet of the clip's stream, with time stamps and all that is to be known of colours.

        Raises VideoError.
        """
        for frame in self._decoded(packet):
            if (frame.width, frame.height) != self._clip.size or frame.format.name != self._clip.pixels:
                text = "The picture changes its size or kind in the middle of the video; cut the video there first."
                raise VideoError("unsupported", text)
            if frame.pts is None:
                frame.pts = self._next if frame.dts is None else frame.dts
            self._next = (frame.pts or 0) + (frame.duration or round(1 / self._clip.rate / self._clip.time_base))
            frame.colorspace, frame.color_range = self._clip.colours.source.matrix, self._clip.colours.source.range
            frame.pict_type = PictureType.NONE  # or the encoder would choose the same types
            yield frame

    def _decoded(self, packet: "Packet[Stream]") -> list[VideoFrame]:
        try:
            with readable("A frame"):
                return [frame for frame in packet.decode() if isinstance(frame, VideoFrame)]
        except VideoError as error:
            if self._next is None and isinstance(error.__cause__, av.error.InvalidDataError):
                return []  # a recording of a broadcast begins in the middle
            raise
