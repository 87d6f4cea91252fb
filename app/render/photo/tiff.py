"""TIFF files: Deflate with horizontal differences, in strips of about a megabyte (TIFF 6.0, section 14)."""

import zlib
from io import BytesIO

import numpy as np
from PIL import ExifTags
from PIL.TiffImagePlugin import ImageFileDirectory_v2

from app.render.photo.model import Photo, Samples, packed
from app.render.photo.profiles import srgb_profile

_T = ExifTags.Base
_STRIP_BYTES = 1 << 20
_LEVEL = 3


def write_tiff(photo: Photo) -> bytes:
    """The file, with alpha and EXIF where the photo has them."""
    pixels = packed(photo)
    height, width, count = pixels.shape
    rows = max(1, _STRIP_BYTES // (pixels[0].nbytes))
    strips = [_strip(pixels[top : top + rows]) for top in range(0, height, rows)]
    lengths = [len(strip) for strip in strips]
    tags = ImageFileDirectory_v2(prefix=b"II")
    layout = {
        _T.ImageWidth: width,
        _T.ImageLength: height,
        _T.BitsPerSample: (8 * pixels.itemsize,) * count,
        _T.Compression: 8,
        _T.PhotometricInterpretation: 2,
        _T.SamplesPerPixel: count,
        _T.RowsPerStrip: rows,
        _T.StripByteCounts: tuple(lengths),
        _T.StripOffsets: tuple(int(end) for end in np.cumsum([0, *lengths[:-1]])),  # Pillow adds where they begin
        _T.Predictor: 2,
        34675: srgb_profile(),
    }
    if count == 4:
        layout[338] = 2
    if photo.xmp:
        layout[700] = photo.xmp
    for tag, value in [*photo.exif.items(), *layout.items()]:
        tags[tag] = value
    tags.tagtype[_T.StripOffsets] = tags.tagtype[_T.StripByteCounts] = 4  # 32 bits, however small the first ones are
    output = BytesIO()
    tags.save(output)
    output.writelines(strips)
    return output.getvalue()


def _strip(pixels: Samples) -> bytes:
    steps = pixels.copy()
    steps[:, 1:] -= pixels[:, :-1]
    return zlib.compress(steps.astype(steps.dtype.newbyteorder("<"), copy=False).tobytes(), _LEVEL)
