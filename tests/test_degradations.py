"""What is known of pictures: by hand, by Pillow, and slopes by differences."""

import numpy as np
import pytest
from PIL import Image

from kerasgan import degradations, images
from kerasgan.backend import tf
from kerasgan.data.decode import resize


@pytest.fixture
def pictures():
    """uint8, (3, 16, 16, 3)."""
    return np.random.default_rng(0).integers(0, 256, (3, 16, 16, 3), np.uint8)


def known_of(name, pictures):
    """A degradation and what it knows of pictures in [-1, 1]."""
    if name == "mask":
        return degradations.mask(), degradations.masked(pictures, degradations.box(16)[None])
    if name == "noise":
        return degradations.noise(), degradations.noisy(pictures, np.full(len(pictures), 0.1))
    if name == "smaller":
        degradation = degradations.smaller(16, 4)
        return degradation, np.asarray(degradation.see(pictures, None))
    return degradations.identity(), pictures


NAMES = ("identity", "mask", "smaller", "noise")


@pytest.mark.parametrize("name", NAMES)
def test_a_picture_agrees_with_what_is_known_of_it(name, pictures):
    pictures = images.to_float(pictures)
    degradation, known = known_of(name, pictures)
    np.testing.assert_allclose(degradation.see(pictures, known), known, atol=1e-6)
    assert degradation.show(known).shape == pictures.shape


@pytest.mark.parametrize("name", NAMES)
def test_others_are_made_to_agree(name, pictures):
    pictures = images.to_float(pictures)
    degradation, known = known_of(name, pictures)
    others = np.zeros_like(pictures)
    kept = degradation.keep(others, known)
    if name in ("mask", "smaller"):
        np.testing.assert_allclose(degradation.see(kept, known), known, atol=1e-5)
    else:
        np.testing.assert_array_equal(kept, others)  # what is noisy should not come back


@pytest.mark.parametrize(
    ("name", "numbers"),
    [("identity", 768), ("smaller", 48), ("noise", 768)],
)
def test_how_many_numbers_are_known(name, numbers, pictures):
    degradation, known = known_of(name, images.to_float(pictures))
    np.testing.assert_array_equal(degradation.count(known), [numbers] * 3)


def test_what_is_beside_a_hole_counts_most():
    """Weights by hand in a row whose first pixel is missing."""
    known = np.ones((1, 5), bool)
    known[0, 0] = False
    masked = degradations.masked(np.ones((1, 1, 5, 2), np.float32), known[None])
    far = degradations.FAR
    fading = [far + (1 - far) * np.exp(-step / degradations.NEARBY) for step in range(4)]
    np.testing.assert_allclose(masked[0, 0, :, 2], [0, *fading], rtol=1e-6)
    np.testing.assert_array_equal(masked[0, 0, :, 0], [0, 1, 1, 1, 1])
    degradation = degradations.mask()
    np.testing.assert_allclose(degradation.count(masked), [2 * sum(fading)], rtol=1e-6)
    assert float(np.max(degradation.weigh(masked))) == 1


@pytest.mark.parametrize("name", NAMES)
def test_slopes_are_those_of_differences(name, pictures):
    pictures = images.to_float(pictures)
    degradation, known = known_of(name, pictures)
    weights = np.random.default_rng(1).normal(size=known.shape).astype(np.float32)
    step = np.random.default_rng(2).normal(size=pictures.shape).astype(np.float32)

    def total(shift):
        return tf.reduce_sum(degradation.see(pictures + shift * step, known) * weights)

    shift = tf.Variable(0.0)
    with tf.GradientTape() as tape:
        value = total(shift)
    # All of them are linear.
    assert float(tape.gradient(value, shift)) == pytest.approx(float(total(1.0) - value), rel=1e-3)


def test_a_small_copy_is_that_of_the_data(pictures):
    """Pillow's own Lanczos, which rounds to whole grey levels twice."""
    by_pillow = np.stack([np.asarray(resize(Image.fromarray(one), 4)) for one in pictures])
    seen = degradations.smaller(16, 4).see(images.to_float(pictures), None)
    assert np.abs((np.asarray(seen) + 1) * 127.5 - by_pillow).max() <= 1


def test_a_box_and_pixels_at_random():
    assert not degradations.box(16)[4:12, 4:12].any()
    assert degradations.box(16).sum() == 256 - 64
    known = degradations.at_random(16, 0.25, seed=1)
    assert known.sum() == 192
    assert not np.array_equal(known, degradations.at_random(16, 0.25, seed=2))


def test_a_hole_is_trusted_less_than_missing_pixels():
    pictures = np.zeros((2, 16, 16, 3), np.float32)
    scattered = np.ones((16, 16), bool)
    scattered[::4, ::4] = False
    masks = np.stack([scattered, degradations.box(16)])
    sigma = degradations.mask().sigma(degradations.masked(pictures, masks))
    # All of 16 single pixels have neighbours; of a box of 8x8 the inner 4x4 have none.
    expected = degradations.EXACT + 0.25 * (degradations.MASKED - degradations.EXACT)
    np.testing.assert_allclose(sigma, [degradations.EXACT, expected], rtol=1e-6)


def test_noise_is_estimated():
    smooth = np.linspace(80, 170, 64)[None, :, None, None] * np.ones((1, 64, 64, 3))
    assert degradations.estimate_noise(smooth)[0] == pytest.approx(0, abs=1e-9)
    for sigma in (5, 20):
        noisy = smooth + sigma * np.random.default_rng(0).standard_normal(smooth.shape)
        assert degradations.estimate_noise(noisy)[0] == pytest.approx(sigma, rel=0.1)


def test_noise_is_added_by_its_seed(pictures):
    grey = np.full((1, 64, 64, 3), 128, np.uint8)
    noisy = degradations.add_noise(grey, 10, seed=0).astype(float) - 128
    assert noisy.std() == pytest.approx(10, rel=0.05)
    first = degradations.add_noise(pictures, 10, seed=3)
    np.testing.assert_array_equal(first, degradations.add_noise(pictures, 10, seed=3))
