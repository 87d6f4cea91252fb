"""What people wrote about a photo stays with it; what described the old file, or how it was edited, does not."""

import json
import subprocess
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from app.grade import Grade
from app.render.photo import PhotoFormat, render_photo
from app.render.photo.captions import kept_xmp

FORMATS: tuple[PhotoFormat, ...] = ("jpeg", "png", "webp", "tiff")
DARKER = Grade.parse({"adjust": {"exposure": -40}})
WRITTEN = {
    "XMP-dc:Title": "Evening at the harbour",
    "XMP-dc:Creator": "Zoë Müller",
    "XMP-dc:Subject": ["boats", "dusk"],
    "XMP-dc:Rights": "all rights reserved",
    "XMP-photoshop:City": "Ålesund",
    "XMP-iptcCore:Location": "the quay",
    "XMP-lr:HierarchicalSubject": "places|norway",
    "XMP-xmp:Rating": 4,
}
OF_THE_OLD = {
    "XMP-crs:Exposure2012": "+1.00",
    "XMP-tiff:Orientation": "Rotate 90 CW",
    "XMP-photoshop:ICCProfileName": "ProPhoto RGB",
    "XMP-xmp:CreatorTool": "a raw converter",
    "XMP-dc:Format": "image/x-raw",
}
IPTC = {"IPTC:Caption-Abstract": "Boats come home", "IPTC:Keywords": ["boats", "dusk"]}

Program = Callable[[str], str]


def photo(file: Path, file_format: str) -> Path:
    picture = np.random.default_rng(1).integers(0, 256, (24, 32, 3), np.uint8)
    Image.fromarray(picture).save(file, file_format.upper())
    return file


def tagged(exiftool: str, file: Path, tags: dict[str, Any]) -> bytes:
    pairs = [(tag, each) for tag, value in tags.items() for each in (value if isinstance(value, list) else [value])]
    command = [exiftool, "-q", "-overwrite_original", "-codedcharacterset=utf8"]
    subprocess.run([*command, *(f"-{tag}={value}" for tag, value in pairs), str(file)], check=True)
    return file.read_bytes()


def tags_of(exiftool: str, data: bytes) -> dict[str, Any]:
    command = [exiftool, "-j", "-G1", "-XMP:all", "-IPTC:all", "-"]
    (tags,) = json.loads(subprocess.run(command, input=data, capture_output=True, check=True).stdout)
    return dict(tags)


@pytest.mark.parametrize("source", FORMATS)
@pytest.mark.parametrize("target", FORMATS)
def test_xmp_is_kept_except_what_described_the_old_file(
    source: PhotoFormat, target: PhotoFormat, tmp_path: Path, program: Program
) -> None:
    exiftool = program("exiftool")
    data = tagged(exiftool, photo(tmp_path / f"photo.{source}", source), WRITTEN | OF_THE_OLD)
    assert tags_of(exiftool, data).items() >= (WRITTEN | OF_THE_OLD).items()
    tags = tags_of(exiftool, render_photo(data, DARKER, format=target).data)
    assert {
        tag: value for tag, value in tags.items() if tag.startswith("XMP-") and tag != "XMP-x:XMPToolkit"
    } == WRITTEN


def test_iptc_of_a_jpeg_is_kept(tmp_path: Path, program: Program) -> None:
    exiftool = program("exiftool")
    data = tagged(exiftool, photo(tmp_path / "photo.jpeg", "jpeg"), IPTC)
    tags = tags_of(exiftool, render_photo(data, DARKER).data)
    assert tags.items() >= IPTC.items()


def test_a_photo_without_any_gets_none() -> None:
    output = BytesIO()
    Image.new("RGB", (8, 8)).save(output, "JPEG")
    for target in FORMATS:
        assert b"xpacket" not in render_photo(output.getvalue(), DARKER, format=target).data


@pytest.mark.parametrize(
    "packet",
    [
        b"",
        b"no xml",
        b"<x:xmpmeta xmlns:x='adobe:ns:meta/'>",
        b"<?xml version='1.0' encoding='klingon'?><a/>",
        b"<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>",
        b"<!DOCTYPE a [<!ENTITY b SYSTEM 'file:///etc/passwd'>]><a>&b;</a>",
        b"<a>" + b" " * (1 << 20) + b"</a>",
        b"\xff\xfe<\x00a\x00",
    ],
)
def test_what_is_no_xmp_is_left_out_and_costs_no_photo(packet: bytes) -> None:
    assert kept_xmp(packet) == b""
    output = BytesIO()
    Image.new("RGB", (8, 8)).save(output, "WEBP", xmp=packet)
    assert b"xpacket" not in render_photo(output.getvalue(), DARKER).data


def test_what_jpeg_has_no_room_for_is_left_out() -> None:
    title = f"<dc:title>{'long ' * 20_000}</dc:title>"
    packet = (
        "<x:xmpmeta xmlns:x='adobe:ns:meta/'><r:RDF xmlns:r='http://www.w3.org/1999/02/22-rdf-syntax-ns#'>"
        f"<r:Description xmlns:dc='http://purl.org/dc/elements/1.1/'>{title}</r:Description></r:RDF></x:xmpmeta>"
    )
    output = BytesIO()
    Image.new("RGB", (8, 8)).save(output, "WEBP", xmp=packet.encode())
    assert b"long long" in render_photo(output.getvalue(), DARKER).data
    assert b"long long" not in render_photo(output.getvalue(), DARKER, format="jpeg").data
