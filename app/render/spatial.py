"""Bloom, sharpen and structure: what a pixel becomes depends on those around it.

Pictures are encoded sRGB 0..1, float32 of shape [H, W, 3]; amounts are 1..100. All radii are shares of the longer
side, so that a preview shows what the full picture will be; wide blurs are computed on a small copy. Sharpen and
structure move luma only, so that no edge gets a coloured seam and a grey picture stays grey.
"""

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from app.render.colour import LUMINANCE, Array

_SMALL = 512  # the longer side, in pixels, of the copy on which wide blurs are computed

_GLOWS_FROM = 0.5  # luma from which on a light blooms
_NARROW_GLOW, _WIDE_GLOW = 0.008, 0.035  # standard deviations, shares of the longer side
_BLOOM = 0.9

_SHARPEN_RADIUS = 1 / 2500  # standard deviation: 1.6 pixels at 12 megapixels
_SHARPEN_LEAST = 0.6  # pixels: below it the blur is none
_SHARPEN, _OVERSHOOT = 1.6, 0.12

_STRUCTURE_RADIUS = 0.012  # half the side of the window
_STRUCTURE_EDGE = 0.015  # variance of luma above which a difference is an edge and not texture
_STRUCTURE = 1.5


def bloom(image: Array, amount: int) -> Array:
    """Light from the highlights spills over what is around them.

    Added in linear light, where light adds up, as a screen (1 - (1 - a)(1 - b)), which never clips.
    """
    picture = torch.from_numpy(image).permute(2, 0, 1)[None]
    small = _small(picture)
    luma = _luma(small)
    lights = _linear(small) * _smooth((luma - _GLOWS_FROM) / (1 - _GLOWS_FROM))
    side = max(small.shape[-2:])
    glow = 0.5 * _gaussian(lights, _NARROW_GLOW * side) + 0.5 * _gaussian(lights, _WIDE_GLOW * side)
    kept = _like(1 - _BLOOM * amount / 100 * glow, picture).clamp_(0, 1)
    light = _linear(picture)
    return _image(_encode(light.sub_(1).mul_(kept).add_(1)))


def sharpen(image: Array, amount: int) -> Array:
    """Unsharp mask on luma; the overshoot at strong edges is held down, so that no edge gets a halo."""
    luma = _luma_of(image)
    sigma = max(_SHARPEN_RADIUS * max(image.shape[:2]), _SHARPEN_LEAST)
    detail = luma - _gaussian(luma, sigma)
    detail = detail / (1 + detail.abs() / _OVERSHOOT)
    return _shifted(image, detail.mul_(_SHARPEN * amount / 100))


def structure(image: Array, amount: int) -> Array:
    """Local contrast: texture grows, edges between large areas stay.

    Texture is what a guided filter takes away (He, Sun and Tang, "Guided image filtering", 2010; coefficients from a
    small copy as in their "Fast guided filter", 2015). Less of it in the deepest shadows and brightest lights.
    """
    luma = _luma_of(image)
    small = _small(luma)
    radius = max(1, round(_STRUCTURE_RADIUS * max(small.shape[-2:])))
    mean = _box(small, radius)
    variance = (_box(small * small, radius) - mean * mean).clamp_(min=0)
    slope = variance / (variance + _STRUCTURE_EDGE)
    base = _like(_box(slope, radius), luma) * luma + _like(_box(mean - slope * mean, radius), luma)
    middle = 1 - (2 * luma - 1) ** 4
    return _shifted(image, (luma - base).mul_(middle).mul_(_STRUCTURE * amount / 100))


def _luma_of(image: Array) -> Tensor:
    return torch.from_numpy(image @ LUMINANCE)[None, None]


def _luma(picture: Tensor) -> Tensor:
    return (picture * torch.from_numpy(LUMINANCE)[:, None, None]).sum(dim=1, keepdim=True)


def _shifted(image: Array, luma: Tensor) -> Array:
    """The picture with a difference added to its luma, and so to each channel."""
    return (torch.from_numpy(image) + luma[0, 0, :, :, None]).clamp_(0, 1).numpy()


def _image(picture: Tensor) -> Array:
    return np.ascontiguousarray(picture[0].permute(1, 2, 0).numpy())


def _small(picture: Tensor) -> Tensor:
    """A copy whose longer side is at most `_SMALL`, each pixel the mean of those it stands for."""
    shrink = _SMALL / max(picture.shape[-2:])
    if shrink >= 1:
        return picture
    height, width = (max(1, round(side * shrink)) for side in picture.shape[-2:])
    return functional.interpolate(picture, size=(height, width), mode="area")


def _like(small: Tensor, picture: Tensor) -> Tensor:
    """The small copy at the size of the picture."""
    if small.shape[-2:] == picture.shape[-2:]:
        return small
    return functional.interpolate(small, size=picture.shape[-2:], mode="bilinear", align_corners=False)


def _gaussian(picture: Tensor, sigma: float) -> Tensor:
    """A Gaussian blur, one axis after the other; beyond its border the picture goes on as it ends there."""
    reach = max(1, round(3 * sigma))
    x = torch.arange(-reach, reach + 1, dtype=torch.float32)
    weights = torch.exp(-(x**2) / (2 * sigma**2))
    weights = weights / weights.sum()
    planes = picture.transpose(0, 1)
    across = functional.conv2d(
        functional.pad(planes, (reach, reach, 0, 0), mode="replicate"), weights[None, None, None]
    )
    down = functional.pad(across, (0, 0, reach, reach), mode="replicate")
    return functional.conv2d(down, weights[None, None, :, None]).transpose(0, 1)


def _box(picture: Tensor, radius: int) -> Tensor:
    """The mean over a square window of side 2 radius + 1."""
    padded = functional.pad(picture, (radius,) * 4, mode="replicate")
    return functional.avg_pool2d(padded, 2 * radius + 1, stride=1)


def _smooth(x: Tensor) -> Tensor:
    x = x.clamp(0, 1)
    return x * x * (3 - 2 * x)


def _linear(encoded: Tensor) -> Tensor:
    return torch.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4)


def _encode(light: Tensor) -> Tensor:
    return torch.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055)
