"""Animations: which frames, in which order, how long, how large; and GIFs by Pillow."""

import subprocess
import sys
import zlib

import numpy as np
import pytest
from frames import GREYS, numbered, read, write_frames
from PIL import Image, ImageFont

from kerasgan import animation
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


def test_frames_are_in_the_order_of_their_numbers(tmp_path):
    names = ["control_9.png", "control_10.png", "control_99.png", "control_100.png"]
    folder = write_frames(tmp_path / "frames", names)
    done = animation.make_training_gif(folder, tmp_path / "a.gif", fps=10, hold=1)
    assert read(tmp_path / "a.gif") == (GREYS[:4], [100, 100, 100, 1100])
    assert (done.path, done.frames, done.width, done.skipped) == (tmp_path / "a.gif", 4, 32, {})


def test_seven_digits_come_after_six(tmp_path):
    folder = write_frames(tmp_path / "frames", ["000050.png", "999950.png", "1000000.png"])
    assert [path.name for path in animation.find_frames(folder)] == [
        "000050.png",
        "999950.png",
        "1000000.png",
    ]


def test_only_numbered_pngs_are_frames(tmp_path):
    folder = write_frames(tmp_path, ["1.png", ".2-ab.tmp.png", "reals.png", "3.PNG", "4.jpg"])
    assert [path.name for path in animation.find_frames(folder)] == ["1.png", "3.PNG"]


@pytest.mark.parametrize(
    ("every", "kept"),
    [(1, [0, 1, 2, 3, 4, 5]), (2, [0, 2, 4, 5]), (3, [0, 3, 5]), (5, [0, 5]), (99, [0, 5])],
)
def test_every_keeps_the_first_and_the_last(tmp_path, every, kept):
    folder = write_frames(tmp_path / "frames", numbered(6))
    animation.make_training_gif(folder, tmp_path / "a.gif", every=every)
    assert read(tmp_path / "a.gif")[0] == [GREYS[index] for index in kept]


def test_size_follows_width_and_the_caption_is_a_strip_below(tmp_path):
    folder = write_frames(tmp_path / "frames", numbered(2), size=(64, 48))

    def size_of(**options):
        animation.make_training_gif(folder, tmp_path / "a.gif", **options)
        with Image.open(tmp_path / "a.gif") as written:
            return written.size

    assert size_of(caption=False) == (64, 48)
    assert size_of(caption=False, width=32) == (32, 24)
    width, height = size_of(width=128)
    assert width == 128 and 96 + 10 < height < 96 + 40


def test_caption_says_each_frames_number_in_the_strip_alone(tmp_path):
    (tmp_path / "frames").mkdir()
    for name in ("000050.png", "012350.png"):
        Image.new("RGB", (160, 40), (90, 90, 90)).save(tmp_path / "frames" / name)
    animation.make_training_gif(tmp_path / "frames", tmp_path / "a.gif")
    with Image.open(tmp_path / "a.gif") as written:
        first = np.asarray(written.convert("RGB")).astype(int)
        written.seek(1)
        second = np.asarray(written.convert("RGB")).astype(int)
    changed = np.abs(first - second).max(axis=2) > 50
    assert not changed[:40].any()
    assert changed[40:].sum() > 20
    written = second[40:].max(axis=2) > 128
    assert written.any() and not written[:, -3:].any()  # the text ends within the frame


@pytest.mark.parametrize(
    ("name", "caption"),
    [("012350.png", "iteration 12,350"), ("control_399.png", "frame 399"), ("r2_7.png", "frame 7")],
)
def test_caption_words(tmp_path, name, caption):
    assert animation.caption_of(tmp_path / name) == caption


def test_a_long_caption_fits_a_narrow_frame():
    size = animation.font_size("iteration 1,000,000", 64)
    assert 4 <= size < 11
    assert ImageFont.load_default(size).getlength("iteration 1,000,000") < 64


def test_a_broken_last_frame_gives_way_to_the_one_before(tmp_path):
    folder = write_frames(tmp_path / "frames", numbered(6))
    whole = (folder / "000300.png").read_bytes()
    (folder / "000300.png").write_bytes(whole[: len(whole) // 2])
    done = animation.make_training_gif(folder, tmp_path / "a.gif", fps=10, every=4, hold=1)
    # Of 0, 4 and 5, the last cannot be read; 4 is the last that can, and is held.
    assert read(tmp_path / "a.gif") == ([GREYS[0], GREYS[4]], [100, 1100])
    assert list(done.skipped) == [folder / "000300.png"]


def test_making_refuses_what_the_command_refuses(tmp_path):
    folder = write_frames(tmp_path / "frames", numbered(2))
    with pytest.raises(UserError, match="--every"):
        animation.make_training_gif(folder, tmp_path / "a.gif", every=0)


def test_gif_has_every_frame_in_order_and_loops_for_ever(tmp_path):
    colours = [(200, 30, 30), (30, 200, 30), (30, 30, 200), (90, 90, 90)]
    count = animation.write_gif(tmp_path / "a.gif", map(solid, colours), fps=10, hold=1.5)
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
    animation.write_gif(tmp_path / "a.gif", [solid(9), solid(200)], fps)
    assert read_gif(tmp_path / "a.gif")[1] == [milliseconds] * 2


@pytest.mark.parametrize("fps", [0, -1, 51, float("nan"), float("inf")])
def test_gif_refuses_other_speeds(fps):
    with pytest.raises(UserError, match="--fps.*should be from"):
        animation.delay_of(fps)


@pytest.mark.parametrize("size", [(1, 1), (3, 5), (64, 48), (257, 130)])
def test_gif_of_few_and_of_many_colours_stays_close(tmp_path, size):
    rng = np.random.default_rng(1)
    small = Image.fromarray(rng.integers(0, 256, (3, 3, 3), np.uint8))
    smooth = np.asarray(small.resize(size[::-1], Image.Resampling.BICUBIC))
    animation.write_gif(tmp_path / "a.gif", [smooth, smooth[:, ::-1], smooth], fps=10)
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

    assert error(animation.to_palette(image)) < 1.5
    assert error(animation.to_palette(image)) < error(image.quantize(256)) / 2


def test_one_colour_channel_makes_a_gif(tmp_path):
    grey = np.full((4, 4, 1), 77, np.uint8)
    animation.write_gif(tmp_path / "a.gif", [grey], fps=5)
    assert (read_gif(tmp_path / "a.gif")[0][0] == 77).all()


def test_failing_half_way_leaves_the_old_gif_and_nothing_else(tmp_path):
    def broken():
        yield solid(1)
        yield solid(2)
        raise KeyboardInterrupt

    (tmp_path / "a.gif").write_bytes(b"old")
    with pytest.raises(KeyboardInterrupt):
        animation.write_gif(tmp_path / "a.gif", broken(), fps=10)
    assert [path.name for path in tmp_path.iterdir()] == ["a.gif"]
    assert (tmp_path / "a.gif").read_bytes() == b"old"


@pytest.mark.parametrize("frames", [[], [solid(1), solid(1, height=9)]])
def test_gif_refuses_none_and_mixed_sizes(tmp_path, frames):
    with pytest.raises(ValueError, match="should have"):
        animation.write_gif(tmp_path / "a.gif", frames, fps=10)
    assert not list(tmp_path.iterdir())


PEAK = """
import re, sys
from pathlib import Path
import numpy as np
from PIL import Image
from kerasgan import animation
animation.PALETTE_SAMPLE = 2**8  # the search for colours takes most of the time, and no memory
small = np.random.default_rng(0).integers(0, 256, (4, 4, 3), np.uint8)
smooth = np.asarray(Image.fromarray(small).resize((256, 256), Image.Resampling.BICUBIC))

def frames(count):
    return (np.roll(smooth, index, axis=0) for index in range(count))

def peak():
    return int(re.search(r"VmHWM:\\s*([0-9]+)", Path("/proc/self/status").read_text())[1])

path, count, how = sys.argv[1], int(sys.argv[2]), sys.argv[3]
animation.write_gif(path, frames(2), fps=10)
before = peak()
animation.write_gif(path, frames(count), fps=10) if how == "streamed" else list(frames(count))
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


def test_a_frame_that_only_looks_like_a_png_is_skipped(tmp_path):
    """Of all formats only PNG is tried: an EPS would start Ghostscript."""
    folder = write_frames(tmp_path / "frames", numbered(3))
    Image.new("RGB", (32, 24), (60, 60, 60)).save(folder / "000100.png", format="EPS")
    done = animation.make_training_gif(folder, tmp_path / "a.gif", hold=0)
    assert read(tmp_path / "a.gif")[0] == [GREYS[0], GREYS[2]]
    assert done.skipped == {folder / "000100.png": "cannot be read"}


def test_a_frame_too_large_to_unpack_is_skipped(tmp_path):
    folder = write_frames(tmp_path / "frames", numbered(3))
    bomb = bytearray((folder / "000100.png").read_bytes())
    bomb[16:24] = (60_000).to_bytes(4, "big") * 2  # width and height in the head
    bomb[29:33] = zlib.crc32(bomb[12:29]).to_bytes(4, "big")
    (folder / "000100.png").write_bytes(bomb)
    assert animation.make_training_gif(folder, tmp_path / "a.gif").frames == 2
