"""Animations: which frames, in which order, how long, how large."""

import zlib

import numpy as np
import pytest
from frames import GREYS, numbered, read, write_frames
from PIL import Image, ImageFont

from kerasgan import animation
from kerasgan.errors import UserError


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
