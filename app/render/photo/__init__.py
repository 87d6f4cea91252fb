"""Photo files: bytes in, the graded photo's bytes out.

    decode (limits, pixels, ICC to sRGB, upright) -> grade -> encode (sRGB, EXIF)

Read and written: JPEG, PNG, WebP and TIFF with 8 bits a channel; PNG and TIFF also with 16, which stay 16 (of
CMYK: 8). Read only: HEIC (HEIF), its 10 and 12 bits too, and AVIF, of which 8 are kept; they become JPEG if nothing
else is asked for, and are refused in HDR. Grey, palette and CMYK photos become RGB; alpha is kept, except in JPEG,
which has none: there the photo is laid on white. Of an animation or a file of several pages only the first picture is
rendered and written.

Of the metadata EXIF is kept, except what described the old file: orientation, layout, preview, colour space. Of XMP the
captions, authors, rights, places, keywords and ratings are kept, of a JPEG that stays one IPTC's record, too.

Pillow holds colours in 8 bits only, so 16-bit files are read by imagecodecs (libpng, libtiff), which also writes PNG
and converts colours (Little CMS) in both depths. HEIC is read by libheif (pillow-heif).
"""

from app.render.photo.errors import PhotoError
from app.render.photo.formats import PhotoFormat
from app.render.photo.model import Photo, PhotoLimits, RenderedPhoto
from app.render.photo.profiles import srgb_profile
from app.render.photo.reading import decode
from app.render.photo.rendering import render_photo
from app.render.photo.writing import encode

__all__ = [
    "Photo",
    "PhotoError",
    "PhotoFormat",
    "PhotoLimits",
    "RenderedPhoto",
    "decode",
    "encode",
    "render_photo",
    "srgb_profile",
]
