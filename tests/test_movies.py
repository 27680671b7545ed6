"""Moving pictures: GIF and WebP read back by Pillow, MP4 by PyAV; and what users get wrong."""

import errno
import subprocess
import sys

import av
import numpy as np
import pytest
from PIL import Image

from kerasgan import movies
from kerasgan.errors import UserError


def solid(colour, height=8, width=8):
    return np.full((height, width, 3), colour, np.uint8)


def read_images(path):
    """Every frame by Pillow: RGB arrays and durations in milliseconds."""
    frames, durations = [], []
    with Image.open(path) as gif:
        for index in range(gif.n_frames):
            gif.seek(index)
            frames.append(np.asarray(gif.convert("RGB")))
            durations.append(gif.info["duration"])
    return frames, durations


def read_video(path, colours=None):
    """Every frame by PyAV: RGB arrays and times in seconds; and how long the whole is."""
    with av.open(str(path)) as container:
        frames = list(container.decode(video=0))
        seconds = container.duration / 1e6
    arrays = [
        frame.reformat(format="rgb24", src_colorspace=colours).to_ndarray() for frame in frames
    ]
    return arrays, [frame.time for frame in frames], seconds


def gliding(count, height=96, width=128):
    """Frames of soft colours that glide to the side."""
    small = np.random.default_rng(1).integers(60, 200, (3, 4, 3), np.uint8)
    smooth = np.asarray(Image.fromarray(small).resize((width, height), Image.Resampling.BICUBIC))
    return [np.roll(smooth, 12 * index, axis=1) for index in range(count)]


def error(frame, expected):
    return np.abs(frame.astype(int) - expected).mean()


def test_gif_has_every_frame_in_order_and_loops_for_ever(tmp_path):
    colours = [(200, 30, 30), (30, 200, 30), (30, 30, 200), (90, 90, 90)]
    made = movies.write(tmp_path / "a.gif", map(solid, colours), fps=10, hold=1.5)
    frames, durations = read_images(tmp_path / "a.gif")
    assert (made.path, made.frames, made.width, made.height) == (tmp_path / "a.gif", 4, 8, 8)
    assert durations == [100, 100, 100, 1600]
    with Image.open(tmp_path / "a.gif") as gif:
        assert gif.info["loop"] == 0
        assert gif.size == (8, 8)
    for frame, colour in zip(frames, colours, strict=True):
        np.testing.assert_array_equal(frame, solid(colour))


@pytest.mark.parametrize(("fps", "milliseconds"), [(50, 20), (30, 30), (12, 80), (1, 1000)])
def test_gif_durations_are_whole_hundredths(tmp_path, fps, milliseconds):
    movies.write(tmp_path / "a.gif", [solid(9), solid(200)], fps)
    assert read_images(tmp_path / "a.gif")[1] == [milliseconds] * 2


@pytest.mark.parametrize("size", [(1, 1), (3, 5), (64, 48), (257, 130)])
def test_gif_of_few_and_of_many_colours_stays_close(tmp_path, size):
    rng = np.random.default_rng(1)
    small = Image.fromarray(rng.integers(0, 256, (3, 3, 3), np.uint8))
    smooth = np.asarray(small.resize(size[::-1], Image.Resampling.BICUBIC))
    movies.write(tmp_path / "a.gif", [smooth, smooth[:, ::-1], smooth], fps=10)
    frames, _ = read_images(tmp_path / "a.gif")
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

    assert error(movies.to_palette(image)) < 1.5
    assert error(movies.to_palette(image)) < error(image.quantize(256)) / 2


def test_one_colour_channel_makes_a_gif(tmp_path):
    grey = np.full((4, 4, 1), 77, np.uint8)
    movies.write(tmp_path / "a.gif", [grey], fps=5)
    assert (read_images(tmp_path / "a.gif")[0][0] == 77).all()


@pytest.mark.parametrize("fps", [20, 12.5])
def test_mp4_has_every_frame_at_its_time_and_holds_the_last(tmp_path, fps):
    frames = gliding(6)
    made = movies.write(tmp_path / "a.mp4", iter(frames), fps, hold=0.4)
    read, times, seconds = read_video(tmp_path / "a.mp4")
    held = round(0.4 * fps)
    assert made.frames == 6 and len(read) == 6 + held
    np.testing.assert_allclose(times, np.arange(6 + held) / fps, atol=1e-3)
    assert seconds == pytest.approx((6 + held) / fps, abs=1e-3)
    for frame, expected in zip(read, frames + [frames[-1]] * held, strict=True):
        assert frame.shape == expected.shape and error(frame, expected) < 4
    assert error(read[0], frames[1]) > 8  # the measure tells neighbours apart


def test_mp4_plays_everywhere_and_from_its_beginning(tmp_path):
    movies.write(tmp_path / "a.mp4", gliding(3), 20)
    with av.open(str(tmp_path / "a.mp4")) as container:
        context = container.streams.video[0].codec_context
        assert (context.name, context.pix_fmt) == ("h264", "yuv420p")
    content = (tmp_path / "a.mp4").read_bytes()
    assert 0 < content.index(b"moov") < content.index(b"mdat")


@pytest.mark.parametrize("size", [(1, 1), (65, 96)])
def test_mp4_of_odd_sides_repeats_its_last_row_and_column(tmp_path, size):
    frames = gliding(2, *size)
    movies.write(tmp_path / "a.mp4", frames, 20)
    read, _, _ = read_video(tmp_path / "a.mp4")
    height, width = size
    for frame, expected in zip(read, frames, strict=True):
        assert frame.shape == (height + height % 2, width + width % 2, 3)
        assert error(frame[:height, :width], expected) < 5


@pytest.mark.parametrize(("lines", "colours"), [(718, "ITU601"), (720, "ITU709")])
def test_mp4_has_the_colours_that_players_expect_of_its_lines(tmp_path, lines, colours):
    frame = solid((200, 60, 30), lines, 64)
    movies.write(tmp_path / "a.mp4", [frame], 20)
    (read,), _, _ = read_video(tmp_path / "a.mp4", colours)
    assert np.abs(read.astype(int) - frame).max() <= 3
    other = {"ITU601": "ITU709", "ITU709": "ITU601"}[colours]
    (read,), _, _ = read_video(tmp_path / "a.mp4", other)
    assert np.abs(read.astype(int) - frame).max() > 8


@pytest.mark.parametrize(("fps", "milliseconds"), [(20, 50), (12.5, 80)])
def test_webp_has_every_frame_in_order_and_loops_for_ever(tmp_path, fps, milliseconds):
    frames = gliding(5, 65, 95)
    made = movies.write(tmp_path / "a.webp", iter(frames), fps, hold=1.6)
    read, durations = read_images(tmp_path / "a.webp")
    assert made.frames == 5
    assert durations == [milliseconds] * 4 + [milliseconds + 1600]
    with Image.open(tmp_path / "a.webp") as webp:
        assert webp.format == "WEBP" and webp.info["loop"] == 0
    for frame, expected in zip(read, frames, strict=True):
        assert frame.shape == expected.shape and error(frame, expected) < 4


@pytest.mark.parametrize("name", ["a.mp4", "a.WEBP", "a.Gif", "a b.MP4"])
def test_the_ending_in_any_letters_is_the_format(tmp_path, name):
    movies.write(tmp_path / name, [solid(1), solid(200)], 10)
    head = (tmp_path / name).read_bytes()[:12]
    assert {"4": head[4:8] == b"ftyp", "p": head[8:] == b"WEBP", "f": head[:4] == b"GIF8"}[
        name[-1].lower()
    ]


@pytest.mark.parametrize("name", ["a.avi", "a.png", "a", ".gif"])
def test_other_formats_are_refused_and_the_known_ones_named(tmp_path, name):
    with pytest.raises(UserError, match=r"should end in \.gif, \.mp4 or \.webp\. Received: .*"):
        movies.write(tmp_path / name, [solid(1)], 10)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("suffix", "most"), [(".gif", 50), (".mp4", 60), (".webp", 60)])
def test_other_speeds_are_refused(tmp_path, suffix, most):
    for fps in (0, -1, most + 1, float("nan"), float("inf")):
        with pytest.raises(UserError, match=f"`--fps` should be from 0.01 to {most} in an? "):
            movies.write(tmp_path / f"a{suffix}", [solid(1)], fps)
    movies.write(tmp_path / f"a{suffix}", [solid(1)], most)


@pytest.mark.parametrize(
    ("name", "side"), [("a.mp4", 16_385), ("a.webp", 16_384), ("a.gif", 65_536)]
)
def test_pictures_too_large_for_a_format_are_refused(tmp_path, name, side):
    for frame in (solid(1, 1, side), solid(1, side, 1)):
        with pytest.raises(UserError, match="should have sides of at most"):
            movies.write(tmp_path / name, [frame], 10)
    assert not list(tmp_path.iterdir())


SUFFIXES = [".gif", ".mp4", ".webp"]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_failing_half_way_leaves_the_old_file_and_nothing_else(tmp_path, suffix):
    def broken():
        yield solid(1)
        yield solid(2)
        raise KeyboardInterrupt

    path = tmp_path / f"a{suffix}"
    path.write_bytes(b"old")
    with pytest.raises(KeyboardInterrupt):
        movies.write(path, broken(), fps=10)
    assert list(tmp_path.iterdir()) == [path]
    assert path.read_bytes() == b"old"


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_full_disk_is_what_the_system_says(tmp_path, suffix):
    resource = pytest.importorskip("resource")
    noise = np.random.default_rng(0).integers(0, 256, (20, 64, 64, 3), np.uint8)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (9_000, before[1]))
        with pytest.raises(OSError, match="File too large") as caught:
            movies.write(tmp_path / f"a{suffix}", noise, 20)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert (caught.value.errno, caught.value.filename) == (
        errno.EFBIG,
        str(tmp_path / f"a{suffix}"),
    )
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("frames", [[], [solid(1), solid(1, height=9)]])
def test_none_and_mixed_sizes_are_refused(tmp_path, suffix, frames):
    with pytest.raises(ValueError, match="should have"):
        movies.write(tmp_path / f"a{suffix}", frames, fps=10)
    assert not list(tmp_path.iterdir())


PEAK = """
import re, sys
from pathlib import Path
import numpy as np
from PIL import Image
from kerasgan import movies
movies.PALETTE_SAMPLE = 2**8  # the search for colours takes most of the time, and no memory
small = np.random.default_rng(0).integers(0, 256, (4, 4, 3), np.uint8)
smooth = np.asarray(Image.fromarray(small).resize((256, 256), Image.Resampling.BICUBIC))

def frames(count):
    return (np.roll(smooth, index, axis=0) for index in range(count))

def peak():
    return int(re.search(r"VmHWM:\\s*([0-9]+)", Path("/proc/self/status").read_text())[1])

path, count, how = sys.argv[1], int(sys.argv[2]), sys.argv[3]
movies.write(path, frames(2), fps=10)
before = peak()
movies.write(path, frames(count), fps=10) if how == "streamed" else list(frames(count))
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
@pytest.mark.parametrize(
    ("suffix", "counts"), [(".gif", (20, 200)), (".mp4", (150, 330)), (".webp", (20, 200))]
)
def test_memory_does_not_grow_with_the_number_of_frames(tmp_path, suffix, counts):
    """An encoder of videos looks some dozens of frames ahead; WebP's keeps what it has encoded."""
    few, many = (grown(tmp_path / f"a{suffix}", count, "streamed") for count in counts)
    assert abs(many - few) < 30


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads the peak from /proc")
def test_the_measure_would_see_a_writer_that_holds_its_frames(tmp_path):
    few, many = (grown(tmp_path / "a.gif", count, "held") for count in (20, 200))
    assert 150 < many - few < 210  # these are 180 more
