"""EXIF: what is kept of it, and which way is up."""

import numpy as np
from PIL import ExifTags, Image

from app.render.photo.model import Samples

_UNCHANGED, _ON_ITS_SIDE = 1, 5
"""EXIF orientations: 1 is upright, from 5 on width and height are exchanged."""

_T = ExifTags.Base
_OLD_FILE = frozenset(
    {254, 255, _T.ImageWidth, _T.ImageLength, _T.BitsPerSample, _T.Compression, _T.PhotometricInterpretation, 263, 264}
    | {265, _T.FillOrder, _T.StripOffsets, _T.Orientation, _T.SamplesPerPixel, _T.RowsPerStrip, _T.StripByteCounts}
    | {280, 281, _T.PlanarConfiguration, 288, 289, 290, 291, 292, 293, _T.TransferFunction, _T.Predictor}
    | {_T.WhitePoint, _T.PrimaryChromaticities, _T.ColorMap, *range(321, 326), _T.SubIFDs, 332, 334, 336, 338, 339}
    | {340, 341, _T.JPEGTables, *range(512, 522), 529, 530, 531, 532}
    # XMP and IPTC (see `captions`), Photoshop's resources and layers, ICC: they hold previews, sizes and colour spaces
    # of the old picture.
    | {700, 33723, 34377, 34675, 37724}
)


def orientation_of(exif: Image.Exif) -> int:
    """1..8 by the standard; files hold other numbers too."""
    orientation: int = exif.get(_T.Orientation, _UNCHANGED)
    return orientation


def upright(pixels: Samples, orientation: int) -> Samples:
    """The array [H, W, ...] as it is meant to be seen. An orientation that EXIF does not know changes nothing."""
    if orientation not in range(1, 9):
        return pixels
    if orientation >= _ON_ITS_SIDE:
        pixels = pixels.swapaxes(0, 1)
    rows = slice(None, None, -1 if orientation in {3, 4, 7, 8} else 1)
    columns = slice(None, None, -1 if orientation in {2, 3, 6, 7} else 1)
    return np.ascontiguousarray(pixels[rows, columns])


def describe_anew(exif: Image.Exif, rgb: Samples) -> None:
    """EXIF without what was true of the old file only."""
    turned = _T.Orientation in exif
    for tag in _OLD_FILE.intersection(exif):
        del exif[tag]
    if turned:
        exif[_T.Orientation] = _UNCHANGED
    for tag in {ExifTags.IFD.Exif, ExifTags.IFD.GPSInfo}.intersection(exif):
        exif[tag] = dict(exif.get_ifd(tag))  # read now, where an offset into the old file was
    if details := exif.get(ExifTags.IFD.Exif):
        new = {_T.ColorSpace: 1, _T.ExifImageWidth: rgb.shape[1], _T.ExifImageHeight: rgb.shape[0]}
        details.update({tag: value for tag, value in new.items() if tag in details})
        details.pop(ExifTags.IFD.Interop, None)  # names the colour space once more
    exif.tobytes()  # what cannot be written shows here, while the photo is read


def exif_bytes(exif: Image.Exif) -> bytes:
    """As JPEG, PNG and WebP hold it; none if it is empty."""
    return exif.tobytes() if len(exif) else b""
