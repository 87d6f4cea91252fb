"""From a file to pixels in sRGB, upright."""

from io import BytesIO

from PIL import ExifTags, Image, ImageFile
from PIL.TiffImagePlugin import TiffImageFile

from app.render.photo.captions import iptc_of, kept_xmp, packet_of
from app.render.photo.errors import PhotoError, readable, too_large
from app.render.photo.formats import format_of, usual_target
from app.render.photo.heic import heic_profile, open_heic
from app.render.photo.metadata import describe_anew, orientation_of, upright
from app.render.photo.model import Photo, PhotoLimits
from app.render.photo.profiles import to_srgb
from app.render.photo.samples import read_samples


def decode(data: bytes, limits: PhotoLimits) -> Photo:
    """The first picture of a file. Raises PhotoError."""
    if len(data) > limits.max_bytes:
        raise too_large(f"{len(data) / 1e6:.1f} MB", f"{limits.max_bytes / 1e6:.1f} MB")
    source = format_of(data)
    with readable("The file"):
        image = open_heic(data) if source == "heic" else Image.open(BytesIO(data), formats=[source.upper()])
        _check_picture(image, limits)
    with readable("The picture"):
        samples, alpha = read_samples(image, data)
    with readable("The colour profile (ICC)"):
        rgb = to_srgb(samples, image.info.get("icc_profile") or heic_profile(image))
    with readable("The EXIF data"):
        # Only now: PNG may hold it behind the pixels; and Pillow turns a TIFF upright while it loads the pixels.
        exif = image.getexif()
        orientation = orientation_of(exif)
        rgb, alpha = upright(rgb, orientation), None if alpha is None else upright(alpha, orientation)
        describe_anew(exif, rgb)
    with readable("The captions (XMP, IPTC)"):
        xmp, iptc = kept_xmp(packet_of(image)), iptc_of(image)
    return Photo(rgb, alpha, usual_target(source), exif, xmp, iptc)


def _check_picture(image: ImageFile.ImageFile, limits: PhotoLimits) -> None:
    """What the header says: the size, and whether this is the picture itself."""
    width, height = image.size
    if width < 1 or height < 1:
        raise PhotoError("damaged", f"The photo has no pixels ({width} x {height}); save it again.")
    if width * height > limits.max_pixels:
        measured = f"{width * height / 1e6:.1f} megapixels ({width} x {height})"
        raise too_large(measured, f"{limits.max_pixels / 1e6:.1f} megapixels")
    # Raw files are TIFFs by their first bytes; what lies in front is a preview.
    if isinstance(image, TiffImageFile) and (image.tag_v2.get(254, 0) & 1 or ExifTags.Base.DNGVersion in image.tag_v2):
        raise PhotoError("unsupported", "This is a camera's raw file; develop it and save it as JPEG or TIFF.")
