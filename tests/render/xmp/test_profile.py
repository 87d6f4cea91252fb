import hashlib
import struct
import subprocess
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.grade import Grade
from app.grade.example import GRADE
from app.render import apply_grade, compile_lut
from app.render.lut import Lut
from app.render.xmp import write_profile
from tests.grade.strategies import grades
from tests.render.pictures import photo
from tests.render.xmp.packets import Packet

DIGITS = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?`'|()[]{}@%$#"


def decoded(text: str) -> bytes:
    """Five digits are four bytes, the lowest first; what is left over is one byte less than digits."""
    data = bytearray()
    for start in range(0, len(text), 5):
        digits = [DIGITS.index(digit) for digit in text[start : start + 5]]
        value = sum(digit * 85**place for place, digit in enumerate(digits))
        data += (value % 2**32).to_bytes(4, "little")[: len(digits) - 1]
    return bytes(data)


def table_of(packet: Packet) -> bytes:
    key = packet.settings["RGBTable"]
    data = decoded(packet.settings[f"Table_{key}"])
    table = zlib.decompress(data[4:])
    assert struct.unpack("<I", data[:4]) == (len(table),)
    assert hashlib.md5(table, usedforsecurity=False).hexdigest().upper() == key
    return table


def lut_of(table: bytes) -> Lut:
    """Reads the table number by number, as the specification of DNG describes it."""
    kind, version, dimensions, size = struct.unpack_from("<4I", table)
    assert (kind, version, dimensions, size) == (1, 1, 3, 32)
    assert struct.unpack_from("<3I2d", table, len(table) - 28) == (0, 1, 0, 0.0, 2.0)
    assert len(table) == 16 + size**3 * 6 + 28
    differences = np.frombuffer(table, "<u2", size**3 * 3, 16).reshape(size, size, size, 3)
    colours = np.empty((size, size, size, 3), np.float32)
    point = [(index * 0xFFFF + size // 2) // (size - 1) for index in range(size)]
    for red, green, blue in np.ndindex(size, size, size):
        own = (point[red], point[green], point[blue])
        colours[red, green, blue] = [
            (int(d) + p) % 0x10000 for d, p in zip(differences[red, green, blue], own, strict=True)
        ]
    return Lut(colours / np.float32(0xFFFF))


@settings(max_examples=5)
@given(grades(), st.text(), st.integers(0, 100))
def test_any_grade_under_any_name_becomes_the_same_profile_each_time(grade: Grade, name: str, strength: int) -> None:
    text = write_profile(grade, name, strength)
    assert write_profile(grade, name, strength) == text
    packet = Packet(text)
    assert packet.settings["PresetType"] == "Look"
    assert packet.settings["SupportsAmount"] == "True"
    assert table_of(packet)


@pytest.mark.parametrize("strength", [100, 60])
def test_its_table_is_the_grades(strength: int) -> None:
    lut = lut_of(table_of(Packet(write_profile(GRADE, "golden hour", strength))))
    assert lut.table == pytest.approx(compile_lut(GRADE, 32, strength).table, abs=1 / 0xFFFF)
    rgb = photo("coffee", 128)
    shown = apply_grade(rgb, GRADE, strength)
    assert np.abs(lut.apply(rgb) - shown).mean() < 0.2 / 255
    assert np.quantile(np.abs(lut.apply(rgb) - shown), 0.999) < 2 / 255


def test_what_no_table_holds_is_named() -> None:
    dream = Grade.parse({"adjust": {"contrast": 10, "bloom": 30, "sharpen": 15}})
    assert Packet(write_profile(dream, "dream")).words["Description"].endswith("Left out: bloom 30, sharpen 15.")
    assert "Left out" not in Packet(write_profile(GRADE, "golden hour")).words["Description"]


def test_exiftool_reads_the_table(tmp_path: Path, program: Callable[[str], str]) -> None:
    file, text = tmp_path / "look.xmp", write_profile(GRADE, "golden hour")
    file.write_text(text, encoding="utf-8")
    key = Packet(text).settings["RGBTable"]
    command = [program("exiftool"), "-b", f"-XMP-crs:Table_{key}", str(file)]
    read = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert read == Packet(text).settings[f"Table_{key}"]


@pytest.mark.parametrize("strength", [-1, 101])
def test_other_strengths_are_refused(strength: int) -> None:
    with pytest.raises(ValueError, match="strength"):
        write_profile(GRADE, "golden hour", strength)
