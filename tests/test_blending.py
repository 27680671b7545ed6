"""Pictures put into others: what stays stays, and seams go."""

import numpy as np
import pytest
from PIL import Image

from kerasgan import blending
from kerasgan.blending import Place


def ramp(side=32, channels=3):
    """A smooth picture, uint8 (side, side, channels)."""
    row = np.linspace(40, 160, side)
    return np.rint(row[None, :, None] * np.ones((side, 1, channels))).astype(np.uint8)


def hole(side=32, edge=8):
    known = np.ones((side, side), bool)
    known[edge:-edge, edge:-edge] = False
    return known


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("where", ["inside", "at the edge"])
def test_what_is_too_bright_all_over_leaves_no_seam(channels, where):
    pytest.importorskip("cv2")
    picture, known = ramp(channels=channels), hole()
    if where == "at the edge":
        known = np.roll(known, (8, 8), axis=(0, 1))
    blended = blending.blend(picture + 50, picture, known)
    # A picture that differs by a constant is the picture itself, but for that constant. At an edge
    # nothing says how bright it goes on.
    assert np.abs(blended.astype(int) - picture).max() <= (1 if where == "inside" else 25)
    np.testing.assert_array_equal(blended[known], picture[known])


def test_thin_pieces_are_what_was_drawn():
    pytest.importorskip("cv2")
    picture, drawn = ramp(), ramp() + 50
    known = np.ones((32, 32), bool)
    known[::3, ::3] = False
    blended = blending.blend(drawn, picture, known)
    np.testing.assert_array_equal(blended, np.where(known[..., None], picture, drawn))


def test_a_patch_goes_where_it_was_cut():
    picture = np.zeros((40, 60, 3), np.uint8)
    patch = ramp(16)
    place = Place.of_box(20, 10, 36, 26)
    put = blending.paste(picture, patch, place)
    np.testing.assert_array_equal(put[12:24, 22:34], patch[2:14, 2:14])
    put[10:26, 20:36] = 0
    assert not put.any()  # all the rest is as it was


def test_a_patch_is_made_as_large_as_its_place():
    patch = np.full((16, 16, 3), 200, np.uint8)
    picture = np.zeros((64, 64, 3), np.uint8)
    put = blending.paste(picture, patch, Place.of_box(16, 16, 48, 48))
    assert (put[20:44, 20:44] > 190).all()
    assert not put[:15].any()
    small = blending.paste(picture, patch, Place.of_box(30, 30, 36, 36))
    assert (small[32:34, 32:34] > 190).all()
    assert not small[:29].any()


def test_a_patch_that_is_all_of_a_picture_takes_all_its_place():
    patch = np.random.default_rng(0).integers(0, 256, (16, 16, 3), np.uint8)
    picture = np.zeros_like(patch)
    np.testing.assert_array_equal(blending.paste(picture, patch, Place.of_box(0, 0, 16, 16)), patch)
    # Of the middle of a broader picture it passes into the sides alone.
    put = blending.paste(np.zeros((16, 24, 3), np.uint8), patch, Place.of_box(4, 0, 20, 16))
    np.testing.assert_array_equal(put[:, 6:18], patch[:, 2:14])


def test_a_turned_patch_lies_as_its_square():
    """What `cut_square` reads off at an angle comes back to where it was."""
    from kerasgan.data.square import cut_square

    rng = np.random.default_rng(0)
    coarse = Image.fromarray(rng.integers(0, 255, (8, 8, 3), np.uint8))
    picture = np.asarray(coarse.resize((96, 96), Image.Resampling.BICUBIC))
    centre, edge = np.array([50.0, 44.0]), np.array([30.0, 14.0])
    patch = np.asarray(cut_square(picture, centre, edge, 33, Image.Resampling.BICUBIC))
    put = blending.paste(np.zeros_like(picture), patch, Place.of_square(centre, edge))
    inside = put[34:54, 40:60].astype(int)
    assert np.abs(inside - picture[34:54, 40:60]).mean() < 2


def test_of_a_masked_patch_only_the_missing_is_put():
    picture = np.tile(ramp(64), (1, 1, 1))
    patch = 255 * (np.indices((16, 16)).sum(axis=0) // 2 % 2).astype(np.uint8)
    patch, known = np.tile(patch[..., None], 3), hole(16, 5)
    put = blending.paste(picture, patch, Place.of_box(16, 16, 48, 48), known)
    changed = (put != picture).any(axis=-1)
    assert changed[28:36, 28:36].mean() > 0.9
    changed[24:40, 24:40] = False
    assert not changed.any()


def test_a_place_of_a_larger_picture():
    place = Place.of_box(1, 2, 5, 8).scaled(2)
    np.testing.assert_array_equal(place.corner, [2, 4])
    np.testing.assert_array_equal(place.along, [8, 0])
    np.testing.assert_array_equal(place.down, [0, 12])
