"""Videos keep all but their colours, and nothing half-written is ever left."""

import resource
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from threading import Event

import av
import numpy as np
import pytest
from av.stream import Disposition
from PIL import Image

from app.grade import Grade
from app.render.cube import write
from app.render.pipeline import apply_grade, compile_lut
from app.render.video import CancelledError, VideoError, encoders, render_video
from tests.render.clips import BT601, FULL, USUAL, Kind, clip, coded, content, pictures, planes, rgb

NEUTRAL = Grade()
WARM = Grade.parse({"adjust": {"temperature": 30, "contrast": 20}, "filter": {"name": "vivid", "intensity": 50}})
GLOWING = Grade.parse({"adjust": {"exposure": 10, "bloom": 40, "sharpen": 30, "structure": 20}})


@pytest.fixture
def lossless(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is written is what was encoded."""
    monkeypatch.setitem(encoders.H264, "crf", "0")
    monkeypatch.setitem(encoders.H265, "x265-params", "log-level=none:lossless=1")


def furthest(one: np.ndarray, other: np.ndarray) -> int:
    return int(np.abs(one.astype(int) - other.astype(int)).max())


# Colours


@pytest.mark.usefixtures("lossless")
@pytest.mark.parametrize(
    "kind",
    [
        USUAL,
        replace(USUAL, range=FULL),
        replace(USUAL, matrix=BT601, pixels="yuv444p"),
        replace(USUAL, pixels="yuv422p"),
        replace(USUAL, pixels="yuv420p10le"),
        replace(USUAL, pixels="yuv422p10le", codec="libx265", options={"x265-params": "log-level=none"}),
    ],
    ids=lambda kind: f"{kind.pixels} {kind.matrix} {kind.range}",
)
def test_a_grade_that_changes_nothing_changes_no_number(tmp_path: Path, kind: Kind) -> None:
    source, target = clip(tmp_path / "in.mp4", kind), tmp_path / "out.mp4"
    render_video(source, target, NEUTRAL)
    before, after = content(source).frames, content(target).frames
    assert len(after) == len(before) == kind.count
    for one, other in zip(before, after, strict=True):
        assert all(np.array_equal(*pair) for pair in zip(planes(one), planes(other), strict=True))


@pytest.mark.usefixtures("lossless")
@pytest.mark.parametrize("grade", [WARM, GLOWING], ids=["pointwise", "spatial"])
@pytest.mark.parametrize("strength", [100, 40])
def test_frames_look_as_photos_do(tmp_path: Path, grade: Grade, strength: int) -> None:
    source = clip(tmp_path / "in.mp4", replace(USUAL, pixels="yuv444p", count=3))
    render_video(source, tmp_path / "out.mp4", grade, strength)
    for before, after in zip(content(source).frames, content(tmp_path / "out.mp4").frames, strict=True):
        expected = coded(apply_grade(rgb(before).astype(np.uint8), grade, strength), after)
        assert all(furthest(*pair) <= 1 for pair in zip(planes(after), planes(expected), strict=True))


@pytest.mark.usefixtures("lossless")
@pytest.mark.parametrize("grade", [WARM, GLOWING], ids=["pointwise", "spatial"])
def test_ten_bits_are_graded_as_ten(tmp_path: Path, grade: Grade) -> None:
    source = clip(tmp_path / "in.mp4", replace(USUAL, pixels="yuv444p10le", count=1))
    render_video(source, tmp_path / "out.mp4", grade)
    before, after = (
        content(file).frames[0].reformat(format="rgb48le", dst_color_range=FULL)
        for file in (source, tmp_path / "out.mp4")
    )
    expected = apply_grade(before.to_ndarray().astype(np.float32) / 65535, grade) * 65535
    assert np.abs(after.to_ndarray() - expected).max() / 65535 < 3 / 1023


@pytest.mark.usefixtures("lossless")
@pytest.mark.parametrize("grade", [WARM, GLOWING], ids=["pointwise", "spatial"])
@pytest.mark.parametrize(
    "kind",
    [
        replace(USUAL, pixels="yuv444p", matrix=BT601),
        replace(USUAL, pixels="yuv444p", range=FULL),
        replace(USUAL, pixels="yuv444p10le"),
        replace(USUAL, codec="libx264rgb", pixels="rgb24", matrix=0, range=FULL),
    ],
    ids=["bt601", "full range", "10 bits", "rgb"],
)
def test_however_a_picture_is_coded_its_grade_looks_the_same(tmp_path: Path, kind: Kind, grade: Grade) -> None:
    render_video(clip(tmp_path / "in.mkv", replace(kind, count=1)), tmp_path / "out.mkv", grade)
    after = content(tmp_path / "out.mkv").frames[0]
    expected = apply_grade(pictures(kind.size, 1)[0], grade)
    # Full range costs half a step of chroma, which swscale rounds down, here and when the clip was made.
    assert np.abs(rgb(after) - expected.astype(float)).mean() < (2 if kind.range == FULL else 1)
    assert furthest(rgb(after), expected) <= 6


@pytest.mark.usefixtures("lossless")
def test_ffmpeg_shows_the_same_picture(tmp_path: Path, program: Callable[[str], str]) -> None:
    source = clip(tmp_path / "in.mp4", replace(USUAL, size=(128, 96), count=3))
    render_video(source, tmp_path / "ours.mp4", WARM)
    (tmp_path / "look.cube").write_text(write(compile_lut(WARM)))
    exact = "flags=bicubic+accurate_rnd+full_chroma_int+full_chroma_inp"
    lut = "format=gbrp,lut3d=look.cube:interp=trilinear"
    filters = f"scale={exact},{lut},scale={exact}:out_color_matrix=bt709,format=yuv420p"
    command = [program("ffmpeg"), "-v", "error", "-i", "in.mp4", "-vf", filters, "-c:v", "ffv1", "theirs.mkv"]
    subprocess.run(command, cwd=tmp_path, check=True)
    for ours, theirs in zip(
        content(tmp_path / "ours.mp4").frames, content(tmp_path / "theirs.mkv").frames, strict=True
    ):
        assert all(furthest(*pair) <= 1 for pair in zip(planes(ours), planes(theirs), strict=True))


@pytest.mark.parametrize(("transfer", "name"), [(16, "PQ"), (18, "HLG")])
def test_hdr_is_refused(tmp_path: Path, transfer: int, name: str) -> None:
    kind = replace(USUAL, pixels="yuv420p10le", primaries=9, matrix=9, transfer=transfer)
    with pytest.raises(VideoError, match=rf"HDR \({name}\).*SDR") as caught:
        render_video(clip(tmp_path / "in.mp4", kind), tmp_path / "out.mp4", WARM)
    assert caught.value.reason == "unsupported"


# What is kept


@pytest.mark.parametrize("ending", ["mp4", "mov", "mkv"])
def test_sound_is_copied_packet_by_packet(tmp_path: Path, ending: str) -> None:
    source, target = clip(tmp_path / "in.mp4", replace(USUAL, sound=("aac", "libmp3lame"))), tmp_path / f"out.{ending}"
    assert render_video(source, target, WARM) == ()
    before, after = content(source), content(target)
    assert len(after.sounds) == 2
    for one, other in zip(before.sounds, after.sounds, strict=True):
        assert len(one) > 10
        assert [packet for _, packet in other] == [packet for _, packet in one]
        # Matroska begins at zero, and so a little later, with the sound that a decoder needs to begin.
        shift = other[0][0] - one[0][0]
        assert [time - shift for time, _ in other] == pytest.approx([time for time, _ in one], abs=0.0011)
        assert [time - shift for time in after.times] == pytest.approx(before.times, abs=0.0011)


@pytest.mark.parametrize("ending", ["mp4", "mkv", "webm"])
def test_frames_keep_their_time_though_they_come_unevenly(tmp_path: Path, ending: str) -> None:
    times = [0, 10, 35, 47, 100, 101, 250, 251, 252, 600]
    target = tmp_path / f"out.{ending}"
    source = clip(tmp_path / "in.mp4", replace(USUAL, times=times))
    render_video(source, target, WARM)
    assert content(target).times == pytest.approx([time / 600 for time in times], abs=0 if ending == "mp4" else 0.0006)
    if ending == "mp4":
        # MP4 counts a clip's length in the order of decoding: that of the last packet is not always the last frame's.
        longest = max(after - before for before, after in pairwise(times)) / 600
        assert 0 <= content(target).duration - content(source).duration <= longest


def test_sound_lies_beside_the_pictures_of_its_time_though_an_encoder_holds_these_back(tmp_path: Path) -> None:
    source = clip(tmp_path / "in.mp4", replace(USUAL, count=40, times=[600 * n for n in range(40)], sound=("aac",)))
    render_video(source, tmp_path / "out.mkv", WARM)
    with av.open(str(tmp_path / "out.mkv")) as container:
        kinds = [packet.stream.type for packet in container.demux() if packet.size]
    pictures_at = [index for index, kind in enumerate(kinds) if kind == "video"]
    assert len(pictures_at) == 40
    assert np.diff(pictures_at).max() < 60, "a second has 47 packets of sound"


def test_a_recording_that_begins_in_the_middle_begins_at_zero(tmp_path: Path) -> None:
    source = clip(
        tmp_path / "in.ts", replace(USUAL, count=60, sound=("aac",), options={"g": "12", "preset": "ultrafast"})
    )
    cut = tmp_path / "cut.ts"
    packets = source.read_bytes()
    cut.write_bytes(packets[188 * (len(packets) // 188 // 3) :])
    render_video(cut, tmp_path / "out.mp4", WARM)
    before, after = content(cut), content(tmp_path / "out.mp4")
    assert 24 <= len(after.frames) < 60
    assert 0 <= min(after.times[0], after.sounds[0][0][0]) < 0.05
    distance = after.times[0] - after.sounds[0][0][0]
    assert distance == pytest.approx(before.times[0] - before.sounds[0][0][0] - content_start(cut), abs=0.002)


def content_start(file: Path) -> float:
    """Seconds that `content` takes off the time of sounds."""
    with av.open(str(file)) as container:
        return (container.start_time or 0) / av.time_base


@pytest.mark.parametrize("rotation", [90, 180, 270])
@pytest.mark.parametrize("grade", [WARM, GLOWING], ids=["pointwise", "spatial"])
def test_rotation_is_kept_and_not_applied(tmp_path: Path, rotation: int, grade: Grade) -> None:
    source = clip(tmp_path / "in.mp4", replace(USUAL, rotation=rotation))
    render_video(source, tmp_path / "out.mov", grade)
    before, after = content(source).frames[0], content(tmp_path / "out.mov").frames[0]
    assert (after.width, after.height) == (64, 48)
    assert bytes(after.side_data["DISPLAYMATRIX"]) == bytes(before.side_data["DISPLAYMATRIX"])  # type: ignore[typeddict-item]


FACTS = "width,height,pix_fmt,color_range,color_space,color_transfer,color_primaries,sample_aspect_ratio,avg_frame_rate"


@pytest.mark.parametrize(
    "kind",
    [
        USUAL,
        replace(USUAL, range=FULL),
        replace(USUAL, matrix=BT601, primaries=5, transfer=6),
        replace(USUAL, matrix=2, primaries=2, transfer=2, range=0),
        replace(USUAL, pixels="yuv422p"),
        replace(USUAL, pixels="yuv444p"),
        replace(USUAL, pixels="yuv420p10le"),
        replace(USUAL, pixels="yuv422p10le"),
        replace(USUAL, sample_aspect=Fraction(4, 3), rotation=90),
    ],
    ids=lambda kind: f"{kind.pixels} {kind.matrix} {kind.range} {kind.sample_aspect}",
)
def test_ffprobe_sees_the_same_in_the_graded_video(tmp_path: Path, program: Callable[[str], str], kind: Kind) -> None:
    def seen(file: Path) -> str:
        entries = f"stream={FACTS}:stream_side_data=rotation"
        command = [program("ffprobe"), "-v", "error", "-select_streams", "v", "-show_entries", entries, str(file)]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.replace("yuvj", "yuv")

    source = clip(tmp_path / "in.mp4", kind)
    render_video(source, tmp_path / "out.mp4", WARM)
    assert seen(tmp_path / "out.mp4") == seen(source)
    assert "width=64" in seen(source)


def test_ten_bits_are_written_so_that_phones_play_them(tmp_path: Path) -> None:
    render_video(clip(tmp_path / "in.mp4", replace(USUAL, pixels="yuv420p10le")), tmp_path / "out.mp4", WARM)
    with av.open(str(tmp_path / "out.mp4")) as container:
        stream = container.streams.video[0]
        assert (stream.codec_context.name, stream.codec_tag, stream.profile) == ("hevc", "hvc1", "Main 10")


def test_interlaced_video_stays_interlaced(tmp_path: Path) -> None:
    options = {"crf": "10", "flags": "+ildct+ilme", "x264-params": "tff=1"}
    source = clip(tmp_path / "in.mp4", replace(USUAL, options=options))
    for grade in (WARM, GLOWING):
        render_video(source, tmp_path / "out.mp4", grade)
        with av.open(str(source)) as one, av.open(str(tmp_path / "out.mp4")) as other:
            orders = [file.streams.video[0].codec_context.field_order for file in (one, other)]
        assert orders[0] == orders[1] != 1
        assert content(tmp_path / "out.mp4").frames[0].interlaced_frame


def test_odd_sizes_lose_a_line_only_where_they_must(tmp_path: Path) -> None:
    source = clip(tmp_path / "in.webm", replace(USUAL, size=(65, 49), codec="libvpx-vp9", options={"crf": "10"}))
    for ending, size in (("mp4", (64, 48)), ("webm", (65, 49))):
        for grade in (WARM, GLOWING):
            render_video(source, tmp_path / f"out.{ending}", grade)
            frame = content(tmp_path / f"out.{ending}").frames[0]
            assert (frame.width, frame.height) == size
    tall = clip(tmp_path / "tall.mkv", replace(USUAL, size=(65, 49), pixels="yuv444p"))
    render_video(tall, tmp_path / "tall.mp4", WARM)
    assert content(tmp_path / "tall.mp4").frames[0].width == 65


def test_titles_and_chapters_are_kept(tmp_path: Path) -> None:
    described = {"title": "At the sea", "comment": "with Ann", "creation_time": "2024-05-01T10:00:00.000000Z"}
    source = clip(tmp_path / "in.mkv", replace(USUAL, count=25, metadata=described, chapters=("One", "Two")))
    for ending in ("mp4", "mov", "mkv"):
        render_video(source, tmp_path / f"out.{ending}", WARM)
        after = content(tmp_path / f"out.{ending}")
        assert after.chapters == [(0, 0.5, "One"), (0.5, 1.0, "Two")]
        assert {key.lower(): text for key, text in after.metadata.items()}.items() >= described.items()


def test_what_a_phone_says_about_its_clip_is_kept(tmp_path: Path) -> None:
    source = clip(tmp_path / "in.mkv", replace(USUAL, metadata={"com.apple.quicktime.model": "A phone"}))
    render_video(source, tmp_path / "out.mov", WARM)
    render_video(tmp_path / "out.mov", tmp_path / "again.mp4", WARM)
    found = {key.lower(): text for key, text in content(tmp_path / "again.mp4").metadata.items()}
    assert found["com.apple.quicktime.model"] == "A phone"


@pytest.fixture
def furnished(tmp_path: Path, program: Callable[[str], str]) -> Path:
    """A Matroska file with subtitles, a cover and an attachment, and languages of the streams."""
    clip(tmp_path / "in.mp4", replace(USUAL, count=50, sound=("aac",)))
    (tmp_path / "s.srt").write_text("1\n00:00:00,200 --> 00:00:01,000\nhello\n")
    Image.new("RGB", (8, 8), "red").save(tmp_path / "cover.jpg")
    command = [program("ffmpeg"), "-v", "error", "-i", "in.mp4", "-i", "s.srt", "-map", "0", "-map", "1", "-c", "copy"]
    command += ["-metadata:s:a", "language=deu", "-metadata:s:s", "language=fin", "-disposition:s", "forced"]
    for number, (file, media) in enumerate((("s.srt", "application/x-font-ttf"), ("cover.jpg", "image/jpeg"))):
        command += ["-attach", file, f"-metadata:s:t:{number}", f"mimetype={media}"]
    subprocess.run([*command, "all.mkv"], cwd=tmp_path, check=True)
    return tmp_path / "all.mkv"


def test_subtitles_covers_and_attachments_are_kept_where_the_container_holds_them(furnished: Path) -> None:
    def kinds(name: str) -> list[str]:
        with av.open(str(furnished.with_name(name))) as container:
            return [stream.type for stream in container.streams]

    left_out = render_video(furnished, furnished.with_name("out.mkv"), WARM)
    assert left_out == ("video (mjpeg)",), "the cover, which would become a second video"
    assert kinds("out.mkv") == ["video", "audio", "subtitle", "attachment"]
    with av.open(str(furnished.with_name("out.mkv"))) as container:
        video, sound, subtitle, attachment = container.streams
        assert (video.language, sound.language, subtitle.language) == (None, "deu", "fin")
        assert subtitle.disposition == Disposition.forced
        assert attachment.metadata["filename"] == "s.srt"
        words = [bytes(packet) for packet in container.demux(subtitle) if packet.size]
        assert words == [b"hello"]
    left_out = render_video(furnished, furnished.with_name("out.mp4"), WARM)
    assert [kind.split()[0] for kind in left_out] == ["subtitle", "attachment"]
    assert kinds("out.mp4") == ["video", "audio", "video"]


def test_webm_takes_what_it_can_hold(tmp_path: Path) -> None:
    aac = clip(tmp_path / "aac.mp4", replace(USUAL, sound=("aac",)))
    with pytest.raises(VideoError, match=r"sound \(aac\) does not fit into webm.*\.mkv"):
        render_video(aac, tmp_path / "out.webm", WARM)
    opus = clip(tmp_path / "opus.mkv", replace(USUAL, sound=("libopus",)))
    render_video(opus, tmp_path / "out.webm", WARM)
    before, after = content(opus), content(tmp_path / "out.webm")
    assert after.codec == "vp9"
    assert [packet for _, packet in after.sounds[0]] == [packet for _, packet in before.sounds[0]]
    deep = clip(tmp_path / "deep.mp4", replace(USUAL, pixels="yuv420p10le"))
    with pytest.raises(VideoError, match="8 bits"):
        render_video(deep, tmp_path / "deep.webm", WARM)


def test_progress_is_told(tmp_path: Path) -> None:
    told: list[tuple[int, int | None]] = []
    render_video(clip(tmp_path / "in.mp4"), tmp_path / "out.mp4", WARM, progress=lambda *done: told.append(done))
    assert told == [(n, 10) for n in range(1, 11)]


# What is refused, and what is left then


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A folder for the target; afterwards only what was in it before may be in it, unchanged."""
    folder = tmp_path / "out"
    folder.mkdir()
    (folder / "out.mp4").write_bytes(b"of yesterday")
    yield folder
    assert [file.name for file in folder.iterdir()] == ["out.mp4"]
    assert (folder / "out.mp4").read_bytes() == b"of yesterday"


def sound_only(file: Path) -> None:
    with av.open(str(file), "w") as container:
        stream = container.add_stream("aac", 48_000)
        frame = av.AudioFrame.from_ndarray(np.zeros((2, 4800), np.float32), "fltp", "stereo")
        frame.sample_rate = 48_000
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def test_what_is_no_video_is_refused(tmp_path: Path, folder: Path) -> None:
    Image.new("RGB", (8, 8)).save(tmp_path / "photo.jpg")
    Image.new("RGB", (8, 8)).save(tmp_path / "photo.avif")
    (tmp_path / "photo.mp4").write_bytes((tmp_path / "photo.avif").read_bytes())
    (tmp_path / "playlist.mp4").write_text("#EXTM3U\n#EXTINF:10,\nhttp://example.com/a.ts\n")
    (tmp_path / "notes.mp4").write_text("no video\n" * 100)
    (tmp_path / "empty.mp4").touch()
    sound_only(tmp_path / "sound.m4a")
    for name, words in {
        "photo.jpg": "no video",
        "photo.mp4": "still picture",
        "playlist.mp4": "no video",
        "notes.mp4": "no video",
        "empty.mp4": "empty",
        "sound.m4a": "no moving pictures",
        "out": "folder",
    }.items():
        with pytest.raises(VideoError, match=words):
            render_video(tmp_path / name, folder / "out.mp4", WARM)
    with pytest.raises(FileNotFoundError):
        render_video(tmp_path / "missing.mp4", folder / "out.mp4", WARM)
    with pytest.raises(VideoError, match=r"\.gif.*\.mp4"):
        render_video(tmp_path / "sound.m4a", folder / "out.gif", WARM)


@pytest.mark.parametrize("ending", ["mp4", "mov", "mkv", "webm"])
def test_a_video_that_is_cut_short_is_refused(tmp_path: Path, folder: Path, ending: str) -> None:
    codec = "libvpx-vp9" if ending == "webm" else "libx264"
    options = {"preset": "ultrafast"} if codec == "libx264" else {}
    source = clip(tmp_path / f"in.{ending}", replace(USUAL, count=75, codec=codec, options=options, faststart=True))
    data = source.read_bytes()
    for share in (0.02, 0.3, 0.6):
        (tmp_path / f"cut.{ending}").write_bytes(data[: int(len(data) * share)])
        with pytest.raises(VideoError, match="damaged"):
            render_video(tmp_path / f"cut.{ending}", folder / "out.mp4", WARM)


def test_a_picture_that_changes_its_size_is_refused(tmp_path: Path, folder: Path) -> None:
    small, large = clip(tmp_path / "small.ts"), clip(tmp_path / "large.ts", replace(USUAL, size=(96, 64)))
    (tmp_path / "both.ts").write_bytes(small.read_bytes() + large.read_bytes())
    with pytest.raises(VideoError, match="changes its size"):
        render_video(tmp_path / "both.ts", folder / "out.mp4", WARM)


@pytest.mark.parametrize("grade", [WARM, GLOWING], ids=["pointwise", "spatial"])
def test_who_cancels_finds_nothing_written(tmp_path: Path, folder: Path, grade: Grade) -> None:
    cancel = Event()

    def stop(done: int, _total: int | None) -> None:
        if done == 5:
            cancel.set()

    source = clip(tmp_path / "in.mp4", replace(USUAL, count=60, sound=("aac",)))
    with pytest.raises(CancelledError):
        render_video(source, folder / "out.mp4", grade, progress=stop, cancel=cancel)


def test_an_interrupt_leaves_nothing_written(tmp_path: Path, folder: Path) -> None:
    def interrupt(done: int, _total: int | None) -> None:
        assert list(folder.glob(".*.part"))
        if done == 40:
            raise KeyboardInterrupt

    source = clip(tmp_path / "in.mp4", replace(USUAL, count=60, sound=("aac",)))
    with pytest.raises(KeyboardInterrupt):
        render_video(source, folder / "out.mp4", WARM, progress=interrupt)


@pytest.mark.parametrize("most", [0, 1000, 20_000])
def test_a_full_disk_is_told_and_leaves_nothing_written(tmp_path: Path, folder: Path, most: int) -> None:
    """The limit of a file's size stands in for the disk's: the same write fails, in the same way."""
    source = clip(tmp_path / "in.mp4", replace(USUAL, size=(320, 240), count=20))
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, before[1]))
    try:
        with pytest.raises(OSError, match="File too large"):
            render_video(source, folder / "out.mp4", NEUTRAL)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        render_video(clip(tmp_path / "in.mp4"), tmp_path / "nowhere" / "out.mp4", WARM)
