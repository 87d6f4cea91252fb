import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.grade import PRESETS, TOOLS, Adjust, Filter, Grade, SelectiveAdjust
from app.grade.example import GRADE
from app.render import xmp
from app.render.adjust import tone_curve
from app.render.xmp.likeness import LEVELS, likeness
from tests.grade.strategies import grades
from tests.render.xmp.packets import Packet

CURVES = ["ToneCurvePV2012", "ToneCurvePV2012Red", "ToneCurvePV2012Green", "ToneCurvePV2012Blue"]


def preset(settings: object, name: str = "a look", strength: float = 100) -> Packet:
    grade = settings if isinstance(settings, Grade) else Grade.parse(settings)
    return Packet(xmp.write(grade, name, strength))


def spline(points: list[tuple[int, int]]) -> np.ndarray:
    """The natural cubic spline through points, at 0..255: how Lightroom draws a curve."""
    x, y = np.array(points, float).T
    step, slope = np.diff(x), np.diff(y) / np.diff(x)
    bend = np.zeros(len(x))
    if len(x) > 2:
        inner = np.diag(2 * (step[:-1] + step[1:])) + np.diag(step[1:-1], 1) + np.diag(step[1:-1], -1)
        bend[1:-1] = np.linalg.solve(inner, 6 * np.diff(slope))
    at = np.arange(256)
    cell = np.clip(np.searchsorted(x, at, side="right") - 1, 0, len(x) - 2)
    left, right, width = at - x[cell], x[cell + 1] - at, step[cell]
    cubic = (bend[cell] * right**3 + bend[cell + 1] * left**3) / (6 * width)
    line = (y[cell] / width - bend[cell] * width / 6) * right + (
        y[cell + 1] / width - bend[cell + 1] * width / 6
    ) * left
    return np.asarray(cubic + line)


@given(grades(), st.text(), st.integers(0, 100))
def test_any_grade_under_any_name_becomes_the_same_preset_each_time(grade: Grade, name: str, strength: int) -> None:
    text = xmp.write(grade, name, strength)
    assert Packet(text).settings["PresetType"] == "Normal"
    assert xmp.write(grade, name, strength) == text


@given(grades(), st.integers(0, 100))
def test_every_slider_is_within_its_ends_and_every_curve_is_one(grade: Grade, strength: int) -> None:
    packet = preset(grade, strength=strength)
    limits = {"Exposure2012": (-5, 5), "Sharpness": (0, 150)}
    for name, value in packet.sliders.items():
        low, high = limits.get(name, (-100, 100))
        assert low <= value <= high, name
    assert list(packet.curves) == CURVES
    for points in packet.curves.values():
        x, y = np.array(points).T
        assert 2 <= len(x) <= 16
        assert (x[0], x[-1]) == (0, 255)
        assert (np.diff(x) > 0).all()
        assert (np.diff(y) >= 0).all() or (np.diff(y) <= 0).all()
        assert 0 <= y.min() <= y.max() <= 255


def test_parameters_become_lightrooms_sliders() -> None:
    adjust = {"exposure": 60, "contrast": 10, "highlights": 20, "shadows": -30, "saturation": 15, "vibrance": -25}
    adjust |= {"temperature": 35, "tint": -5, "sharpen": 40, "structure": 50, "hue": 345}
    selective = {"red": {"saturation": 20}, "cyan": {"saturation": -20, "luminance": 10}}
    settings = preset({"adjust": adjust, "selective_adjust": selective}).settings
    expected = {
        "Exposure2012": "+1.50",
        "Contrast2012": "+10",
        "Highlights2012": "+20",
        "Shadows2012": "-30",
        "Saturation": "+15",
        "Vibrance": "-25",
        "WhiteBalance": "Custom",
        "IncrementalTemperature": "+35",
        "IncrementalTint": "-5",
        "Sharpness": "60",
        "Clarity2012": "+25",
        "Texture": "+25",
        "HueAdjustmentRed": "-50",
        "HueAdjustmentPurple": "-50",
        "SaturationAdjustmentRed": "+20",
        "SaturationAdjustmentOrange": "0",
        "SaturationAdjustmentAqua": "-20",
        "LuminanceAdjustmentAqua": "+10",
        "LuminanceAdjustmentRed": "0",
        "ConvertToGrayscale": "False",
        "ProcessVersion": "11.0",
    }
    assert {name: settings.get(name) for name in expected} == expected
    assert 0 < int(settings["SaturationAdjustmentMagenta"]) < 20


@pytest.mark.parametrize("tool", ["adjust", "selective_adjust"])
def test_no_parameter_is_forgotten(tool: str) -> None:
    neutral = preset({})
    for slot in TOOLS[tool].slots():
        settings: object = 10
        for part in reversed(slot.path):
            settings = {part: settings}
        packet = preset({tool: settings})
        if slot.name == "bloom":
            assert "Bloom 10 is left out" in packet.words["Description"]
        else:
            same = packet.sliders == neutral.sliders and packet.curves == neutral.curves
            assert not same, slot.name


@pytest.mark.parametrize("name", PRESETS[1:])
def test_no_filter_is_forgotten(name: str) -> None:
    packet, neutral = preset({"filter": {"name": name, "intensity": 50}}), preset({})
    assert (packet.sliders, packet.curves) != (neutral.sliders, neutral.curves)
    assert name in packet.words["Description"]


def test_what_belongs_to_the_single_photo_is_only_set_where_the_look_uses_it() -> None:
    per_photo = {"Exposure2012", "WhiteBalance", "IncrementalTemperature", "IncrementalTint", "Sharpness"}
    assert not per_photo & set(preset({}).settings)
    used = {"adjust": {"exposure": 5, "temperature": 5, "tint": 5, "sharpen": 5}}
    assert set(preset(used).settings) - set(preset({}).settings) == per_photo


@given(grades())
def test_without_strength_nothing_is_moved(grade: Grade) -> None:
    packet = preset(grade, strength=0)
    assert not any(packet.sliders.values())
    assert all(points == [(0, 0), (255, 255)] for points in packet.curves.values())


def test_half_the_strength_is_half_of_every_slider_and_curve() -> None:
    full, half = preset(GRADE), preset(GRADE, strength=50)
    for name, value in full.sliders.items():
        assert half.sliders[name] == pytest.approx(value / 2, abs=1), name
    for name, points in full.curves.items():
        moved, moved_half = spline(points) - np.arange(256), spline(half.curves[name]) - np.arange(256)
        assert moved_half == pytest.approx(moved / 2, abs=2)


@pytest.mark.parametrize("values", [{"brightness": 100}, {"brightness": -100}, {"linearOffset": 100}])
@pytest.mark.parametrize("offset", [-40, 0])
def test_brightness_and_offset_are_the_point_curve(values: dict[str, int], offset: int) -> None:
    settings = {"linearOffset": offset} | values
    points = preset({"adjust": settings}).curves["ToneCurvePV2012"]
    expected = tone_curve(LEVELS, Adjust.parse(settings)) * 255
    assert spline(points) == pytest.approx(expected, abs=1.6)


@pytest.mark.parametrize("name", PRESETS[1:])
def test_greys_under_a_filter_are_the_curves_of_the_channels(name: str) -> None:
    curves = preset({"filter": {"name": name, "intensity": 100}}).curves
    expected = likeness(Filter(name=name, intensity=100), np.zeros(1, np.float32)).curves * 255  # type: ignore[arg-type]
    for channel, curve in enumerate(CURVES[1:]):
        missed = np.abs(spline(curves[curve]) - expected[:, channel])
        assert missed.mean() < 0.7
        assert missed.max() < 5


def test_greys_of_any_kind_are_black_and_white_with_curves() -> None:
    looks = [{"adjust": {"saturation": -100}}, {"filter": {"name": "duotone_red", "intensity": 100}}]
    for settings in looks:
        assert preset(settings).settings["ConvertToGrayscale"] == "True"
        assert preset(settings).settings["Saturation"] == "-100"
        assert preset(settings, strength=60).settings["ConvertToGrayscale"] == "False"
        assert preset(settings, strength=60).settings["Saturation"] == "-60"


def test_ranges_of_hues_mean_nothing_where_there_is_no_colour_left() -> None:
    ranges = {name: {"saturation": 50, "luminance": -50} for name in SelectiveAdjust.model_fields}
    grey = {"adjust": {"saturation": -100}}
    assert preset(grey | {"selective_adjust": ranges}).sliders == preset(grey).sliders


def test_the_name_is_text_whatever_it_holds() -> None:
    packet = preset({}, name='<b>&amp; "q" \n\t\x00\x1b\ud800\ufffe ]]> 雪 🌅')
    assert packet.words["Name"] == '<b>&amp; "q" ]]> 雪 🌅'
    assert packet.words["Group"] == "Recolor"
    assert preset({}, name=" \n").words["Name"] == "Recolor"
    assert len(preset({}, name="a" * 500).words["Name"]) == 100


def test_another_look_or_name_is_another_preset() -> None:
    packets = [preset({}), preset(GRADE), preset(GRADE, name="another"), preset(GRADE, strength=50)]
    identities = {packet.settings["UUID"] for packet in packets}
    assert len(identities) == len(packets)
    assert all(len(identity) == 32 and identity == identity.upper() for identity in identities)


@pytest.mark.parametrize("strength", [-1, 101])
def test_other_strengths_are_refused(strength: int) -> None:
    with pytest.raises(ValueError, match="strength"):
        xmp.write(GRADE, "golden hour", strength)


def test_exiftool_reads_every_setting_and_knows_it(tmp_path: Path, program: Callable[[str], str]) -> None:
    exiftool, file = program("exiftool"), tmp_path / "look.xmp"
    file.write_text(xmp.write(GRADE, "süß & salty <3"), encoding="utf-8")
    ours = Packet(file.read_text(encoding="utf-8"))

    def told(*arguments: str) -> str:
        return subprocess.run([exiftool, *arguments], capture_output=True, text=True, check=True).stdout

    (theirs,) = json.loads(told("-json", "-XMP-crs:all", str(file)))
    for name, value in (ours.settings | ours.words).items():
        assert str(theirs[name]) == value, name
    for name, points in ours.curves.items():
        assert theirs[name] == [f"{x}, {y}" for x, y in points]
    assert "OK" in told("-validate", "-warning", str(file))
    newer = {"SupportsAmount2"}  # than the exiftool of Debian 12
    assert {*ours.settings, *ours.words, *ours.curves} - newer <= set(told("-listw", "-XMP-crs:all").split())
