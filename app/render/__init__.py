"""Pixels: a grade becomes a picture, or the 3D LUT that other editors read.

    from pathlib import Path

    import numpy as np
    from PIL import Image

    from app.grade import Grade
    from app.render import apply_grade, compile_lut, write_cube

    grade = Grade.parse({"adjust": {"exposure": 20, "temperature": 30}, "filter": {"name": "vivid", "intensity": 40}})
    picture = np.asarray(Image.open("photo.jpg").convert("RGB"))
    Image.fromarray(apply_grade(picture, grade, strength=70)).save("graded.jpg")
    Path("look.cube").write_text(write_cube(compile_lut(grade, strength=70), "warm"))

`pipeline` documents the order of all steps; `render_photo` does the same for a file's bytes, whatever its format, and
`app.render.video` for a video; `write_xmp` and `write_profile` write a grade for Lightroom.
"""

from app.render.cube import write as write_cube
from app.render.lane import Lane, LaneFull
from app.render.lut import Lut
from app.render.photo import PhotoError, PhotoFormat, PhotoLimits, RenderedPhoto, render_photo
from app.render.pipeline import apply_grade, compile_lut
from app.render.pool import PoolFull, RenderPool
from app.render.process import RenderJob, WorkerLost
from app.render.spatial_steps import spatial_steps
from app.render.xmp import write as write_xmp
from app.render.xmp import write_profile

__all__ = [
    "Lane",
    "LaneFull",
    "Lut",
    "PhotoError",
    "PhotoFormat",
    "PhotoLimits",
    "PoolFull",
    "RenderJob",
    "RenderPool",
    "RenderedPhoto",
    "WorkerLost",
    "apply_grade",
    "compile_lut",
    "render_photo",
    "spatial_steps",
    "write_cube",
    "write_profile",
    "write_xmp",
]
