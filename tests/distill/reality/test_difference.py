"""CIEDE2000 as published, and as scikit-image computes it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from skimage.color import deltaE_ciede2000, rgb2lab

from app.distill.reality.difference import ciede2000, difference, lab

# The supplementary test data of Sharma, Wu and Dalal (2005), table 1: two L*a*b* colours and their difference.
PUBLISHED = """
50.0000   2.6772 -79.7751  50.0000   0.0000 -82.7485  2.0425
50.0000   3.1571 -77.2803  50.0000   0.0000 -82.7485  2.8615
50.0000   2.8361 -74.0200  50.0000   0.0000 -82.7485  3.4412
50.0000  -1.3802 -84.2814  50.0000   0.0000 -82.7485  1.0000
50.0000  -1.1848 -84.8006  50.0000   0.0000 -82.7485  1.0000
50.0000  -0.9009 -85.5211  50.0000   0.0000 -82.7485  1.0000
50.0000   0.0000   0.0000  50.0000  -1.0000   2.0000  2.3669
50.0000  -1.0000   2.0000  50.0000   0.0000   0.0000  2.3669
50.0000   2.4900  -0.0010  50.0000  -2.4900   0.0009  7.1792
50.0000   2.4900  -0.0010  50.0000  -2.4900   0.0010  7.1792
50.0000   2.4900  -0.0010  50.0000  -2.4900   0.0011  7.2195
50.0000   2.4900  -0.0010  50.0000  -2.4900   0.0012  7.2195
50.0000  -0.0010   2.4900  50.0000   0.0009  -2.4900  4.8045
50.0000  -0.0010   2.4900  50.0000   0.0010  -2.4900  4.8045
50.0000  -0.0010   2.4900  50.0000   0.0011  -2.4900  4.7461
50.0000   2.5000   0.0000  50.0000   0.0000  -2.5000  4.3065
50.0000   2.5000   0.0000  73.0000  25.0000 -18.0000 27.1492
50.0000   2.5000   0.0000  61.0000  -5.0000  29.0000 22.8977
50.0000   2.5000   0.0000  56.0000 -27.0000  -3.0000 31.9030
50.0000   2.5000   0.0000  58.0000  24.0000  15.0000 19.4535
50.0000   2.5000   0.0000  50.0000   3.1736   0.5854  1.0000
50.0000   2.5000   0.0000  50.0000   3.2972   0.0000  1.0000
50.0000   2.5000   0.0000  50.0000   1.8634   0.5757  1.0000
50.0000   2.5000   0.0000  50.0000   3.2592   0.3350  1.0000
60.2574 -34.0099  36.2677  60.4626 -34.1751  39.4387  1.2644
63.0109 -31.0961  -5.8663  62.8187 -29.7946  -4.0864  1.2630
61.2901   3.7196  -5.3901  61.4292   2.2480  -4.9620  1.8731
35.0831 -44.1164   3.7933  35.0232 -40.0716   1.5901  1.8645
22.7233  20.0904 -46.6940  23.0331  14.9730 -42.5619  2.0373
36.4612  47.8580  18.3852  36.2715  50.5065  21.2231  1.4146
90.8027  -2.0831   1.4410  91.1528  -1.6435   0.0447  1.4441
90.9257  -0.5406  -0.9208  88.6381  -0.8985  -0.7239  1.5381
 6.7747  -0.2908  -2.4247   5.8714  -0.0985  -2.2286  0.6377
 2.0776   0.0795  -1.1350   0.9033  -0.0636  -0.5514  0.9082
"""
ROWS = np.array([line.split() for line in PUBLISHED.strip().splitlines()], float)

colours = arrays.arrays(
    float, (5, 3), elements=st.floats(-128, 128).map(lambda number: round(number, 3)), fill=st.nothing()
).map(lambda lab: lab * [0.39, 1, 1] + [50, 0, 0])


def test_the_published_pairs() -> None:
    assert len(ROWS) == 34
    assert ciede2000(ROWS[:, :3], ROWS[:, 3:6]) == pytest.approx(ROWS[:, 6], abs=5e-5)


def test_the_published_pairs_in_single_precision_as_pictures_are_compared() -> None:
    found = ciede2000(ROWS[:, :3].astype(np.float32), ROWS[:, 3:6].astype(np.float32))
    assert found.dtype == np.float32
    # Pairs 9 to 15 lie where the mean hue jumps: there the fourth digit of a colour decides the second of the result.
    apart = np.abs(found - ROWS[:, 6])
    assert np.delete(apart, range(8, 15)).max() < 1e-3
    assert apart.max() < 0.1


@given(colours, colours)
def test_any_colours_as_scikit_image_has_them(a: np.ndarray, b: np.ndarray) -> None:
    assert ciede2000(a, b) == pytest.approx(deltaE_ciede2000(a, b), abs=1e-6)


@given(colours, colours)
def test_a_difference_has_no_direction_and_none_from_itself(a: np.ndarray, b: np.ndarray) -> None:
    assert ciede2000(a, b) == pytest.approx(ciede2000(b, a), abs=1e-9)
    assert ciede2000(a, a) == pytest.approx(0, abs=1e-6)


def test_srgb_becomes_lab_as_scikit_image_has_it() -> None:
    steps = np.arange(0, 256, 15, dtype=np.uint8)
    every = np.stack(np.meshgrid(steps, steps, steps), axis=-1).reshape(1, -1, 3)
    assert np.abs(lab(every) - rgb2lab(every)).max() < 0.05
    assert lab(np.full((1, 1, 3), 255, np.uint8))[0, 0] == pytest.approx([100, 0, 0], abs=1e-3)
    assert lab(np.zeros((1, 1, 3), np.uint8))[0, 0] == pytest.approx([0, 0, 0], abs=1e-3)


def test_a_picture_counts_with_its_mean_and_its_95th_percentile() -> None:
    black, half = np.zeros((10, 10, 3), np.uint8), np.zeros((10, 10, 3), np.uint8)
    half[:, :5] = 255
    found = difference(lab(black), lab(half))
    assert found.mean == pytest.approx(50, abs=0.1)
    assert found.p95 == pytest.approx(100, abs=0.1)
