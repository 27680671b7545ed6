"""Conversion, grids and files of pictures; expected values by hand or by Pillow."""

import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from kerasgan import images
from kerasgan.errors import UserError


def solid(colour, height=8, width=8):
    return np.full((height, width, 3), colour, np.uint8)


def read_gif(path):
    """Every frame by Pillow: RGB arrays and durations in milliseconds."""
    frames, durations = [], []
    with Image.open(path) as gif:
        for index in range(gif.n_frames):
            gif.seek(index)
            frames.append(np.asarray(gif.convert("RGB")))
            durations.append(gif.info["duration"])
    return frames, durations


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


def test_gif_has_every_frame_in_order_and_loops_for_ever(tmp_path):
    colours = [(200, 30, 30), (30, 200, 30), (30, 30, 200), (90, 90, 90)]
    count = images.write_gif(tmp_path / "a.gif", map(solid, colours), fps=10, hold=1.5)
    frames, durations = read_gif(tmp_path / "a.gif")
    assert count == 4
    assert durations == [100, 100, 100, 1600]
    with Image.open(tmp_path / "a.gif") as gif:
        assert gif.info["loop"] == 0
        assert gif.size == (8, 8)
    for frame, colour in zip(frames, colours, strict=True):
        np.testing.assert_array_equal(frame, solid(colour))


@pytest.mark.parametrize(("fps", "milliseconds"), [(50, 20), (30, 30), (12, 80), (1, 1000)])
def test_gif_durations_are_whole_hundredths(tmp_path, fps, milliseconds):
    images.write_gif(tmp_path / "a.gif", [solid(9), solid(200)], fps)
    assert read_gif(tmp_path / "a.gif")[1] == [milliseconds] * 2


@pytest.mark.parametrize("fps", [0, -1, 51, float("nan"), float("inf")])
def test_gif_refuses_other_speeds(fps):
    with pytest.raises(UserError, match="--fps.*should be from"):
        images.gif_delay(fps)


@pytest.mark.parametrize("size", [(1, 1), (3, 5), (64, 48), (257, 130)])
def test_gif_of_few_and_of_many_colours_stays_close(tmp_path, size):
    rng = np.random.default_rng(1)
    small = Image.fromarray(rng.integers(0, 256, (3, 3, 3), np.uint8))
    smooth = np.asarray(small.resize(size[::-1], Image.Resampling.BICUBIC))
    images.write_gif(tmp_path / "a.gif", [smooth, smooth[:, ::-1], smooth], fps=10)
    frames, _ = read_gif(tmp_path / "a.gif")
    assert len(frames) == 3
    for frame, expected in zip(frames, [smooth, smooth[:, ::-1], smooth], strict=True):
        assert frame.shape == expected.shape
        assert np.abs(frame.astype(int) - expected).mean() < 8


def test_palette_keeps_the_local_means_of_many_gradients():
    """36 hues leave few palette entries for each, as a grid of faces does."""
    ramp = np.tile(np.linspace(60, 250, 32), 6)[None, :, None]
    hues = np.random.default_rng(0).uniform(0.2, 1, (6, 6, 3))
    picture = np.round(ramp * hues.repeat(32, axis=0).repeat(32, axis=1)).astype(np.uint8)
    image = Image.fromarray(picture)

    def error(palette_image):
        drawn = np.asarray(palette_image.convert("RGB"))
        means = [x.reshape(12, 16, 12, 16, 3).mean((1, 3)) for x in (picture, drawn)]
        return np.abs(means[0] - means[1]).mean()

    assert error(images.to_palette(image)) < 1.5
    assert error(images.to_palette(image)) < error(image.quantize(256)) / 2


def test_one_colour_channel_makes_a_gif(tmp_path):
    grey = np.full((4, 4, 1), 77, np.uint8)
    images.write_gif(tmp_path / "a.gif", [grey], fps=5)
    assert (read_gif(tmp_path / "a.gif")[0][0] == 77).all()


def test_failing_half_way_leaves_the_old_gif_and_nothing_else(tmp_path):
    def broken():
        yield solid(1)
        yield solid(2)
        raise KeyboardInterrupt

    (tmp_path / "a.gif").write_bytes(b"old")
    with pytest.raises(KeyboardInterrupt):
        images.write_gif(tmp_path / "a.gif", broken(), fps=10)
    assert [path.name for path in tmp_path.iterdir()] == ["a.gif"]
    assert (tmp_path / "a.gif").read_bytes() == b"old"


@pytest.mark.parametrize("frames", [[], [solid(1), solid(1, height=9)]])
def test_gif_refuses_none_and_mixed_sizes(tmp_path, frames):
    with pytest.raises(ValueError, match="should have"):
        images.write_gif(tmp_path / "a.gif", frames, fps=10)
    assert not list(tmp_path.iterdir())


PEAK = """
import re, sys
from pathlib import Path
import numpy as np
from PIL import Image
from kerasgan import images
images.PALETTE_SAMPLE = 2**8  # the search for colours takes most of the time, and no memory
small = np.random.default_rng(0).integers(0, 256, (4, 4, 3), np.uint8)
smooth = np.asarray(Image.fromarray(small).resize((256, 256), Image.Resampling.BICUBIC))

def frames(count):
    return (np.roll(smooth, index, axis=0) for index in range(count))

def peak():
    return int(re.search(r"VmHWM:\\s*([0-9]+)", Path("/proc/self/status").read_text())[1])

path, count, how = sys.argv[1], int(sys.argv[2]), sys.argv[3]
images.write_gif(path, frames(2), fps=10)
before = peak()
images.write_gif(path, frames(count), fps=10) if how == "streamed" else list(frames(count))
print(peak() - before)
"""


def grown(path, count, how):
    """How much a process' peak memory grows for a GIF, in frames of 256 x 256 x 3 bytes.

    Linux' VmHWM begins anew with each program; `getrusage` would show the peak of the process
    that started it, where that one was larger.
    """
    command = [sys.executable, "-c", PEAK, str(path), str(count), how]
    kilobytes = int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return kilobytes * 1024 / (256 * 256 * 3)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads the peak from /proc")
def test_gif_memory_does_not_grow_with_the_number_of_frames(tmp_path):
    few, many = (grown(tmp_path / "a.gif", count, "streamed") for count in (20, 200))
    assert abs(many - few) < 15
    # The measure would see a writer that holds its frames: these are 180 more.
    few, many = (grown(tmp_path / "a.gif", count, "held") for count in (20, 200))
    assert 150 < many - few < 210
