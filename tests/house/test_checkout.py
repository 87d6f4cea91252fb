import re

import pytest
from PIL import Image
from safetensors import safe_open

from tests.house.checkout import ROOT, files, megabytes, text_of

STUDENT = "model_store/students/recolor-mini/1"

# Written so that they do not find themselves.
ELSEWHERE = re.compile(r"(?<![\w.])/(?:[w]ork|[r]oot|[U]sers|[o]pt/(?:wheels|pypi))/|\.\./[s]hared|(?<!\w)[C]:\\")


def test_the_checkout_is_small_enough_to_travel() -> None:
    assert megabytes(files()) < 60


def test_the_embedded_student_is_in_the_checkout_and_small() -> None:
    names = {file.name for file in files(STUDENT)}
    assert any(name.endswith(".safetensors") for name in names), f"no weights in {STUDENT}"
    assert megabytes(files(STUDENT)) < 40


def test_the_model_store_is_safetensors_text_and_photos_and_nothing_that_could_run_code() -> None:
    for file in files("model_store"):
        if file.suffix == ".safetensors":
            with safe_open(file, framework="numpy") as weights:
                assert list(weights.keys()), file
        elif file.suffix == ".jpg":
            with Image.open(file) as photo:
                assert photo.format == "JPEG", file
        else:
            assert text_of(file) is not None, f"{file.relative_to(ROOT)} is neither safetensors nor text"
            assert file.suffix not in {".py", ".sh"}, f"{file.relative_to(ROOT)} is code"


def test_every_photo_is_small_carries_no_metadata_and_is_credited() -> None:
    photos = [file for file in files("model_store/photos") if file.suffix == ".jpg"]
    sources = (ROOT / "model_store/photos/README.md").read_text(encoding="utf-8")
    assert 4 <= len(photos) <= 6
    for file in photos:
        with Image.open(file) as photo:
            assert not photo.getexif(), f"{file.name} says where or how it was taken"
            assert max(photo.size) <= 1200, file.name
        assert f"| `{file.name}` |" in sources, f"{file.name} is in no line of the README"


def test_no_weights_lie_outside_the_model_store() -> None:
    kinds = {".safetensors", ".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle", ".h5", ".onnx", ".gguf", ".npz", ".npy"}
    assert [file for file in files() if file.suffix in kinds and ROOT / "model_store" not in file.parents] == []


def test_no_file_names_a_place_outside_the_checkout() -> None:
    found = [
        f"{file.relative_to(ROOT)}:{number}: {line.strip()[:100]}"
        for file in files()
        for number, line in enumerate((text_of(file) or "").splitlines(), start=1)
        if ELSEWHERE.search(line)
    ]
    assert found == []


@pytest.mark.parametrize("parts", [("/wo", "rk/main"), ("'/roo", "t/x'"), ("../shar", "ed/x.md"), ("/opt/whe", "els/")])
def test_a_place_outside_the_checkout_would_be_found(parts: tuple[str, str]) -> None:
    assert ELSEWHERE.search(" ".join(("see", "".join(parts))))
