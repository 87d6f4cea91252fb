"""The file formats: how each is told by its first bytes, and what it has room for."""

from typing import Literal

from app.render.photo.errors import PhotoError

PhotoFormat = Literal["jpeg", "png", "webp", "tiff"]

_LONGEST_SIDE = {"jpeg": 65_500, "webp": 16_383}


def format_of(data: bytes) -> PhotoFormat:
    """Raises PhotoError for what is none of them."""
    if not data:
        raise PhotoError("damaged", "The file is empty; send a photo.")
    if data[:3] == b"\xff\xd8\xff":
        return "jpeg"
    if data[:8] == b"\x89PNG\r\n\x1a\n":
        return "png"
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "webp"
    if data[:4] in {b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"}:
        return "tiff"
    raise PhotoError("unsupported", "This is not a JPEG, PNG, WebP or TIFF file; save the photo as one of them.")


def check_fits(size: tuple[int, int], file_format: PhotoFormat) -> None:
    """Raises PhotoError if the format has no room for a picture of this size, in pixels."""
    longest, most = max(size), _LONGEST_SIDE.get(file_format)
    if most is not None and longest > most:
        text = f"A side of {longest} pixels does not fit into {file_format}, which ends at {most}; ask for png or tiff."
        raise PhotoError("unsupported", text)
