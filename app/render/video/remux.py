"""What is not graded goes from file to file as it is: sound, subtitles, attachments, chapters, descriptions."""

from fractions import Fraction
from io import BytesIO

import av
from av.container import InputContainer, OutputContainer
from av.packet import Packet
from av.stream import Discard, Disposition, Stream

from app.render.video.errors import VideoError

_OF_THE_OLD_FILE = {"major_brand", "minor_version", "compatible_brands", "encoder", "duration"}
_OF_THE_PICTURES = {"language", "title", "handler_name", "creation_time", "timecode"}


class Remux:
    """The way of all streams but the graded one from one file to the other.

    Attributes:
        origin: the source's time, in seconds, at which the target's zero lies.
        left_out: what the target's container cannot hold, in words.
    """

    def __init__(self, source: InputContainer, target: OutputContainer, graded: int) -> None:
        """Opens the streams in the target. Raises VideoError for sound that it cannot hold."""
        self.origin = Fraction(source.start_time or 0, av.time_base)
        self.left_out: list[str] = []
        self._target = target
        self._copies: dict[int, Stream] = {}
        for stream in source.streams:
            # What is discarded is the track of the chapters; they and a time code are written anew by the muxer.
            written_anew = stream.discard == Discard.all or (stream.type == "data" and "timecode" in stream.metadata)
            if stream.index != graded and not written_anew:
                self._open(stream)

    def __contains__(self, stream: int) -> bool:
        return stream in self._copies

    def ticks(self, ticks: int, time_base: Fraction) -> int:
        """A time stamp of the source in the target."""
        return ticks - round(self.origin / time_base)

    def copy(self, packet: "Packet[Stream]") -> None:
        """Raises what the target's muxer raises."""
        if packet.pts is not None:
            packet.pts = self.ticks(packet.pts, packet.time_base)
        if packet.dts is not None:
            packet.dts = self.ticks(packet.dts, packet.time_base)
        packet.stream = self._copies[packet.stream.index]
        self._target.mux_one(packet)

    def describe(self, source: InputContainer, graded: Stream, pictures: Stream) -> None:
        """Title, place, chapters and the like, for the file and for the graded stream."""
        kept = {key: text for key, text in source.metadata.items() if key.lower() not in _OF_THE_OLD_FILE}
        self._target.metadata.update(kept)
        pictures.metadata.update(
            {key: text for key, text in graded.metadata.items() if key.lower() in _OF_THE_PICTURES}
        )
        pictures.disposition = graded.disposition
        chapters = source.chapters()
        for chapter in chapters:
            if base := chapter["time_base"]:
                chapter["start"], chapter["end"] = (self.ticks(chapter[end], base) for end in ("start", "end"))
        self._target.set_chapters(chapters)

    def _open(self, stream: Stream) -> None:
        container, name = self._target.format.name, getattr(stream, "name", None) or "of unknown kind"
        if _holds(container, stream):
            copy = self._target.add_stream_from_template(stream, opaque=True)
            copy.disposition = stream.disposition
            copy.metadata.update(stream.metadata)
            self._copies[stream.index] = copy
        elif stream.type == "audio":
            way = "convert it to AAC first" if container == "matroska" else "write .mkv, which holds nearly any sound"
            text = f"The sound ({name}) does not fit into {container}, and it is copied, not converted: {way}."
            raise VideoError("unsupported", text)
        else:
            self.left_out.append(f"{stream.type} ({name})")


def _holds(container: str, stream: Stream) -> bool:
    """Asked of the muxer itself: it writes the header of a file of this stream alone."""
    if stream.disposition & Disposition.attached_pic and container not in {"mp4", "mov"}:
        return False  # the cover would become a second video
    try:
        with av.open(BytesIO(), "w", format=container) as trial:
            trial.add_stream_from_template(stream, opaque=True)
            trial.start_encoding()
    except (ValueError, av.FFmpegError):
        return False
    return True
