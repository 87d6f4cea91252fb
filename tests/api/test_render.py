"""POST /render: photos of all kinds, and what is no photo, over a real pool of processes."""

import json
import os
import signal
import struct
import zlib
from collections.abc import Iterator
from io import BytesIO
from socket import socket
from typing import Any

import httpx
import imagecodecs
import numpy as np
import pillow_heif
import pytest
from numpy.typing import NDArray
from PIL import ExifTags, Image
from skimage import data as samples

from app.grade import TOOLS, Grade
from app.render import render_photo
from app.students import Answer
from tests.api.service import Service, assert_error, read_response, served, until
from tests.render.workers import alive, has_work, quick_starts, stop, workers
from tests.serving.engines import ScriptedEngine, look
from tests.serving.helpers import Counted

RGB = np.ascontiguousarray(samples.coffee()[100:148, 200:264])
DEEP = (RGB.astype(np.uint16) * 257) ^ np.arange(RGB.size, dtype=np.uint16).reshape(RGB.shape) % 97
SETTINGS: dict[str, Any] = {"adjust": {"exposure": -40}}
DARKER = json.dumps(SETTINGS)

Form = dict[str, str]


def saved(pixels: NDArray[Any] | Image.Image, file_format: str = "png", **options: Any) -> bytes:
    output = BytesIO()
    (pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)).save(output, file_format, **options)
    return output.getvalue()


PHOTO = saved(RGB)


def render(service: Service, photo: bytes = PHOTO, **fields: str) -> httpx.Response:
    return service.client.post("/render", files={"image": ("photo", photo)}, data=fields)


def opened(answered: httpx.Response) -> Image.Image:
    assert answered.status_code == 200, answered.text
    image = Image.open(BytesIO(answered.content))
    image.load()
    assert answered.headers["content-type"] == Image.MIME[image.format or ""]
    return image


def pixels(answered: httpx.Response) -> NDArray[Any]:
    return np.asarray(opened(answered))


@pytest.fixture(scope="module", autouse=True)
def _quick_starts() -> Iterator[None]:
    with quick_starts():
        yield


# What is rendered


def test_a_photo_comes_back_under_the_look_of_an_intent(service: Service) -> None:
    answered = render(service, intent="dusk")
    grade = Grade.of({tool: look("dusk", tool) for tool in TOOLS})
    assert answered.content == render_photo(PHOTO, grade).data
    assert {"total", "generate", "render"} <= {part.split(";")[0].strip() for part in timing(answered).split(",")}


def timing(answered: httpx.Response) -> str:
    return answered.headers["server-timing"]


def test_a_photo_comes_back_under_a_grade(service: Service) -> None:
    answered = render(service, grade=DARKER, strength="70")
    assert answered.content == render_photo(PHOTO, Grade.parse(SETTINGS), 70).data
    assert pixels(answered).mean() < RGB.mean()


@pytest.mark.parametrize("file_format", ["jpeg", "png", "webp", "tiff"])
def test_it_comes_back_as_it_came_or_as_is_asked_for(service: Service, file_format: str) -> None:
    assert opened(render(service, saved(RGB, file_format), grade="{}")).format == file_format.upper()
    assert opened(render(service, grade="{}", format=file_format)).format == file_format.upper()


def test_what_few_programs_read_comes_back_as_jpeg(service: Service) -> None:
    heic = BytesIO()
    pillow_heif.from_pillow(Image.fromarray(RGB)).save(heic)
    for photo in (heic.getvalue(), saved(RGB, "avif")):
        image = opened(render(service, photo, grade="{}"))
        assert (image.format, image.size) == ("JPEG", (64, 48))


@pytest.mark.parametrize("strength", ["0", "0.0"])
def test_strength_0_changes_no_pixel(service: Service, strength: str) -> None:
    np.testing.assert_array_equal(pixels(render(service, grade=DARKER, strength=strength)), RGB)


def test_grey_photos_become_coloured(service: Service) -> None:
    grey = np.ascontiguousarray(RGB[..., 0])
    np.testing.assert_array_equal(pixels(render(service, saved(grey), grade="{}")), np.dstack([grey] * 3))


def test_inks_become_colours(service: Service) -> None:
    cmyk = saved(Image.fromarray(RGB).convert("CMYK"), "jpeg", quality=95)
    image = opened(render(service, cmyk, grade="{}"))
    assert image.mode == "RGB"
    assert np.abs(np.asarray(image).astype(int) - RGB).mean() < 8


def test_transparency_is_kept(service: Service) -> None:
    alpha = np.linspace(0, 255, 48 * 64).astype(np.uint8).reshape(48, 64)
    answered = pixels(render(service, saved(np.dstack((RGB, alpha))), grade=DARKER))
    np.testing.assert_array_equal(answered[..., 3], alpha)


@pytest.mark.parametrize("file_format", ["png", "tiff"])
def test_16_bits_stay_16(service: Service, file_format: str) -> None:
    encode = {"png": imagecodecs.png_encode, "tiff": imagecodecs.tiff_encode}[file_format]
    decode = {"png": imagecodecs.png_decode, "tiff": imagecodecs.tiff_decode}[file_format]
    deep = encode(DEEP, **({"photometric": "rgb"} if file_format == "tiff" else {}))
    np.testing.assert_array_equal(decode(render(service, deep, grade=DARKER, strength="0").content), DEEP)
    darker = decode(render(service, deep, grade=DARKER).content)
    assert darker.dtype == np.uint16
    assert darker.mean() < DEEP.mean()


def test_a_photo_on_its_side_is_put_upright_and_keeps_what_is_known_of_it(service: Service) -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    exif[ExifTags.Base.Artist] = "somebody"
    image = opened(render(service, saved(RGB, exif=exif), grade="{}"))
    np.testing.assert_array_equal(np.asarray(image), np.rot90(RGB, -1))
    assert image.getexif()[ExifTags.Base.Orientation] == 1
    assert image.getexif()[ExifTags.Base.Artist] == "somebody"


def test_the_photo_may_come_after_the_text_and_without_a_name_of_its_own(service: Service) -> None:
    parts = [("grade", (None, DARKER)), ("image", (None, PHOTO))]
    assert service.client.post("/render", files=parts).status_code == 200


# What is not


def png_of(width: int, height: int) -> bytes:
    """A file that says it is so large; it has next to no pixels."""

    def chunk(name: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("photo", "status", "code"),
    [
        (b"", 422, "invalid_field"),
        (PHOTO[: len(PHOTO) // 2], 422, "invalid_field"),
        (saved(RGB, "jpeg")[:400], 422, "invalid_field"),
        (PHOTO[:8] + b"nothing of the kind", 422, "invalid_field"),
        (png_of(100_000, 100_000), 413, "too_large"),
        (png_of(10_001, 5_000), 413, "too_large"),
        (png_of(10_000, 5_000), 422, "invalid_field"),
        (b"a text", 415, "unsupported_media_type"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", 415, "unsupported_media_type"),
        (b"PK\x03\x04" + bytes(100), 415, "unsupported_media_type"),
        (saved(RGB, "gif"), 415, "unsupported_media_type"),
        (saved(RGB, "bmp"), 415, "unsupported_media_type"),
    ],
)
def test_what_is_no_photo_is_refused_and_the_next_one_rendered(
    service: Service, photo: bytes, status: int, code: str
) -> None:
    message = assert_error(render(service, photo, grade=DARKER), status, code)
    assert message.startswith("image: ")
    assert render(service, grade=DARKER).status_code == 200


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({}, "intent or grade"),
        ({"intent": "dusk", "grade": DARKER}, "intent or grade"),
        ({"intent": ""}, "intent"),
        ({"intent": "x" * 201}, "intent"),
        ({"intent": "dusk", "strength": "101"}, "strength"),
        ({"intent": "dusk", "strength": "-0.5"}, "strength"),
        ({"intent": "dusk", "strength": "nan"}, "strength"),
        ({"intent": "dusk", "strength": "much"}, "strength"),
        ({"intent": "dusk", "format": "gif"}, "format"),
        ({"intent": "dusk", "size": "33"}, "size"),
        ({"grade": "{"}, "grade"),
        ({"grade": '{"adjust": {}, "adjust": {}}'}, "grade"),
        ({"grade": "[" * 10_000}, "grade"),
        ({"grade": "1" * 5000}, "grade"),
        ({"grade": '{"adjust": {"exposure": 101}}'}, "grade.adjust.exposure"),
        ({"grade": '{"adjust": {"exposure": "10"}}'}, "grade.adjust.exposure"),
        ({"grade": '{"filter": {"name": "sepia"}}'}, "grade.filter.name"),
    ],
)
def test_a_wrong_field_is_named(service: Service, fields: Form, named: str) -> None:
    assert named in assert_error(render(service, **fields), 422, "invalid_field")


@pytest.mark.parametrize(
    ("parts", "named"),
    [
        ([("grade", (None, DARKER))], "image"),
        ([("image", PHOTO), ("image", PHOTO), ("grade", (None, DARKER))], "image"),
        ([("image", PHOTO), ("grade", (None, DARKER)), ("grade", (None, DARKER))], "grade"),
        ([("image", PHOTO), ("photo", PHOTO), ("grade", (None, DARKER))], "photo"),
        ([("image", PHOTO), ("intent", (None, b"\xff\xfe"))], "intent"),
        ([("image", PHOTO), ("x\u202e" * 100, (None, "1"))], "\ufffd"),
    ],
)
def test_a_photo_is_sent_once_and_nothing_else_with_it(service: Service, parts: list[Any], named: str) -> None:
    message = assert_error(service.client.post("/render", files=parts), 422, "invalid_field")
    assert named in message
    assert len(message) < 300


FORM = {"Content-Type": "multipart/form-data; boundary=b"}
PART = b'--b\r\nContent-Disposition: form-data; name="image"\r\n\r\nx\r\n'


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"x",
        b"--b",
        PART,
        PART + b"--b\r",
        PART + b"--c--\r\n",
        b"--b\r\n\r\nx\r\n--b--\r\n",
        b"--b\r\nContent-Disposition: form-data\r\n\r\nx\r\n--b--\r\n",
        b"--b\r\nContent-Disposition: attachment; name=image\r\n\r\nx\r\n--b--\r\n",
        b"--b\r\nNo-Colon\r\n\r\nx\r\n--b--\r\n",
        b"--b\r\nX: " + b"x" * 60_000 + b"\r\n\r\nx\r\n--b--\r\n",
        b"--b\r\n" + b"X: y\r\n" * 1000 + b"\r\nx\r\n--b--\r\n",
        PART * 1000 + b"--b--\r\n",
    ],
    ids=lambda body: str(body[:60]),
)
def test_what_is_no_form_is_malformed(service: Service, body: bytes) -> None:
    assert_error(service.client.post("/render", content=body, headers=FORM), 400, "malformed")


@pytest.mark.parametrize("boundary", ["", "; boundary=", "; boundary=" + "b" * 300])
def test_a_form_has_a_boundary(service: Service, boundary: str) -> None:
    headers = {"Content-Type": f"multipart/form-data{boundary}"}
    assert_error(service.client.post("/render", content=PART, headers=headers), 400, "malformed")


@pytest.mark.parametrize("media_type", ["application/json", "application/x-www-form-urlencoded", "image/png", ""])
def test_only_a_form_is_taken(service: Service, media_type: str) -> None:
    answered = service.client.post("/render", content=PHOTO, headers={"Content-Type": media_type})
    assert "curl: -F" in assert_error(answered, 415, "unsupported_media_type")


def test_a_compressed_form_is_not_taken(service: Service) -> None:
    headers = FORM | {"Content-Encoding": "gzip"}
    answered = service.client.post("/render", content=PART, headers=headers)
    assert_error(answered, 415, "unsupported_media_type")


def test_a_look_that_cannot_be_read_is_refused_and_a_tool_that_failed_is_waited_for() -> None:
    script = {("ぬるぽ", tool): Answer(None) for tool in TOOLS} | {("odd", "filter"): Answer("?", tokens=1)}
    with served(ScriptedEngine(script=script)) as service:
        assert "low_confidence" in assert_error(render(service, intent="ぬるぽ"), 422, "invalid_field")
        assert "filter: schema" in assert_error(render(service, intent="odd"), 503, "unavailable")


# Limits


@pytest.fixture(scope="module")
def others() -> set[int]:
    """Processes of other services than `limited`."""
    return workers()


@pytest.fixture(scope="module")
def limited(others: set[int]) -> Iterator[Service]:
    """One process and room for one photo beside, no larger than PHOTO. Nothing of it is left in the end."""
    with served(render_queue=1, max_image_bytes=len(PHOTO), max_image_pixels=RGB.size // 3) as service:
        yield service
    assert workers() <= others


def test_a_photo_of_too_many_bytes_is_refused(limited: Service) -> None:
    assert render(limited, grade=DARKER).status_code == 200
    assert "MB" in assert_error(render(limited, PHOTO + b"x", grade=DARKER), 413, "too_large")


def test_a_photo_of_too_many_pixels_is_refused(limited: Service) -> None:
    large = saved(np.zeros((49, 64, 3), np.uint8))
    assert "megapixels" in assert_error(render(limited, large, grade=DARKER), 413, "too_large")


def test_a_body_that_is_too_large_is_refused_before_it_has_come(limited: Service) -> None:
    pieces = (b"x" * 50_000 for _ in range(100))
    assert_error(limited.client.post("/render", content=pieces, headers=FORM), 413, "too_large")
    with limited.connect() as connection:
        connection.sendall(head(10**12))
        assert_error(read_response(connection), 413, "too_large")


def test_a_photo_that_does_not_arrive_is_not_waited_for() -> None:
    with served(upload_seconds=0.2, render_queue=0) as service, service.connect() as connection:
        connection.sendall(head(1000) + PART)
        assert_error(read_response(connection), 408, "request_timeout")
        assert render(service).status_code == 422, "its place is free again"


def head(length: int) -> bytes:
    return (
        f"POST /render HTTP/1.1\r\nHost: x\r\nContent-Type: {FORM['Content-Type']}\r\nContent-Length: {length}\r\n\r\n"
    ).encode()


# The pool


def begin(connection: socket, photo: bytes = PHOTO) -> None:
    """Ask without waiting for the answer."""
    body = b'--b\r\nContent-Disposition: form-data; name="grade"\r\n\r\n' + DARKER.encode() + b"\r\n"
    body += b'--b\r\nContent-Disposition: form-data; name="image"\r\n\r\n' + photo + b"\r\n--b--\r\n"
    connection.sendall(head(len(body)) + body)


@pytest.fixture
def worker(limited: Service, others: set[int]) -> int:
    """The process of `limited`, after a photo."""
    assert render(limited, grade=DARKER).status_code == 200
    (pid,) = workers() - others
    return pid


def test_a_full_pool_is_429_before_the_photo_is_sent_and_recolor_goes_on(limited: Service, worker: int) -> None:
    full = Counted("recolor_rejected_total", reason="render_queue")
    with limited.connect() as first, limited.connect() as second:
        stop(worker)
        begin(first)
        begin(second)
        until(lambda: announced(limited).status_code == 429)
        refused = announced(limited)
        assert_error(refused, 429, "too_many_requests")
        assert int(refused.headers["retry-after"]) >= 1
        assert full.growth == 2
        assert limited.recolor("dusk").status_code == 200
        os.kill(worker, signal.SIGCONT)
        assert [read_response(connection).status_code for connection in (first, second)] == [200, 200]
    assert render(limited, grade=DARKER).status_code == 200


def announced(service: Service) -> httpx.Response:
    """The answer to a form that is no photo's, or to its announcement."""
    with service.connect() as connection:
        connection.sendall(head(len(PART)) + PART)
        return read_response(connection)


def test_a_killed_process_costs_its_photo_only(limited: Service, worker: int) -> None:
    with limited.connect() as unlucky, limited.connect() as waits:
        stop(worker)
        begin(unlucky)
        until(lambda: has_work(worker))
        begin(waits)
        os.kill(worker, signal.SIGKILL)
        lost = read_response(unlucky)
        assert "try again" in assert_error(lost, 503, "unavailable")
        assert int(lost.headers["retry-after"]) >= 1
        assert read_response(waits).status_code == 200
    assert not alive(worker)


def test_a_photo_that_takes_too_long_is_503() -> None:
    large = saved(np.tile(RGB, (20, 20, 1)))
    with served(render_seconds=0.01) as service:
        assert "0.01 s" in assert_error(render(service, large, grade=DARKER), 503, "unavailable")
        assert service.recolor("dusk").status_code == 200


def test_who_leaves_gives_up_the_place_and_is_not_rendered_for(limited: Service, worker: int) -> None:
    left = Counted(
        "recolor_request_duration_seconds_count", route="/render", status="499", variant="", model="scripted@1"
    )
    with limited.connect() as first:
        stop(worker)
        begin(first)
        with limited.connect() as leaves_the_queue:
            begin(leaves_the_queue)
        until(lambda: left.growth == 1)
        with limited.connect() as leaves_while_sending:
            leaves_while_sending.sendall(head(1000) + PART)
        until(lambda: left.growth == 2)
        with limited.connect() as stays:
            begin(stays)
            os.kill(worker, signal.SIGCONT)
            assert [read_response(connection).status_code for connection in (first, stays)] == [200, 200]
    assert alive(worker)
