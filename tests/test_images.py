"""Conversion, grids and files of pictures; expected values by hand or by Pillow."""

import numpy as np
import pytest
from PIL import Image

from kerasgan import images


def test_every_uint8_survives_the_round_trip():
    values = np.arange(256, dtype=np.uint8).reshape(1, 16, 16, 1)
    floats = images.to_float(values)
    assert floats.dtype == np.float32
    assert floats.min() == -1 and floats.max() == 1
    np.testing.assert_array_equal(images.to_uint8(floats), values)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (-1.0, 0),
        (1.0, 255),
        (-1.5, 0),
        (7.0, 255),
        (0.0, 128),  # 127.5, a tie, goes to the even neighbour
        (-0.001, 127),
        (1 / 127.5, 128),  # 128.5, again a tie
        (0.5, 191),  # 191.25
    ],
)
def test_to_uint8_rounds_and_clips(value, expected):
    assert images.to_uint8(np.array([value])).tolist() == [expected]


def test_grid_is_laid_out_in_reading_order():
    pictures = np.zeros((5, 2, 3, 1), np.uint8)
    pictures[:, 0, 0, 0] = [10, 20, 30, 40, 50]  # mark each one's upper left corner
    grid = images.make_grid(pictures, columns=2)
    assert grid.shape == (6, 6, 1)
    expected = np.zeros((6, 6), np.uint8)
    expected[0, 0], expected[0, 3] = 10, 20
    expected[2, 0], expected[2, 3] = 30, 40
    expected[4, 0] = 50
    np.testing.assert_array_equal(grid[..., 0], expected)


@pytest.mark.parametrize(
    ("count", "rows", "columns"), [(1, 1, 1), (2, 1, 2), (5, 2, 3), (36, 6, 6)]
)
def test_grid_is_as_square_as_it_can_be(count, rows, columns):
    grid = images.make_grid(np.ones((count, 4, 5, 3), np.uint8))
    assert grid.shape == (rows * 4, columns * 5, 3)
    assert grid.sum() == count * 4 * 5 * 3  # places left over are black


@pytest.mark.parametrize("channels", [1, 3])
def test_png_keeps_every_value(tmp_path, channels):
    picture = np.random.default_rng(0).integers(0, 256, (6, 7, channels), np.uint8)
    images.write_png(tmp_path / "new" / "a.png", picture)
    with Image.open(tmp_path / "new" / "a.png") as image:
        read = np.asarray(image)
    np.testing.assert_array_equal(read.reshape(picture.shape), picture)
