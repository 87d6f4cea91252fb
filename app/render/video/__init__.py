"""Video files: a file in, the graded file out.

    from pathlib import Path

    from app.grade import Grade
    from app.render.video import render_video

    grade = Grade.parse({"adjust": {"temperature": 30}, "filter": {"name": "vivid", "intensity": 40}})
    render_video(Path("clip.mov"), Path("graded.mp4"), grade, strength=70)

Everything is done by the libraries that come with PyAV; no ffmpeg program is needed. Read are the usual containers and
codecs, written .mp4, .m4v, .mov, .mkv and .webm (`encoders` says how). Kept: sound, subtitles and other streams, packet
by packet; time stamps, so also a variable frame rate; size and pixel aspect ratio, rotation, bit depth up to 10 and
chroma; colour tags and range; chapters and descriptions. Not kept: alpha, and what is special about 3D and 360° video.
HDR is refused: grades are made for SDR.
"""

from app.render.video.encoders import CONTAINERS
from app.render.video.errors import CancelledError, VideoError
from app.render.video.rendering import Progress, render_video

__all__ = ["CONTAINERS", "CancelledError", "Progress", "VideoError", "render_video"]
