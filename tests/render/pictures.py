"""Pictures and colours for the tests of the renderer."""

import itertools

import numpy as np
import skimage.data
from hypothesis import strategies as st
from PIL import Image
from skimage.color import deltaE_ciede2000, rgb2lab

from app.render.colour import Array

CORNERS = np.array(list(itertools.product([0.0, 1.0], repeat=3)), np.float32)
GREYS = np.repeat(np.linspace(0, 1, 65, dtype=np.float32)[:, None], 3, axis=1)


def photo(name: str = "astronaut", side: int = 48) -> Array:
    """A photo that comes with scikit-image, small, as floats 0..1."""
    image = Image.fromarray(getattr(skimage.data, name)()).convert("RGB")
    image.thumbnail((side, side))
    return np.asarray(image, np.float32) / np.float32(255)


def grid(points: int = 9) -> Array:
    """Colours evenly spread over the whole cube, shape [points^3, 3]."""
    axis = np.linspace(0, 1, points, dtype=np.float32)
    return np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), axis=-1).reshape(-1, 3)


def patch(red: int, green: int, blue: int) -> Array:
    """One colour given in bytes, shape [1, 3]."""
    return np.array([[red, green, blue]], np.float32) / np.float32(255)


def gradients(steps: int = 1025) -> Array:
    """Even gradients between all pairs of corners, middle grey and a skin tone: shape [pairs, steps, 3]."""
    ends = np.concatenate([CORNERS, [[0.5, 0.5, 0.5]], patch(224, 172, 140)]).astype(np.float32)
    way = np.linspace(0, 1, steps, dtype=np.float32)[:, None]
    return np.stack([a + (b - a) * way for a, b in itertools.combinations(ends, 2)])


def steepest(rows: Array) -> float:
    """The largest change of a channel along gradients, relative to that of the gradient from black to white."""
    return float(np.abs(np.diff(rows, axis=1)).max() * (rows.shape[1] - 1))


def largest_bend(rows: Array) -> float:
    """The largest difference between two neighbouring steps of a gradient, in units of 1/255."""
    return float(np.abs(np.diff(rows, n=2, axis=1)).max() * 255)


def seen_steps(rows: Array) -> Array:
    """How far neighbours on gradients are apart, in CIEDE2000: 1 is just seen. Shape [pairs, steps - 1]."""
    lab = rgb2lab(rows.astype(np.float64))
    return np.asarray(deltaE_ciede2000(lab[:, 1:], lab[:, :-1]), np.float32)


def colours() -> st.SearchStrategy[Array]:
    """A few arbitrary colours, those at the ends of the range among them: shape [n, 3]."""
    channel = st.sampled_from([0.0, 1.0]) | st.floats(0, 1, width=32)
    return st.lists(st.tuples(channel, channel, channel), min_size=1, max_size=16).map(
        lambda rows: np.array(rows, np.float32)
    )
