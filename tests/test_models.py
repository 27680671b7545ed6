"""The networks' shapes and sizes, by the tutorial's figures."""

import dataclasses

import numpy as np
import pytest

from kerasgan import models
from kerasgan.backend import keras
from kerasgan.recipes import PRESETS


def float32(preset, **changes):
    return dataclasses.replace(PRESETS[preset], precision="float32", **changes)


def test_article_has_the_tutorials_parameters():
    recipe = float32("article")
    generator = models.build_generator(recipe)
    discriminator = models.build_discriminator(recipe)
    assert generator.count_params() == 14_953_987
    assert discriminator.count_params() == 4_211_713
    assert generator.input_shape == (None, 32)
    assert generator.output_shape == (None, 128, 128, 3)
    assert discriminator.output_shape == (None, 1)


def test_article_has_the_tutorials_layers():
    recipe = float32("article")
    generator = models.build_generator(recipe)
    names = [type(layer).__name__ for layer in generator.layers[1:]]
    leaky = "LeakyReLU"
    assert names == [
        *("Dense", leaky, "Reshape", "Conv2D", leaky),
        *("Conv2DTranspose", leaky) * 3,
        *("Conv2D", leaky) * 2,
        *("Conv2D", "Activation"),
    ]
    discriminator = models.build_discriminator(recipe)
    convolutions = [x for x in discriminator.layers if isinstance(x, keras.layers.Conv2D)]
    assert [(c.filters, c.kernel_size[0], c.strides[0], c.padding) for c in convolutions] == [
        (256, 3, 1, "valid"),
        *[(256, 4, 2, "valid")] * 4,
    ]
    slopes = {x.negative_slope for x in discriminator.layers if type(x).__name__ == leaky}
    assert slopes == {0.3}
    assert [x.rate for x in discriminator.layers if isinstance(x, keras.layers.Dropout)] == [0.4]


@pytest.mark.parametrize("size", [32, 64, 128, 256])
@pytest.mark.parametrize("width", [1 / 32, 1 / 8])
def test_every_size_and_width_works(size, width):
    recipe = float32("article", size=size, width=width)
    generator = models.build_generator(recipe)
    discriminator = models.build_discriminator(recipe)
    pictures = generator(np.random.default_rng(0).normal(size=(2, 32)).astype("f"))
    assert pictures.shape == (2, size, size, 3)
    assert float(np.abs(pictures).max()) <= 1
    verdicts = discriminator(pictures).numpy()
    assert verdicts.shape == (2, 1) and np.all((verdicts > 0) & (verdicts < 1))
    first, *_ = (x for x in generator.layers if isinstance(x, keras.layers.Conv2D))
    assert first.filters == 256 * width


def test_adversarial_chains_the_two_and_shares_their_weights():
    recipe = float32("article", size=32, width=1 / 32)
    generator, discriminator = models.build_generator(recipe), models.build_discriminator(recipe)
    adversarial = models.build_adversarial(generator, discriminator)
    latents = np.random.default_rng(0).normal(size=(3, 32)).astype("f")
    expected = discriminator(generator(latents))
    np.testing.assert_allclose(adversarial(latents), expected, rtol=1e-5)
    logits = models.logits_of(discriminator)(generator(latents)).numpy()
    np.testing.assert_allclose(1 / (1 + np.exp(-logits)), expected, rtol=1e-4)


def test_generate_does_not_depend_on_how_many():
    generator = models.build_generator(float32("article", size=32, width=1 / 16))
    latents = np.random.default_rng(0).normal(size=(40, 32)).astype("f")
    together = models.generate(generator, latents)
    assert together.shape == (40, 32, 32, 3) and together.dtype == np.uint8
    np.testing.assert_array_equal(models.generate(generator, latents[:1]), together[:1])
    np.testing.assert_array_equal(models.generate(generator, latents[:17]), together[:17])


def test_initial_weights_are_a_function_of_the_seed():
    def weights(seed):
        return models.build_generator(float32("article-lite", seed=seed)).get_weights()

    for a, b in zip(weights(3), weights(3), strict=True):
        np.testing.assert_array_equal(a, b)
    assert not all(map(np.array_equal, weights(3), weights(4)))
