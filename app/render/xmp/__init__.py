"""Looks for Lightroom and Camera Raw, as XMP packets of camera raw settings (`crs:`).

    preset    sliders, curves and colour ranges to go on with: a translation, since Lightroom has its own tools
    profile   the grade's own 3D table: the same colours as ours, with an amount slider

Both go into Lightroom by "Import Presets" and "Import Profiles". Neither holds bloom; the profile, like a `.cube` file,
holds no sharpen and structure either.
"""

from app.render.xmp.preset import write
from app.render.xmp.profile import write_profile

__all__ = ["write", "write_profile"]
