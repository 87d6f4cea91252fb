"""What a video says about its colours, as code points of ITU-T H.273, and how its numbers become RGB.

Grades know encoded sRGB. The R'G'B' that matrix and range give is taken as such, as editors do: the curve of SDR video
(BT.1886 on the screen) is close to that of sRGB, and the tags are written as they came, so that a player shows an
ungraded clip and a neutral grade of it alike. PQ and HLG mean light quite differently and are refused.
"""

from dataclasses import dataclass, replace

from av import VideoFrame

from app.render.video.errors import VideoError

UNSPECIFIED = 2
RGB, BT709, BT601 = 0, 1, 6
LIMITED, FULL = 1, 2
"""Ranges as FFmpeg numbers them; 0 is unspecified."""

_MATRICES = {RGB: "gbr", BT709: "bt709", 4: "fcc", 5: "bt470", BT601: "smpte170m", 7: "smpte240m", 9: "bt2020"}
_HDR = {16: "PQ", 18: "HLG"}
_LARGEST_SD = (1279, 576)


@dataclass(frozen=True, slots=True)
class Coding:
    """How RGB is coded. Both numbers are specified."""

    matrix: int
    range: int

    @property
    def matrix_name(self) -> str:
        """As the scale filter calls it."""
        return _MATRICES[self.matrix]

    @property
    def range_name(self) -> str:
        return "pc" if self.range == FULL else "tv"


@dataclass(frozen=True, slots=True)
class Tags:
    """As written in a file; any may be unspecified."""

    range: int
    matrix: int
    primaries: int
    transfer: int


@dataclass(frozen=True, slots=True)
class Colours:
    """How the pixels of a clip are to be understood, how the graded ones are coded, and what is said about those."""

    source: Coding
    target: Coding
    tags: Tags

    @classmethod
    def of(cls, frame: VideoFrame) -> "Colours":
        """Raises VideoError for colours that a grade does not know."""
        tags = Tags(frame.color_range, frame.colorspace, frame.color_primaries, frame.color_trc)
        if tags.transfer in _HDR:
            text = (
                f"The video is HDR ({_HDR[tags.transfer]}), and grades are made for SDR: the colours would come out "
                "wrong. Convert it to SDR (BT.709) first, or switch HDR off in the camera."
            )
            raise VideoError("unsupported", text)
        if frame.format.is_rgb or frame.format.has_palette:
            target = Coding(BT709, LIMITED)
            return cls(Coding(RGB, FULL), target, replace(tags, range=target.range, matrix=target.matrix))
        if tags.matrix not in {*_MATRICES, UNSPECIFIED}:
            text = f"The video's colour matrix (number {tags.matrix} in H.273) is not handled; convert it to BT.709."
            raise VideoError("unsupported", text)
        if frame.format.name.startswith("yuvj"):
            tags = replace(tags, range=FULL)
        coding = Coding(_matrix(frame, tags), tags.range or LIMITED)
        return cls(coding, coding, tags)


def _matrix(frame: VideoFrame, tags: Tags) -> int:
    """Where the file says nothing, what players assume: BT.709 for HD, BT.601 for what is smaller."""
    if tags.matrix not in {UNSPECIFIED, RGB}:
        return tags.matrix
    small = frame.width <= _LARGEST_SD[0] and frame.height <= _LARGEST_SD[1]
    return BT601 if small else BT709
