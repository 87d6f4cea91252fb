"""The file formats: how each is told by its first bytes, and what it has room for."""

from typing import Literal

from app.render.photo.errors import PhotoError

PhotoFormat = Literal["jpeg", "png", "webp", "tiff"]
"""What is written."""
SourceFormat = Literal["jpeg", "png", "webp", "tiff", "heic", "avif"]
"""What is read."""

_HEIC_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"}
_LONGEST_SIDE = {"jpeg": 65_500, "webp": 16_383}


def usual_target(source: SourceFormat) -> PhotoFormat:
    """The format in which a photo is written if no other is asked for: its own, or JPEG, which everything shows."""
    match source:
        case "heic" | "avif":
            return "jpeg"
        case _:
            return source


def format_of(data: bytes) -> SourceFormat:
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
    if data[4:8] == b"ftyp" and (found := _of_brands(data)):
        return found
    text = "This is not a JPEG, PNG, WebP, TIFF, HEIC or AVIF file; save the photo as one of them."
    raise PhotoError("unsupported", text)


def _of_brands(data: bytes) -> SourceFormat | None:
    """ISO media files list what they are: the main brand, a version, and more brands (ISO 14496-12, 4.3)."""
    length = int.from_bytes(data[:4], "big")
    brands = {data[start : start + 4] for start in range(8, min(length, 256), 4)}
    if brands & {b"avif", b"avis"}:
        return "avif"
    return "heic" if brands & _HEIC_BRANDS else None


def check_fits(size: tuple[int, int], file_format: PhotoFormat) -> None:
    """Raises PhotoError if the format has no room for a picture of this size, in pixels."""
    longest, most = max(size), _LONGEST_SIDE.get(file_format)
    if most is not None and longest > most:
        text = f"A side of {longest} pixels does not fit into {file_format}, which ends at {most}; ask for png or tiff."
        raise PhotoError("unsupported", text)
